/** Files a mail for each account that takes it: the bytes once an account, then one batch each. */
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import { type Context, newId, newToken } from '../context.ts'
import type { FilingProblem } from '../contract/reading/content.ts'
import type { Found } from '../directory/recipients.ts'
import type { Address } from '../mail/address.ts'
import { type Indexed, MimeIntake } from '../mail/mime/indexer.ts'
import { type ReadMessage, readMessage } from '../mail/mime/read.ts'
import { describe } from '../record/described.ts'
import { fileMessage, findFiled, type NewMessage, whyNotFiled } from '../store/mail/filing.ts'
import { INBOX, RECEIVED } from '../store/mail/shapes.ts'
import { copyRaw, deleteRaw, putRaw, rawKey } from '../store/objects.ts'
import { nothingStored, settle } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'
import { deliveryOf } from './bounces.ts'
import { noteComplaint } from './complaints.ts'
import { verdictsAt } from './doors.ts'
import { matchedEvent, receivedEvent } from './event.ts'
import { type Place, placesFrom } from './gate.ts'
import { FORWARD_LOOP, owedFor } from './owed.ts'
import type { Arrival, Received } from './receive.ts'
import { RULES_FAILED, rulingFor } from './rules/ruling.ts'

/** An envelope recipient of ours, as it was written. */
export type Recipient = Found & { as: Address }

/** One account's copy: its message's id, and where its bytes lie. */
type Copy = { place: Place; id: string; key: string }

type Mail = { arrival: Arrival; to: Recipient; indexed: Indexed; read: ReadMessage }

/** Told in the message's problems where the mailbox that a rule names is gone: it is in the inbox. */
const MAILBOX_GONE: FilingProblem = 'rule_mailbox_gone'

/**
 * Stores a mail for one envelope recipient, wherever that leads. Where one account of several cannot take it just now
 * the others have it, and this throws: the sender comes again, and they know it by then.
 * @throws Problem message_refused, not_found: for good, where no account takes it.
 */
export async function fileFor(ctx: Context, arrival: Arrival, to: Recipient, places: Place[]): Promise<Received> {
  const copies = places.map((place) => newCopy(ctx, place))
  const { indexed, read } = await storeBytes(ctx, arrival, copies)
  if (copies[0]) await noteComplaint(ctx, { indexed, key: copies[0].key, from: arrival.from })
  const mail = { arrival, to, indexed, read }
  const wanted = refusing(ctx, copies, () => placesFrom(to, places, arrival.from, read.from ? [read.from.address] : []))
  const taking = copies.filter(({ place }) => wanted.some(({ account }) => account.number === place.account.number))
  drop(
    ctx,
    copies.filter((copy) => !taking.includes(copy)),
  )
  const outcomes = await Promise.allSettled(
    taking.map((copy) => {
      const place = wanted.find(({ account }) => account.number === copy.place.account.number) ?? copy.place
      return fileCopy(ctx, mail, { ...copy, place })
    }),
  )
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const trouble = failed.find((error) => !isRefusal(error))
  if (trouble) {
    if (outcomes.length > 1) ctx.log('warn', 'not all accounts have it', { error: describeError(trouble) })
    throw trouble
  }
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') return outcome.value
  throw failed[0]
}

function newCopy(ctx: Context, place: Place): Copy {
  const id = newId(ctx)
  return { place, id, key: rawKey(place.account.number, id, Math.floor(ctx.now() / 86_400_000), newToken(ctx)) }
}

/** The bytes stream to the first copy past the reader; the others are made of it before anything could take it away. */
async function storeBytes(ctx: Context, arrival: Arrival, copies: readonly Copy[]) {
  const [first, ...others] = copies
  if (!first) throw new Error('a mail is stored for somebody')
  const intake = new MimeIntake()
  await putRaw(ctx.stores, first.key, arrival.raw.pipeThrough(passing(intake)), arrival.size)
  const indexed = intake.end()
  for (const { key } of others) await copyRaw(ctx.stores, first.key, key)
  return { indexed, read: await readMessage(indexed) }
}

