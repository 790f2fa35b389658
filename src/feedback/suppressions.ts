/** The list of addresses that are not sent to, as its owner sees and changes it. */
import { isUuid } from '../base/id.ts'
import { type FieldFault, notFound, Problem } from '../base/problem.ts'
import { type Caller, newToken } from '../context.ts'
import type { BatchRemoveBody } from '../contract/suppressions.ts'
import { addressKey, parseAddress } from '../mail/address.ts'
import { keeping, recall } from '../record/once.ts'
import { listOf, readPage } from '../record/page.ts'
import { newSuppression, suppressionView, told } from '../record/suppression.ts'
import type { Keeping, Once } from '../store/idempotency.ts'
import type { Changed } from '../store/mail/change.ts'
import { nothingStored, settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'
import * as rows from '../store/suppressions.ts'

/** Whoever loses to others this often may try again later. */
const MOST_RACES = 5

type Reference = { object: 'suppression'; id: string }

/** Puts an address on the list; where it is already, that is the answer. @throws Problem validation_error. */
export async function addSuppression(ctx: Caller, email: string, once?: Once): Promise<Reference> {
  const keys = readEmails([email], () => 'email')
  return changeList(ctx, once, 201, async () => {
    const plan = await planAdding(ctx, keys)
    return { ...plan, answer: plan.references[0] ?? notThere() }
  })
}

/** Puts them all on the list, or none where one is no address. @throws Problem validation_error. */
export async function addSuppressions(ctx: Caller, emails: string[], once?: Once): Promise<{ data: Reference[] }> {
  const keys = readEmails(emails, (at) => `emails[${at}]`)
  return changeList(ctx, once, 200, async () => {
    const plan = await planAdding(ctx, keys)
    return { ...plan, answer: { data: plan.references } }
  })
}

/** A page of the list, newest first. */
export async function listSuppressions(
  ctx: Caller,
  query: Parameters<typeof readPage>[0] & { origin?: rows.SuppressionOrigin },
) {
  const page = { ...readPage(query), origin: query.origin }
  const { rows: found, more } = await rows.listSuppressions(ctx.stores, ctx.account, page)
  return listOf(found.map(suppressionView), more)
}

/** By id, or by the address itself. @throws Problem not_found. */
export async function getSuppression(ctx: Caller, idOrEmail: string) {
  const [row = notThere()] = await findNamed(ctx, idOrEmail)
  return { object: 'suppression' as const, ...suppressionView(row) }
}

/** Takes an address off the list. @throws Problem not_found. */
export async function removeSuppression(ctx: Caller, idOrEmail: string) {
  return changeList(ctx, undefined, 200, async () => {
    const [row = notThere()] = await findNamed(ctx, idOrEmail)
    return { ...removing(ctx, [row]), answer: { object: 'suppression' as const, id: row.id, deleted: true as const } }
  })
}

/** Takes off the list those that are on it. @throws Problem validation_error where one is no address, or no id. */
export async function removeSuppressions(ctx: Caller, body: BatchRemoveBody, once?: Once) {
  const by = body.emails ? 'email' : 'id'
  const names = body.emails ? readEmails(body.emails, (at) => `emails[${at}]`) : readIds(body.ids ?? [])
  return changeList(ctx, once, 200, async () => {
    const found = await rows.findSuppressions(ctx.stores, ctx.account, by, names)
    const idOf = new Map(found.map((row) => [row[by], row.id]))
    const data = [...new Set(names)].flatMap((name) => {
      const id = idOf.get(name)
      if (id !== undefined) return [{ object: 'suppression' as const, id, deleted: true }]
      // An address that is not on the list has no id to be told by.
      return by === 'id' ? [{ object: 'suppression' as const, id: name, deleted: false }] : []
    })
    return { ...removing(ctx, found), answer: { data } }
  })
}

type Plan<Answer> = {
  answer: Answer
  /** How many rows it adds or removes. */
  count: number
  /** Undefined where the list is not any more as it was read. */
  write(change: { now: number; token: string }, keeping?: Keeping): Promise<Changed | undefined>
  /** What to read back after an ambiguous error. */
  isWritten(): Promise<boolean>
}

/** Reads, decides and writes, and again where others changed the list meanwhile; with `once` the answer is kept by the same batch. */
async function changeList<Answer>(
  ctx: Caller,
  once: Once | undefined,
  status: number,
  decide: () => Promise<Plan<Answer>>,
): Promise<Answer> {
  const { number } = ctx.account
  const before = () => recall(ctx, mailOf(ctx.stores, ctx.account), number, once)
  const known = await before()
  if (known) return asAnswer<Answer>(known)
  for (let race = 0; race < MOST_RACES; race++) {
    const plan = await decide()
    if (plan.count === 0 && !once) return plan.answer
    const kept = await keeping(ctx, number, once, status, plan.answer)
    const changed = await settle<{ listeners: number } | undefined>(
      () => plan.write({ now: ctx.now(), token: newToken(ctx) }, kept),
      async () => ((await (once ? before() : plan.isWritten())) ? UNKNOWN_LISTENERS : undefined),
    )
    if (changed && plan.count > 0 && changed.listeners > 0) ctx.wake.webhooks(ctx.account)
    if (changed) return plan.answer
    const winner = await before()
    if (winner) return asAnswer<Answer>(winner)
  }
  throw nothingStored()
}

/** A wake-up too many costs less than one too few. */
const UNKNOWN_LISTENERS = { listeners: 1 }

/** What is not on the list yet, and the references of all, in their order. */
async function planAdding(ctx: Caller, keys: string[]) {
  const { stores, account } = ctx
  const found = await rows.findSuppressions(stores, account, 'email', keys)
  const idOf = new Map(found.map(({ email, id }) => [email, id]))
  const added = [...new Set(keys)].filter((key) => !idOf.has(key)).map((key) => newSuppression(ctx, key, 'manual'))
  for (const { email, id } of added) idOf.set(email, id)
  const ids = added.map(({ id }) => id)
  return {
    references: keys.map((key): Reference => ({ object: 'suppression', id: idOf.get(key) ?? '' })),
    count: added.length,
    write: (change: { now: number; token: string }, kept?: Keeping) =>
      rows.addSuppressions(stores, account, change, added, kept),
    isWritten: async () => (await rows.findSuppressions(stores, account, 'id', ids)).length > 0,
  }
}

function removing({ stores, account }: Caller, found: rows.Suppression[]) {
  const ids = found.map(({ id }) => id)
  return {
    count: found.length,
    write: (change: { now: number; token: string }, kept?: Keeping) =>
      rows.removeSuppressions(stores, account, change, found.map(told), kept),
    isWritten: async () => (await rows.findSuppressions(stores, account, 'id', ids)).length === 0,
  }
}

function findNamed(ctx: Caller, idOrEmail: string): Promise<rows.Suppression[]> {
  const address = parseAddress(idOrEmail)
  return address
    ? rows.findSuppressions(ctx.stores, ctx.account, 'email', [addressKey(address)])
    : rows.findSuppressions(ctx.stores, ctx.account, 'id', [idOrEmail])
}

/** Addresses as the list has them. @throws Problem naming each that is none. */
function readEmails(emails: readonly string[], pathOf: (at: number) => string): string[] {
  const read = emails.map((email) => parseAddress(email.trim()))
  refuse(read.flatMap((address, at) => (address ? [] : [{ path: pathOf(at), reason: 'is not an email address' }])))
  return read.flatMap((address) => (address ? [addressKey(address)] : []))
}

function readIds(ids: readonly string[]): string[] {
  refuse(ids.flatMap((id, at) => (isUuid(id) ? [] : [{ path: `ids[${at}]`, reason: 'is not an id' }])))
  return [...ids]
}

function refuse(fields: FieldFault[]): void {
  const [first] = fields
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields })
}

function notThere(): never {
  throw notFound('Suppression')
}

/** What `changeList` kept for the same request before. */
function asAnswer<Answer>(kept: unknown): Answer {
  return kept as Answer
}
