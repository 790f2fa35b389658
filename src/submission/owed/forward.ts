/**
 * Sends mail that came on to others: as it is, with the fields of its way before it, in the name of the address that it
 * came to. Its From and its own signature stay; its reverse path becomes a return path of ours, so that SPF holds for us
 * and what comes back is told of the copy here, and reaches no stranger. What came with the null path goes on with it.
 */
import { type Caller, newId } from '../../context.ts'
import { findSender } from '../../directory/senders.ts'
import { type Address, addressKey, parseAddress } from '../../mail/address.ts'
import { forwardedFields } from '../../mail/forwarded.ts'
import { normaliseLineBreaks } from '../../mail/linebreaks.ts'
import { isoTime } from '../../record/email-event.ts'
import { findForwardable } from '../../store/directory/forward-targets.ts'
import type { NewEvent } from '../../store/mail/change.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import type { Task } from '../../store/mail/tasks.ts'
import { getRaw } from '../../store/objects.ts'
import type { ForwardState } from '../../store/sending/owed.ts'
import { take } from '../take.ts'
import { endTask } from './end.ts'

/** Why a copy was not sent, as its event says it. */
export type NotForwarded = 'not_verified' | 'given_up'

/** Sends the copy and ends the task, in one batch; ends it alone where there is nothing to send. @throws Problem where it is to be tried again. */
export async function sendOn(ctx: Caller, task: Task, { to }: ForwardState): Promise<void> {
  const message = await findMessage(ctx.stores, ctx.account, task.ref, RECEIVED)
  if (!message) return endTask(ctx, task)
  const { agreed, others } = await sortOut(ctx, to)
  const told = others.length > 0 ? [notForwarded(message, others, 'not_verified')] : []
  const here = forwardingAddress(message)
  if (agreed.length === 0 || !here) return endTask(ctx, task, told)
  const sender = await findSender(ctx, here)
  const bytes = await readBytes(ctx, message)
  // It was deleted for good meanwhile.
  if (!bytes) return endTask(ctx, task)
  const id = newId(ctx)
  const trace = forwardedFields({ address: addressKey(here), host: ctx.config.MAIL_HOST, id, now: ctx.now() })
  const submission = {
    id,
    bytes,
    sender,
    reversePath: message.sender === '' ? '' : here.address,
    recipients: agreed,
    bcc: [],
    tags: [],
    onward: { address: addressKey(here), trace },
    fulfils: { task },
    told,
    more: { forward_of: message.id },
  }
  await take(ctx, [submission], { id }, undefined)
}

/** Tells that a copy was not sent to these. */
export function notForwarded(
  message: Pick<StoredMessage, 'id' | 'createdAt' | 'subject' | 'recipient'>,
  to: readonly string[],
  reason: NotForwarded,
): NewEvent {
  const data = {
    email_id: message.id,
    created_at: isoTime(message.createdAt),
    received_for: message.recipient === null ? [] : [message.recipient],
    subject: message.subject,
    recipients: to,
    reason,
    message: MESSAGES[reason],
  }
  return { type: 'email.forward_failed', message: message.id, data }
}

const MESSAGES: Record<NotForwarded, string> = {
  not_verified: 'Not forwarded: nobody there has agreed to it. Ask by POST /forward-targets.',
  given_up: 'Not forwarded: it could not be sent for days.',
}

/** Where mail may go now, and where it may not. */
async function sortOut(ctx: Caller, to: readonly string[]): Promise<{ agreed: Address[]; others: string[] }> {
  const read = to.flatMap((text) => parseAddress(text) ?? [])
  const allowed = await findForwardable(ctx.stores, ctx.account.number, read)
  return {
    agreed: read.filter(({ address }) => allowed.has(address)),
    others: read.filter(({ address }) => !allowed.has(address)).map(({ address }) => address),
  }
}

/** The address of ours in whose name it goes on: a wildcard's is the one that was written to, or of the domain whose parts it is for. */
function forwardingAddress({ address, recipient }: StoredMessage): Address | undefined {
  const written = parseAddress(recipient ?? '')
  if (address?.startsWith('*@*.')) return written && parseAddress(`${written.local}@${address.slice('*@*.'.length)}`)
  if (address === null || address.startsWith('*@')) return written
  return parseAddress(address)
}

/** The bytes, once in memory: they are signed and stored as they lie. */
async function readBytes(ctx: Caller, { rawKey }: StoredMessage): Promise<Uint8Array | undefined> {
  const object = await getRaw(ctx.stores, rawKey)
  return object && normaliseLineBreaks(new Uint8Array(await object.arrayBuffer()))
}