async function fileCopy(ctx: Context, mail: Mail, { place, id, key }: Copy): Promise<Received> {
  const { arrival, to, indexed, read } = mail
  const { account, takers } = place
  const now = ctx.now()
  const verdicts = verdictsAt(ctx.config, arrival.door, account, read.headers)
  const described = {
    ...(await describe(indexed, read, { account: account.number, id })),
    sender: reversePath(arrival.from),
    recipient: to.as.address,
    address: takers[0].address,
    tag: to.tag,
    verdicts,
  }
  const { ruling, failed } = rulingFor(ctx, takers[0], described, read)
  if (ruling.reject !== undefined) {
    drop(ctx, [{ key }])
    throw new Problem('message_refused', ruling.reject)
  }
  const box = ruling.box ?? { number: INBOX, name: 'inbox' }
  const message: NewMessage = {
    ...described,
    problems: failed ? [...described.problems, RULES_FAILED] : described.problems,
    id,
    direction: RECEIVED,
    createdAt: now,
    mailbox: box.number,
    keywords: ruling.keywords,
    dedupe: indexed.fingerprint(to.as.address),
    rawKey: key,
    tags: [],
    recipients: null,
    lastEvent: null,
    due: null,
  }
  // An alias of the same account speaks for it as well.
  const own = to.written.account.number === account.number ? [...new Set([to.written, ...takers])] : takers
  const { tasks: owed, looping } = owedFor(ctx, { message, read, written: to.as, own, ruling })
  const delivery = await deliveryOf(ctx, { from: message.sender, to: to.as.address, ref: id })
  const tasks = delivery ? [...owed, delivery] : owed
  if (looping) message.problems = [...message.problems, FORWARD_LOOP]
  const told = (mailbox: string) => {
    const received = receivedEvent(message, indexed.root, { mailbox, rules: ruling.matched })
    return [received, ...ruling.tell.map((rule) => matchedEvent(received, rule))]
  }
  const filed = await insert(ctx, account, message, () => ({ events: told(box.name), tasks }))
  if (filed) return filed
  // Deleted since the rule was written; nothing else may keep the mail out.
  message.mailbox = INBOX
  message.problems = [...message.problems, MAILBOX_GONE]
  const again = await insert(ctx, account, message, () => ({ events: told('inbox'), tasks }))
  if (again) return again
  throw nothingStored()
}

/** Undefined where the mailbox it would lie in is gone. */
async function insert(
  ctx: Context,
  account: AccountRef,
  message: NewMessage,
  beside: () => Pick<Parameters<typeof fileMessage>[2], 'events' | 'tasks'>,
): Promise<Received | undefined> {
  const { events, tasks = [] } = beside()
  const now = message.createdAt
  const filed = await settle(
    () => fileMessage(ctx.stores, account, { message, now, token: newToken(ctx), events, tasks }),
    // The acknowledgement is lost, the mail is not: somebody may listen, so they are woken to look.
    async () => ((await findFiled(ctx.stores, account, message)) ? { seq: 0, listeners: 1 } : undefined),
  )
  if (!filed) return notFiled(ctx, account, message)
  if (filed.listeners > 0) ctx.wake.webhooks(account)
  if (tasks.length > 0) ctx.wake.owed(account)
  return { id: message.id, duplicate: false }
}

/** It is there already, which is what the sender wanted; or the account takes nothing now. Our copy of the bytes goes. */
async function notFiled(ctx: Context, account: AccountRef, message: NewMessage): Promise<Received | undefined> {
  const why = await whyNotFiled(ctx.stores, account, message)
  if (why.kind === 'no mailbox') return undefined
  drop(ctx, [{ key: message.rawKey }])
  if (why.kind === 'exists') return { id: why.id, duplicate: true }
  if (why.kind === 'full') {
    throw new Problem('service_unavailable', 'The mailbox is full; nothing was stored.', { retryAfter: 3600 })
  }
  if (why.kind === 'closed') throw new Problem('not_found', 'No such address here')
  throw nothingStored()
}

/** Bytes that no row names go. */
function drop(ctx: Context, copies: readonly { key: string }[]): void {
  if (copies.length === 0) return
  ctx.later(
    deleteRaw(
      ctx.stores,
      copies.map(({ key }) => key),
    ),
  )
}

/** What `judge` refuses for all of them leaves none of their bytes. */
function refusing<T>(ctx: Context, copies: readonly Copy[], judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    drop(ctx, copies)
    throw error
  }
}

/** Whether an account will never take it; anything else may pass. */
function isRefusal(error: unknown): boolean {
  return error instanceof Problem && error.code !== 'service_unavailable'
}

/** As it was given, for a strange one is no reason to lose the mail; but as one short line. */
function reversePath(from: string): string {
  return from.replace(/[\0-\x20\x7f<>]/g, '').slice(0, 320)
}

/** Lets the bytes through and shows them to the reader. */
function passing(intake: MimeIntake): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      intake.write(chunk)
      controller.enqueue(chunk)
    },
  })
}
