/** Messages are copied: the bytes first, each under a key of its own, then all rows in one batch. */
import type * as z from 'zod'
import { notFound, Problem } from '../base/problem.ts'
import { type Caller, newId, newToken } from '../context.ts'
import type { BulkAnswer } from '../contract/mailbox/bulk.ts'
import { MessageSummary } from '../contract/messages.ts'
import { summaryView } from '../record/message-view.ts'
import { keeping, recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { findMailbox, type Mailbox } from '../store/mail/boxes.ts'
import { wouldFit } from '../store/mail/filing.ts'
import { findHeld, findMessage } from '../store/mail/reading.ts'
import type { HeldMessage } from '../store/mail/rows.ts'
import { type Copy, fileCopies } from '../store/mailbox/copying.ts'
import { deleteRaw, getRaw, putRaw, rawKey } from '../store/objects.ts'
import { nothingStored, settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'

type Summary = z.input<typeof MessageSummary>
type Outcome = z.input<typeof BulkAnswer>['data'][number]

/** Copies one message. @throws Problem not_found, validation_error (mailbox), payload_too_large, service_unavailable. */
export async function copyMessage(ctx: Caller, id: string, body: { mailbox: string }, once?: Once): Promise<Summary> {
  const before = await recalled(ctx, once)
  if (before) return before
  const message = await findMessage(ctx.stores, ctx.account, id)
  if (!message) throw notFound('Message')
  const box = await findMailbox(ctx.stores, ctx.account, body.mailbox)
  if (!box) throw noMailbox('mailbox')
  const copyId = newId(ctx)
  const line = {
    ...message,
    id: copyId,
    mailbox: { number: box.number, id: box.id },
    lastEvent: null,
    scheduledAt: null,
  }
  const answer = summaryView({ ...line, uid: 0, modseq: 0 })
  const kept = await keeping(ctx, ctx.account.number, once, 201, answer)
  try {
    await makeCopies(ctx, [{ of: message, id: copyId }], box, (copies, stamp) =>
      fileCopies(ctx.stores, ctx.account, copies, box, stamp, kept),
    )
  } catch (error) {
    // A request beside this one may have won.
    const won = await recalled(ctx, once)
    if (won) return won
    throw error
  }
  const copy = await findMessage(ctx.stores, ctx.account, copyId)
  return copy ? summaryView(copy) : answer
}

/** The copy that the same request made before, as it is now: what was kept of it could not know its uid. */
async function recalled(ctx: Caller, once: Once | undefined): Promise<Summary | undefined> {
  const kept = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (kept === undefined) return undefined
  const answer = MessageSummary.parse(kept)
  const copy = await findMessage(ctx.stores, ctx.account, answer.id)
  return copy ? summaryView(copy) : answer
}

/** Copies those of the messages that there are, all or none of them. @throws Problem payload_too_large, service_unavailable. */
export async function copyMany(ctx: Caller, ids: readonly string[], box: Mailbox): Promise<Outcome[]> {
  const messages = await findHeld(ctx.stores, ctx.account, ids)
  const wanted = messages.map((of) => ({ of, id: newId(ctx) }))
  const copies = new Map(wanted.map(({ of, id }) => [of.id, id]))
  if (wanted.length > 0) {
    await makeCopies(ctx, wanted, box, (filed, stamp) => fileCopies(ctx.stores, ctx.account, filed, box, stamp))
  }
  return ids.map((id) => {
    const copy = copies.get(id)
    return copy === undefined ? { id, status: 'not_found' } : { id, status: 'done', copy }
  })
}

type Wanted = { of: HeldMessage; id: string }
type File = (
  copies: readonly Copy[],
  stamp: { now: number; token: string },
) => Promise<{ listeners: number } | undefined>

async function makeCopies(ctx: Caller, wanted: readonly Wanted[], box: Mailbox, file: File): Promise<void> {
  const bytes = wanted.reduce((sum, { of }) => sum + of.size, 0)
  if ((await wouldFit(ctx.stores, ctx.account, { bytes, sends: 0, now: ctx.now() })) === 'full') throw full()
  const copies: Copy[] = []
  const filed = await copyBytes(ctx, wanted, copies).then(() =>
    settle<{ listeners: number } | 'refused'>(
      async () => (await file(copies, { now: ctx.now(), token: newToken(ctx) })) ?? 'refused',
      async () => {
        const there = await findHeld(
          ctx.stores,
          ctx.account,
          copies.map(({ id }) => id),
        )
        return there.length === copies.length ? { listeners: 1 } : undefined
      },
    ),
  )
  if (filed !== 'refused') {
    if (filed.listeners > 0) ctx.wake.webhooks(ctx.account)
    return
  }
  // Refused after a lost acknowledgement, because it was made: then the bytes must stay.
  const there = await findHeld(
    ctx.stores,
    ctx.account,
    copies.map(({ id }) => id),
  )
  if (there.length === copies.length) return
  ctx.later(
    deleteRaw(
      ctx.stores,
      copies.map((copy) => copy.rawKey),
    ),
  )
  const why = await wouldFit(ctx.stores, ctx.account, { bytes, sends: 0, now: ctx.now() })
  if (why === 'full') throw full()
  if (!(await findMailbox(ctx.stores, ctx.account, box.id))) throw noMailbox('mailbox')
  throw nothingStored()
}

/** One after the other: so memory and connections do not grow with their number. */
async function copyBytes(ctx: Caller, wanted: readonly Wanted[], copies: Copy[]): Promise<void> {
  const day = Math.floor(ctx.now() / 86_400_000)
  for (const { of, id } of wanted) {
    const object = await getRaw(ctx.stores, of.rawKey)
    if (!object) {
      ctx.log('warn', 'raw message missing', { message: of.id })
      throw notFound('Message')
    }
    const key = rawKey(ctx.account.number, id, day, newToken(ctx))
    await putRaw(ctx.stores, key, object.body, object.size)
    copies.push({ of, id, rawKey: key })
  }
}

function full(): Problem {
  return new Problem('payload_too_large', 'The account’s storage is full.', { fix: 'Delete mail, or raise its quota.' })
}

function noMailbox(path: string): Problem {
  const reason = 'there is no such mailbox'
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
