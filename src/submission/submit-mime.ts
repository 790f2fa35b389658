/** MIME that is ready but for its signature: sign it, store it, answer; what is owed to the relay lies in the row. */
import { Problem } from '../base/problem.ts'
import { type Caller, newId, newToken } from '../context.ts'
import { findSender, type Sender } from '../directory/senders.ts'
import { type Address, parseAddress } from '../mail/address.ts'
import { signDkim } from '../mail/dkim.ts'
import { makeReady } from '../mail/ready.ts'
import { describeMime } from '../record/described.ts'
import { sentMailEvent } from '../record/email-event.ts'
import { keeping, recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { type Filing, fileMessage, findFiled, type NewMessage, whyNotFiled } from '../store/mail/filing.ts'
import { type Recipient, SENT, SENT_BOX, type Tag } from '../store/mail/shapes.ts'
import { deleteRaw, putRaw, rawKey } from '../store/objects.ts'
import { settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'

/** As many as one transaction should carry (RFC 5321 section 4.5.3.1.8). */
const MAX_RECIPIENTS = 100

/** Takes a ready message with its envelope: what programs that write MIME themselves use. @throws Problem. */
export async function submitRaw(
  ctx: Caller,
  envelope: { from: string; to: string[] },
  bytes: Uint8Array,
  once?: Once,
): Promise<{ id: string }> {
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (known) return asAnswer(known)
  const recipients = readEnvelope(envelope.to)
  const id = newId(ctx)
  const named = parseAddress(envelope.from)
  const domain = named?.domain ?? ctx.config.MAIL_HOST
  const ready = makeReady(bytes, { now: ctx.now(), messageId: `<${id}@${domain}>` })
  const [author] = ready.headerFrom
  if (!author) throw new Problem('invalid_from_address', 'The message has no From.')
  const sender = await findSender(ctx, author.address)
  // Whoever the reader would take for an author must be one of ours, and not the first alone.
  const others = [...ready.headerFrom.slice(1), ...(ready.sender ? [ready.sender] : [])]
  for (const other of others) await findSender(ctx, other.address)
  if (envelope.from !== '') {
    if (!named) throw new Problem('invalid_from_address', 'The envelope’s `from` is not an email address.')
    await findSender(ctx, named)
  }
  return submitMime(ctx, {
    id,
    bytes: ready.bytes,
    sender,
    reversePath: named?.address ?? '',
    recipients,
    bcc: [],
    tags: [],
    once,
  })
}

export type Submission = {
  id: string
  /** CRLF only, Bcc out. */
  bytes: Uint8Array
  sender: Sender
  /** MAIL FROM where the relay does not take our own; empty for the null path. */
  reversePath: string
  recipients: Address[]
  /** Shown to the owner; stands nowhere in the bytes. */
  bcc: string[]
  tags: Tag[]
  once: Once | undefined
}

/** Signs, stores and owes it to the relay. @throws Problem payload_too_large, daily_quota_exceeded, service_unavailable. */
export async function submitMime(ctx: Caller, submission: Submission): Promise<{ id: string }> {
  const { id, once } = submission
  const now = ctx.now()
  const bytes = await signDkim(submission.bytes, submission.sender.dkim, now)
  if (bytes.length > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  const described = await describeMime(bytes, { account: ctx.account.number, id })
  const message: NewMessage = {
    ...described,
    id,
    direction: SENT,
    createdAt: now,
    mailbox: SENT_BOX,
    keywords: ['$seen'],
    dedupe: id,
    sender: submission.reversePath,
    recipient: null,
    address: null,
    tag: null,
    parties: { ...described.parties, bcc: submission.bcc },
    rawKey: rawKey(ctx.account.number, id, Math.floor(now / 86_400_000), newToken(ctx)),
    verdicts: null,
    tags: submission.tags,
    recipients: submission.recipients.map((address) => queued(address, now)),
    lastEvent: 'queued',
    due: now,
  }
  const answer = { id }
  await putRaw(ctx.stores, message.rawKey, bytes, bytes.length)
  const kept = await keeping(ctx, ctx.account.number, once, 200, answer)
  const filing = {
    message,
    now,
    events: [queuedEvent(message)],
    sends: submission.recipients.length,
    ...(kept ? { keeping: kept } : {}),
  }
  if (await fileOnce(ctx, filing)) {
    ctx.wake.relay(ctx.account, [id])
    return answer
  }
  await deleteRaw(ctx.stores, [message.rawKey])
  const winner = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (winner) return asAnswer(winner)
  throw await refusal(ctx, message)
}

/** True once the message is there, whether or not its batch's acknowledgement came. */
async function fileOnce(ctx: Caller, filing: Omit<Filing, 'token'>): Promise<boolean> {
  return settle(
    async () => (await fileMessage(ctx.stores, ctx.account, { ...filing, token: newToken(ctx) })) !== undefined,
    async () => ((await findFiled(ctx.stores, ctx.account, filing.message)) ? true : undefined),
  )
}

function queued(address: Address, now: number): Recipient {
  return { address: address.address, state: 'queued', attempts: 0, due: now, updatedAt: now }
}

function queuedEvent(message: NewMessage) {
  return sentMailEvent('email.queued', message)
}

function readEnvelope(to: string[]): Address[] {
  const read = to.map((text) => parseAddress(text))
  const faults = read.flatMap((address, at) =>
    address ? [] : [{ path: `to[${at}]`, reason: 'is not an email address' }],
  )
  if (read.length === 0) faults.push({ path: 'to', reason: 'needs at least one address' })
  if (read.length > MAX_RECIPIENTS) faults.push({ path: 'to', reason: `has more than ${MAX_RECIPIENTS} addresses` })
  if (faults.length > 0)
    throw new Problem('invalid_parameter', 'The envelope’s `to` is not usable.', { fields: faults })
  const unique = new Map(read.flatMap((address) => (address ? [[address.address, address] as const] : [])))
  return [...unique.values()]
}

async function refusal(ctx: Caller, message: NewMessage): Promise<Problem> {
  const why = await whyNotFiled(ctx.stores, ctx.account, message)
  if (why.kind === 'full') {
    return new Problem('payload_too_large', 'The account’s storage is full.', {
      fix: 'Delete mail, or raise its quota.',
    })
  }
  if (why.kind === 'quota') {
    return new Problem('daily_quota_exceeded', 'The account’s sends for today are used up.', {
      retryAfter: 86_400 - (Math.floor(ctx.now() / 1000) % 86_400),
    })
  }
  return new Problem('not_found', 'The account is closed.')
}

function tooLarge(ctx: Caller): Problem {
  return new Problem('payload_too_large', `The message is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`)
}

/** What `keeping` stored for a send. */
export function asAnswer(kept: unknown): { id: string } {
  return kept as { id: string }
}
