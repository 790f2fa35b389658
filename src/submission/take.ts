/** Mail enters: signed, or left unsigned because it waits; the bytes stored, then all of it made to exist in one batch. */
import { Problem } from '../base/problem.ts'
import { type Caller, newToken } from '../context.ts'
import type { Sender } from '../directory/senders.ts'
import type { Address } from '../mail/address.ts'
import { dkimField } from '../mail/dkim.ts'
import { describeMime } from '../record/described.ts'
import { isoTime, sentMailEvent } from '../record/email-event.ts'
import { keeping, recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import type { KeySends, NewEvent, SendsLeft } from '../store/mail/change.ts'
import { type FilingTogether, fileTogether, findFiled, type NewMessage } from '../store/mail/filing.ts'
import { findHeld } from '../store/mail/reading.ts'
import type { HeldMessage } from '../store/mail/rows.ts'
import { type Recipient, SENT, SENT_BOX, type Tag } from '../store/mail/shapes.ts'
import { deleteRaw, putPieces, rawKey } from '../store/objects.ts'
import type { Fulfilment } from '../store/sending/owed.ts'
import { nothingStored, settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'
import { boundedMap } from './bounded.ts'
import { overQuota, refusal, tooLarge } from './refusal.ts'
import { type LeftOut, leavingOut, type Reason, type Unfiled } from './suppressed.ts'

/** A mail that may be sent, ready but for its signature. */
export type Submission = {
  id: string
  /** CRLF only, Bcc out; without a Date where it waits. */
  bytes: Uint8Array
  sender: Sender
  /** MAIL FROM where the relay does not take our own; empty for the null path. */
  reversePath: string
  recipients: Address[]
  /** Shown to the owner; stands nowhere in the bytes. */
  bcc: string[]
  tags: Tag[]
  /** ms since 1970: when it is to be released, where it waits. */
  scheduledAt?: number
  /** It goes to those on the suppression list too: whoever sent it may say so, and did. */
  toListed?: boolean
  /** The list that all its recipients are on: who has left it is left out. */
  list?: string
  /** The draft that it is made of: the one goes as the other comes. Only where it is taken by itself. */
  draft?: HeldMessage
  /** It is mail that came, and is sent on as it is in the name of this address of ours; `trace` are the fields that say so. */
  onward?: { address: string; trace: Uint8Array }
  /** The task that it settles, and what is told beside it. Only where it is taken by itself. */
  fulfils?: Fulfilment
  told?: readonly NewEvent[]
  /** What its first event says besides. */
  more?: Record<string, unknown>
}

/** The platform lets a request have six connections. */
const MOST_PUTS = 5

/** Octets that the Date and the signature of a mail that waits will add. */
const SEAL_ROOM = 2048

/**
 * Stores all of them or none, and owes them to the relay or to the clock. With `once`, equal requests make them once, and each is given the first answer.
 * `tell` puts into the answer who was left out, where somebody was.
 * @throws Problem payload_too_large, daily_quota_exceeded, service_unavailable.
 */
export async function take<Answer>(
  ctx: Caller,
  submissions: readonly Submission[],
  answer: Answer,
  once: Once | undefined,
  tell: (answer: Answer, leftOut: LeftOut) => Answer = (same) => same,
): Promise<Answer> {
  const messages = await boundedMap(submissions, MOST_PUTS, (submission) => put(ctx, submission))
  const keySends = keySendsFor(
    ctx,
    messages.reduce((sum, { recipients }) => sum + (recipients?.length ?? 0), 0),
  )
  const { draft, fulfils, told: aside } = submissions[0] ?? {}
  const filing: Unfiled = {
    ...(draft ? { instead: draft } : {}),
    ...(fulfils ? { fulfils } : {}),
    ...(aside ? { told: aside } : {}),
    filed: messages.map((message, at) => ({
      message,
      event: takenEvent(message, submissions[at]?.more),
      toListed: submissions[at]?.toListed ?? false,
    })),
    now: ctx.now(),
    sends: sendsOf(messages),
    ...(keySends ? { keySends } : {}),
  }
  const changed = await leavingOut(ctx, filing, async (marked, leftOut) => {
    const told = leftOut.size > 0 ? tell(answer, leftOut) : answer
    const kept = await keeping(ctx, ctx.account.number, once, 200, told)
    const filed = await fileOnce(ctx, kept ? { ...marked, keeping: kept } : marked)
    return filed && { ...filed, told }
  })
  if (changed) {
    wakeFor(ctx, messages, changed)
    if (draft) ctx.later(deleteRaw(ctx.stores, [draft.rawKey]))
    if (ctx.notes && changed.left) ctx.notes.sends = changed.left
    return changed.told
  }
  await deleteRaw(
    ctx.stores,
    messages.map((message) => message.rawKey),
  )
  const winner = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (winner) return asAnswer<Answer>(winner)
  if (draft && (await isGone(ctx, draft, messages))) return answer
  const why = await refusal(ctx, messages, filing)
  // Its task is another's by now, or the sender was answered meanwhile: whoever looks next sees, and need not wait for a new day.
  if (fulfils && why.code === 'daily_quota_exceeded' && !(await overQuota(ctx, filing))) throw nothingStored()
  throw why
}

/** Whether somebody else has sent the draft, which is what was wanted. @throws Problem conflict where it was changed or deleted. */
async function isGone(ctx: Caller, draft: HeldMessage, [message]: readonly NewMessage[]): Promise<boolean> {
  if (message && (await findFiled(ctx.stores, ctx.account, message))) return true
  const [now] = await findHeld(ctx.stores, ctx.account, [draft.id])
  if (now?.modseq === draft.modseq) return false
  throw new Problem('conflict', 'The draft was changed meanwhile; it was not sent.', {
    fix: 'Look at it, and send it again.',
  })
}

/** The answer to one mail, with those who were left out of it. */
export type Taken = { id: string; suppressed?: { address: string; reason: Reason }[] }

export function tellOne(answer: Taken, leftOut: LeftOut): Taken {
  const suppressed = leftOut.get(answer.id)
  return suppressed ? { ...answer, suppressed } : answer
}

/** What `take` kept for the same request before. */
export function asAnswer<Answer>(kept: unknown): Answer {
  return kept as Answer
}

/** Stores the bytes under a key of their own; answers the row that will name it. */
async function put(ctx: Caller, submission: Submission): Promise<NewMessage> {
  const { id, scheduledAt } = submission
  const now = ctx.now()
  const waits = scheduledAt !== undefined
  const { bytes, onward } = submission
  // The signature stays a piece of its own: a large message must not be in memory twice.
  const pieces = waits ? [bytes] : [...(await fieldsBefore(ctx, submission)), bytes]
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  // What was taken once is not refused for the fields that it is given on its way.
  if (!onward && size + (waits ? SEAL_ROOM : 0) > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  const listed = submission.list === undefined ? {} : { list: submission.list }
  const described = await describeMime(pieces, { account: ctx.account.number, id })
  const message: NewMessage = {
    ...described,
    id,
    direction: SENT,
    createdAt: now,
    mailbox: SENT_BOX,
    keywords: onward ? ['$seen', '$forwarded'] : ['$seen'],
    dedupe: id,
    sender: submission.reversePath,
    recipient: null,
    address: onward?.address ?? null,
    tag: null,
    parties: { ...described.parties, bcc: submission.bcc },
    rawKey: rawKey(ctx.account.number, id, Math.floor(now / 86_400_000), newToken(ctx)),
    verdicts: null,
    tags: submission.tags,
    recipients: submission.recipients.map(({ address }): Recipient => {
      return { address, ...listed, state: 'queued', attempts: 0, due: scheduledAt ?? now, updatedAt: now }
    }),
    lastEvent: waits ? 'scheduled' : 'queued',
    ...(waits ? { scheduledAt } : {}),
    due: scheduledAt ?? now,
  }
  await putPieces(ctx.stores, message.rawKey, pieces)
  return message
}

/** What goes before the bytes: the signature, and before it the trace of mail that is sent on. */
async function fieldsBefore(ctx: Caller, { bytes, sender, onward }: Submission): Promise<Uint8Array[]> {
  const signature = dkimField(bytes, sender.dkim, ctx.now())
  if (!onward) return [await signature]
  // A stranger's header may be one that nobody can sign; it goes on all the same.
  const signed = await signature.catch((error) => {
    if (error instanceof RangeError) return new Uint8Array()
    throw error
  })
  return [onward.trace, signed]
}

/** Undefined where they may not be stored; else they are, whether or not their batch's acknowledgement came. */
function fileOnce(ctx: Caller, filing: Omit<FilingTogether, 'token'>): Promise<Filed | undefined> {
  const { account, stores } = ctx
  const [first] = filing.filed
  const readBack = async () => (first && (await findFiled(stores, account, first.message)) ? THERE : undefined)
  return settle<Filed | undefined>(async (tries) => {
    const changed = await fileTogether(stores, account, { ...filing, token: newToken(ctx) })
    // A try that was given up for lost may yet have been made: then the bytes must stay.
    return changed ?? (tries > 0 ? readBack() : undefined)
  }, readBack)
}

type Filed = { listeners: number; left?: SendsLeft }

/** Whether anyone listens is not known then. */
const THERE = { listeners: 1 }

/** What waits is counted on the day on which it is released. */
function sendsOf(messages: readonly NewMessage[]): number {
  return messages
    .filter(({ scheduledAt }) => scheduledAt === undefined)
    .reduce((sum, { recipients }) => sum + (recipients?.length ?? 0), 0)
}

/** Towards a key's quota all is counted when it is taken, what waits too: so whoever passes it is told, and not the clock. */
export function keySendsFor({ access: { key, limits } }: Caller, sends: number): KeySends | undefined {
  if (limits?.sends_per_day === undefined) return undefined
  return { key: limits.counted_with ?? key, sends, perDay: limits.sends_per_day }
}

function wakeFor(ctx: Caller, messages: readonly NewMessage[], { listeners }: { listeners: number }): void {
  const due = messages.filter(({ scheduledAt }) => scheduledAt === undefined).map(({ id }) => id)
  if (due.length > 0) ctx.wake.relay(ctx.account, due)
  // Of what is relayed at once, the relay will have more to tell.
  if (due.length < messages.length && listeners > 0) ctx.wake.webhooks(ctx.account)
}

function takenEvent(message: NewMessage, more?: Record<string, unknown>): NewEvent {
  if (message.scheduledAt === undefined) return sentMailEvent('email.queued', message, more)
  return sentMailEvent('email.scheduled', message, { scheduled_at: isoTime(message.scheduledAt) })
}
