/** Messages at rest are changed: keywords, mailbox, deletion. Each change holds only while the message is as it was read. */
import type * as z from 'zod'
import { notFound, Problem } from '../base/problem.ts'
import { type Caller, newToken } from '../context.ts'
import type { ChangeMessageBody, MessageSummary } from '../contract/messages.ts'
import { summaryView } from '../record/message-view.ts'
import { findMailbox } from '../store/mail/boxes.ts'
import { alterMessage, removeMessage, type Target } from '../store/mail/keeping.ts'
import { findMessage } from '../store/mail/reading.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { deleteRaw } from '../store/objects.ts'
import { settle } from '../store/settle.ts'

/** Each is a name in the row that every list reads. */
const MAX_KEYWORDS = 64

/** How often a change is tried anew because another one came first. */
const RACES = 5

/** Sets keywords, moves, or both in one step of the history. @throws Problem not_found, validation_error, service_unavailable. */
export async function changeMessage(
  ctx: Caller,
  id: string,
  body: ChangeMessageBody,
): Promise<z.input<typeof MessageSummary>> {
  return summaryView(await alter(ctx, id, (message) => targetOf(ctx, message, body)))
}

/** Moves to Trash, or deletes row and bytes for good. @throws Problem not_found, validation_error, service_unavailable. */
export async function deleteMessage(ctx: Caller, id: string, permanent: boolean) {
  if (permanent) await remove(ctx, id)
  else await alter(ctx, id, (message) => targetOf(ctx, message, { mailbox: 'trash' }))
  return { object: 'message' as const, id, deleted: true as const }
}

async function alter(
  ctx: Caller,
  id: string,
  plan: (message: StoredMessage) => Promise<Target>,
): Promise<StoredMessage> {
  const attempt = async () => {
    const message = await find(ctx, id)
    const target = await plan(message)
    if (isAlready(message, target)) return message
    const changed = await alterMessage(ctx.stores, ctx.account, message, target, stamp(ctx))
    if (!changed) return 'raced'
    if (changed.listeners > 0) ctx.wake.webhooks(ctx.account)
    const uid = message.mailbox.number === target.mailbox.number ? message.uid : changed.seq
    return { ...message, ...target, uid, modseq: changed.seq }
  }
  const readBack = async () => {
    const message = await find(ctx, id)
    return isAlready(message, await plan(message)) ? message : undefined
  }
  return racing(() => settle(attempt, readBack))
}

async function remove(ctx: Caller, id: string): Promise<void> {
  const attempt = async () => {
    const message = await find(ctx, id)
    if (message.due !== null) throw stillOwed()
    const removed = await removeMessage(ctx.stores, ctx.account, message, stamp(ctx))
    if (!removed) return 'raced'
    if (removed.listeners > 0) ctx.wake.webhooks(ctx.account)
    // The row is gone, so nothing leads to the bytes; if this fails, the sweep finds them.
    ctx.later(deleteRaw(ctx.stores, [message.rawKey]))
    return 'removed'
  }
  const readBack = async () => ((await findMessage(ctx.stores, ctx.account, id)) ? undefined : 'removed')
  await racing(() => settle<'raced' | 'removed'>(attempt, readBack))
}

/** Tries a change anew where another one came first. @throws Problem service_unavailable. */
export async function racing<T>(attempt: () => Promise<T | 'raced'>): Promise<T> {
  for (let races = 0; races < RACES; races++) {
    const done = await attempt()
    if (done !== 'raced') return done
  }
  throw new Problem('service_unavailable', 'The message is being changed by others; nothing was done.', {
    retryAfter: 1,
  })
}

async function targetOf(ctx: Caller, message: StoredMessage, body: ChangeMessageBody): Promise<Target> {
  const keywords = planned(message.keywords, body.keywords ?? {})
  if (keywords instanceof Problem) throw keywords
  return { keywords, mailbox: await mailboxOf(ctx, message, body.mailbox) }
}

/** The keywords with those set and taken away that are named, in lower case; a Problem where they would be too many. */
export function planned(before: readonly string[], change: Record<string, boolean>): string[] | Problem {
  const keywords = new Set(before)
  for (const [name, set] of Object.entries(change)) {
    if (set) keywords.add(name.toLowerCase())
    else keywords.delete(name.toLowerCase())
  }
  if (keywords.size > MAX_KEYWORDS) return refused('keywords', `a message has at most ${MAX_KEYWORDS} keywords`)
  return [...keywords]
}

async function mailboxOf(ctx: Caller, message: StoredMessage, name: string | undefined): Promise<Target['mailbox']> {
  if (name === undefined || name === message.mailbox.id) return message.mailbox
  const box = await findMailbox(ctx.stores, ctx.account, name)
  if (!box) throw refused('mailbox', 'there is no such mailbox')
  return { number: box.number, id: box.id }
}

/** Whether there is nothing to change. */
export function isAlready(message: Pick<StoredMessage, 'mailbox' | 'keywords'>, target: Target): boolean {
  const has = new Set(message.keywords)
  return (
    message.mailbox.number === target.mailbox.number &&
    has.size === target.keywords.length &&
    target.keywords.every((keyword) => has.has(keyword))
  )
}

async function find(ctx: Caller, id: string): Promise<StoredMessage> {
  const message = await findMessage(ctx.stores, ctx.account, id)
  if (!message) throw notFound('Message')
  return message
}

function stamp(ctx: Caller) {
  return { now: ctx.now(), token: newToken(ctx) }
}

function refused(path: string, reason: string): Problem {
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}

/** Mail that was taken for sending is not lost by tidying up. */
function stillOwed(): Problem {
  return new Problem('validation_error', 'The message is still being delivered and cannot be deleted for good.', {
    fix: 'Move it to Trash, or try again once every recipient is settled.',
  })
}
