/** Where mail may be forwarded to: asked for by the account, agreed to by who lives there. The question itself is mail, and owed. */
import { describeError } from '../../base/log.ts'
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, type Context, newId } from '../../context.ts'
import type { ListQuery } from '../../contract/common.ts'
import type { NewForwardTargetBody } from '../../contract/directory/forward-targets.ts'
import { type Address, addressKey, parseAddress } from '../../mail/address.ts'
import { isoTime } from '../../record/email-event.ts'
import { readForwardToken } from '../../record/forward-link.ts'
import {
  addTargets,
  deleteTarget,
  type ForwardTarget,
  findForwardable,
  findOldestAddress,
  findTarget,
  listTargets,
  MAX_TARGETS,
  verifyTarget,
} from '../../store/directory/forward-targets.ts'
import { oweAsking } from '../../store/sending/owed.ts'
import { nothingStored } from '../../store/settle.ts'
import { listPage } from '../list.ts'
import { findSender } from '../senders.ts'

/** Nobody is asked more often, whatever the account asks us. */
export const ASK_EVERY_MS = 3_600_000

/** Makes the target, if it is not there, and has its owner asked, if he has not agreed and was not asked lately. @throws Problem. */
export async function askTarget(ctx: Caller, body: NewForwardTargetBody) {
  const address = parseAddress(body.email)
  if (!address) throw refused('email', 'is not an email address')
  const from = await askerFor(ctx, body.from)
  const [row] = await addAll(ctx, [address])
  if (!row) {
    throw refused('email', `is one more than the ${MAX_TARGETS} that an account may have`, {
      fix: 'Delete one that is not needed any more by DELETE /forward-targets/:id.',
    })
  }
  if (!(await owe(ctx, [row], from))) throw nothingStored()
  return show(row)
}

export async function listForwardTargets(ctx: Caller, query: ListQuery) {
  return listPage(query, (page) => listTargets(ctx.stores, ctx.account.number, page), show)
}

/** By its id, or the address itself; from then on nothing is forwarded there. @throws Problem not_found. */
export async function deleteForwardTarget(ctx: Caller, idOrEmail: string) {
  const address = parseAddress(idOrEmail)
  const by = address ? { email: addressKey(address) } : { id: idOrEmail }
  const row = await deleteTarget(ctx.stores, ctx.account.number, by)
  if (!row) throw notFound('Forward target')
  return { object: 'forward_target' as const, id: row.id, deleted: true as const }
}

/** What a link asks; changes nothing. @throws Problem not_found. */
export async function readAgreeing(ctx: Context, token: string): Promise<{ email: string; from: string }> {
  const agreeing = await readForwardToken(ctx, token)
  const row = agreeing && (await findTarget(ctx.stores, agreeing.account, { id: agreeing.target }))
  if (!row) throw noLink()
  return { email: row.email, from: agreeing.from }
}

/** Who lives there agrees. @throws Problem not_found where the account does not ask any more. */
export async function agree(ctx: Context, token: string): Promise<{ email: string; from: string }> {
  const agreeing = await readForwardToken(ctx, token)
  const row = agreeing && (await verifyTarget(ctx.stores, agreeing.account, agreeing.target, ctx.now()))
  if (!row) throw noLink()
  return { email: row.email, from: agreeing.from }
}

/** Those of these addresses where nobody has agreed yet. */
export async function pendingOf(ctx: Caller, forwardTo: readonly string[]): Promise<Set<string>> {
  if (forwardTo.length === 0) return new Set()
  const read = forwardTo.flatMap((text) => parseAddress(text) ?? [])
  const allowed = await findForwardable(ctx.stores, ctx.account.number, read)
  return new Set(forwardTo.filter((text) => !allowed.has(text)))
}

/** Has the owners asked in the name of an address that is to forward to them. Trouble is logged: it shows them as pending, and they can be asked by themselves. */
export async function askPending(ctx: Caller, pending: ReadonlySet<string>, address: string): Promise<void> {
  if (pending.size === 0) return
  try {
    const rows = await addAll(
      ctx,
      [...pending].flatMap((text) => parseAddress(text) ?? []),
    )
    await owe(ctx, rows, askingAs(address))
  } catch (error) {
    ctx.log('warn', 'nobody was asked whether mail may be forwarded', { address, error: describeError(error) })
  }
}

function addAll(ctx: Caller, addresses: readonly Address[]): Promise<ForwardTarget[]> {
  const rows = addresses.map((address) => ({ id: newId(ctx), email: addressKey(address), createdAt: ctx.now() }))
  return addTargets(ctx.stores, ctx.account.number, rows)
}

/** Owes a question to those who have not agreed and were not asked lately. */
async function owe(ctx: Caller, rows: readonly ForwardTarget[], from: string): Promise<boolean> {
  const now = ctx.now()
  const due = rows.filter((row) => row.verifiedAt === null && mayAsk(row, now))
  if (due.length === 0) return true
  const asks = due.map(({ email }) => ({ email, due: now, state: { from } }))
  if (!(await oweAsking(ctx.stores, ctx.account, asks))) return false
  ctx.wake.owed(ctx.account)
  return true
}

/** Whether the last question is long enough ago. */
export function mayAsk({ askedAt }: Pick<ForwardTarget, 'askedAt'>, now: number): boolean {
  return askedAt <= now - ASK_EVERY_MS
}

/** A wildcard asks as an address that nobody need read. */
function askingAs(address: string): string {
  return address.startsWith('*@') ? `no-reply@${address.slice(address.startsWith('*@*.') ? 4 : 2)}` : address
}

/** Who asks: an address that the account may send from. @throws Problem. */
async function askerFor(ctx: Caller, wanted: string | null | undefined): Promise<string> {
  const text = wanted ?? (await findOldestAddress(ctx.stores, ctx.account.number, ctx.now()))
  if (text === undefined) {
    throw refused('from', 'is needed: the account has no address that could ask', {
      fix: 'Make an address by POST /addresses, or name one that the account may send from.',
    })
  }
  const address = parseAddress(text)
  if (!address) throw refused('from', 'is not an email address')
  await findSender(ctx, address)
  return address.address
}

function refused(path: string, reason: string, more: { fix?: string } = {}): Problem {
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }], ...more })
}

/** The same for a token that is none, one that is too old, and a target that is gone. */
function noLink(): Problem {
  return new Problem('not_found', 'This link does not work any more.', {
    fix: 'Let whoever wants to forward mail to you ask again.',
  })
}

function show(row: ForwardTarget) {
  return {
    object: 'forward_target' as const,
    id: row.id,
    email: row.email,
    verified: row.verifiedAt !== null,
    verified_at: row.verifiedAt === null ? null : isoTime(row.verifiedAt),
    asked_at: row.askedAt === 0 ? null : isoTime(row.askedAt),
    created_at: isoTime(row.createdAt),
  }
}
