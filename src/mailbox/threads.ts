/** Conversations: the newest first, one with its messages, and all of its messages changed at once. */
import type * as z from 'zod'
import { notFound } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { BulkAnswer } from '../contract/mailbox/bulk.ts'
import type { ListThreads, Thread } from '../contract/mailbox/threads.ts'
import type { ChangeMessageBody } from '../contract/messages.ts'
import { summaryView } from '../record/message-view.ts'
import { findMailbox } from '../store/mail/boxes.ts'
import { listMessages } from '../store/mail/reading.ts'
import { listThreads as listLines, type ThreadLine } from '../store/mailbox/threads.ts'
import { changeMany } from './bulk.ts'

/** The newest of a conversation; longer ones are paged through as a list. */
const MAX_THREAD = 100

/** Messages that a page looks through: a page of long conversations ends there, and tells where to go on. */
const WINDOW = 400

const MAX_PARTICIPANTS = 20

/** A page of threads, the one with the newest message first. @throws Problem not_found (mailbox). */
export async function listThreads(
  ctx: Caller,
  { limit, after, mailbox }: z.output<(typeof ListThreads)['query']>,
): Promise<z.input<(typeof ListThreads)['answer']>> {
  const box = mailbox === undefined ? undefined : await findMailbox(ctx.stores, ctx.account, mailbox)
  if (mailbox !== undefined && !box) throw notFound('Mailbox')
  const threads: ThreadLine[] = []
  let next = after
  // A page of short conversations is found at once; what is looked at beyond it would be looked at for nothing.
  const window = Math.min(WINDOW, 2 * limit)
  for (let seen = 0; seen < WINDOW && threads.length < limit; seen += window) {
    const page = { mailbox: box?.number, after: next, window, limit: limit - threads.length }
    const found = await listLines(ctx.stores, ctx.account, page)
    threads.push(...found.threads)
    next = found.next
    if (next === undefined) break
  }
  const data = threads.map(({ latest, members, more }) => ({
    object: 'thread' as const,
    id: latest.thread,
    messages: members.length,
    more,
    unread: members.filter(({ seen }) => !seen).length,
    has_attachment: members.some(({ hasAttachment }) => hasAttachment),
    participants: participantsOf(members),
    latest: summaryView(latest),
  }))
  return { object: 'list', has_more: next !== undefined, next_after: next ?? null, data }
}

/** A conversation, oldest message first. @throws Problem not_found. */
export async function getThread(ctx: Caller, id: string): Promise<z.input<typeof Thread>> {
  const { rows, more } = await listMessages(ctx.stores, ctx.account, { thread: id }, { limit: MAX_THREAD })
  if (rows.length === 0) throw notFound('Thread')
  const messages = rows.reverse()
  return {
    object: 'thread',
    id,
    has_more: more,
    unread: messages.filter(({ keywords }) => !keywords.includes('$seen')).length,
    participants: participantsOf(messages.map(({ parties }) => ({ from: parties.from[0] ?? '' }))),
    messages: messages.map(summaryView),
  }
}

type Outcomes = z.input<typeof BulkAnswer>

/** Sets keywords of all its messages, moves them, or both. @throws Problem not_found, validation_error, service_unavailable. */
export async function changeThread(
  ctx: Caller,
  id: string,
  body: ChangeMessageBody,
  after?: string,
): Promise<Outcomes> {
  return onAll(ctx, id, after, { keywords: body.keywords ?? {}, mailbox: body.mailbox })
}

/** Moves all its messages to Trash, or deletes them for good. @throws Problem not_found, service_unavailable. */
export async function deleteThread(ctx: Caller, id: string, permanent: boolean, after?: string): Promise<Outcomes> {
  return onAll(ctx, id, after, { delete: true, permanent })
}

async function onAll(
  ctx: Caller,
  thread: string,
  after: string | undefined,
  what: Omit<Parameters<typeof changeMany>[1], 'ids' | 'filter'>,
): Promise<Outcomes> {
  const answer = await changeMany(ctx, { filter: { thread, after }, ...what })
  if (answer.data.length === 0 && after === undefined) throw notFound('Thread')
  return answer
}

/** Who wrote in it, each once, in the order in which they came in. */
function participantsOf(members: readonly { from: string }[]): string[] {
  return [...new Set(members.map(({ from }) => from).filter(Boolean))].slice(0, MAX_PARTICIPANTS)
}
