/**
 * Answers mail by itself, as RFC 3834 would have it: to the reverse path, under the null path, marked as automatic, in
 * the thread, and to nobody twice within the interval. Which mail is answered at all was decided when it came.
 */
import { Problem } from '../../base/problem.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import { findSender } from '../../directory/senders.ts'
import { type Address, addressKey, parseAddress, parseMailbox } from '../../mail/address.ts'
import { compose } from '../../mail/compose.ts'
import type { ReadMessage } from '../../mail/mime/read.ts'
import { isoTime } from '../../record/email-event.ts'
import { storedKey } from '../../record/suppression.ts'
import { findAddress } from '../../store/directory/addresses.ts'
import type { NewEvent } from '../../store/mail/change.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import type { Task } from '../../store/mail/tasks.ts'
import { type Answering, type AnswerState, wasAnswered } from '../../store/sending/owed.ts'
import { oneLine, threadFields } from '../answer/header.ts'
import { readOriginal } from '../answer/original.ts'
import { take } from '../take.ts'
import { endTask } from './end.ts'

const DAY_MS = 86_400_000

/** Room for the mark within the longest word that a header line can hold. */
const MAX_SUBJECT = 800

/** Answers and ends the task, in one batch; ends it alone where nobody is to be answered. @throws Problem where it is to be tried again. */
export async function answerBySelf(ctx: Caller, task: Task, state: AnswerState): Promise<void> {
  const message = await findMessage(ctx.stores, ctx.account, task.ref, RECEIVED)
  const to = message && parseAddress(message.sender)
  const here = parseAddress(state.address)
  if (!message || !to || !here || isForged(message)) return endTask(ctx, task)
  const answer = answeringOf(ctx, message, state)
  if (await wasAnswered(ctx.stores, ctx.account, answer)) return endTask(ctx, task)
  const sender = await findSender(ctx, here)
  const read = await readHeader(ctx, message)
  if (!read) return endTask(ctx, task)
  const id = newId(ctx)
  const subject = state.subject ?? `Auto: ${oneLine(message.subject, MAX_SUBJECT)}`.trimEnd()
  const bytes = await compose({
    from: { ...(await nameOf(ctx, here)), address: here },
    to: [{ address: to }],
    cc: [],
    replyTo: [],
    subject,
    text: state.text,
    ...(state.html === undefined ? {} : { html: state.html }),
    headers: [
      // Section 5; the other is what Exchange heeds, whose answers do not all look at the first.
      ['Auto-Submitted', 'auto-replied'],
      ['X-Auto-Response-Suppress', 'All'],
      ...threadFields(read),
    ],
    attachments: [],
    date: ctx.now(),
    messageId: `<${id}@${here.domain}>`,
    boundary: newToken(ctx),
  })
  const submission = { id, bytes, sender, reversePath: '', recipients: [to], bcc: [], tags: [] }
  const more = { answer_of: message.id }
  await take(ctx, [{ ...submission, fulfils: { task, answer }, more }], { id }, undefined)
}

/** Tells that a mail was not answered, after days of trying. */
export function notAnswered({ id, createdAt, sender, subject }: StoredMessage): NewEvent {
  const message = 'Not answered: the answer could not be sent for days.'
  const data = { email_id: id, created_at: isoTime(createdAt), subject, recipients: [sender], message }
  return { type: 'email.reply_failed', message: id, data }
}

/** Whoever forged the sender must not have us write to him. */
function isForged({ verdicts }: StoredMessage): boolean {
  return verdicts?.spf === 'fail' || verdicts?.dmarc === 'fail'
}

/** The author counts as well as the reverse path: many senders have a new one of these for every mail. */
function answeringOf(ctx: Caller, { sender, parties }: StoredMessage, state: AnswerState): Answering {
  const author = parseMailbox(parties.from[0] ?? '')?.address
  const senders = new Set([storedKey(sender), ...(author ? [addressKey(author)] : [])])
  return { address: state.address, senders: [...senders], since: ctx.now() - state.interval_days * DAY_MS }
}

/** As a wildcard answers it has no name. */
async function nameOf(ctx: Caller, address: Address): Promise<{ name?: string }> {
  const row = await findAddress(ctx.stores, ctx.account.number, { address: addressKey(address) })
  return row?.name ? { name: row.name } : {}
}

/** Undefined where it was deleted for good meanwhile. */
async function readHeader(ctx: Caller, { id }: StoredMessage): Promise<ReadMessage | undefined> {
  try {
    return (await readOriginal(ctx, id)).read
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return undefined
    throw error
  }
}
