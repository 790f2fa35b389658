/** Mail at rest is read: lists without bodies, one message with them. */
import type * as z from 'zod'
import { notFound, Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { Email } from '../contract/emails-read.ts'
import type { ListMessages, Message } from '../contract/messages.ts'
import type { ContentKind } from '../contract/reading/content.ts'
import type { ReceivedEmail } from '../contract/reading/receiving.ts'
import { addressKey, parseAddress } from '../mail/address.ts'
import { asWritten } from '../record/as-written.ts'
import { receivedView, recipientView, sentView, shownAttachments, summaryView } from '../record/message-view.ts'
import { listOf, type Page, readPage } from '../record/page.ts'
import {
  type Filter,
  findMessage,
  listMessages as listLines,
  listReceived as listReceivedLines,
  listSent as listSentLines,
  whyEmpty,
} from '../store/mail/reading.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { RECEIVED, SENT } from '../store/mail/shapes.ts'
import { type Bodies, eventOf, type HtmlFormat, openBodies } from './bodies.ts'
import { makeLink } from './links.ts'
import { treeOf } from './raw.ts'
import { type Narrowed, search } from './search/find.ts'

type PageQuery = { limit: number; after?: string; before?: string }
type MessageList = z.input<(typeof ListMessages)['answer']>
type Want = { body: readonly ContentKind[]; html_format: HtmlFormat; images?: 'blocked' | 'remote' }

/** Sent mail, newest first. @throws Problem invalid_parameter. */
export async function listSent(ctx: Caller, query: PageQuery) {
  const { rows, more } = await listSentLines(ctx.stores, ctx.account, readPage(query))
  return listOf(rows.map(sentView), more)
}

/** Received mail, newest first. @throws Problem invalid_parameter. */
export async function listReceived(ctx: Caller, query: PageQuery) {
  const { rows, more } = await listReceivedLines(ctx.stores, ctx.account, readPage(query))
  return listOf(rows.map(receivedView), more)
}

/** Messages of both directions, narrowed as the query says. @throws Problem invalid_parameter, not_found (mailbox). */
export async function listMessages(ctx: Caller, query: z.output<(typeof ListMessages)['query']>): Promise<MessageList> {
  const page = readPage(query)
  const filter = readFilter(query)
  if (query.q !== undefined) return searched(ctx, query.q, narrowing(query, filter), page)
  const { rows, more } = await listLines(ctx.stores, ctx.account, filter, page)
  if (rows.length === 0 && filter.mailbox !== undefined) {
    const why = await whyEmpty(ctx.stores, ctx.account, filter.mailbox, page.after ?? page.before)
    if (why === 'no mailbox') throw notFound('Mailbox')
    if (why === 'no cursor' && filter.thread === undefined) {
      throw invalid(page.after ? 'after' : 'before', 'that message is no longer in the mailbox: begin again')
    }
  }
  return listOf(rows.map(summaryView), more)
}

/** The same list of what a search found: with where the words stand, and where to go on. */
async function searched(ctx: Caller, q: string, narrowed: Narrowed, page: Page): Promise<MessageList> {
  const { found, more, next } = await search(ctx, q, narrowed, page)
  const data = found.map(({ line, marks }) => ({
    ...summaryView(line),
    snippet: { text: line.preview, matches: marks },
  }))
  return { ...listOf(data, more), ...(next === undefined ? {} : { next }) }
}

/** One sent mail with its bodies. @throws Problem not_found. */
export async function getSent(ctx: Caller, id: string): Promise<z.input<typeof Email>> {
  const message = await find(ctx, id, SENT)
  const bodies = await openBodies(ctx, message)
  return {
    object: 'email',
    ...sentView(message),
    html: asWritten(bodies.root, await bodies.html('cid')),
    text: asWritten(bodies.root, bodies.text),
    tags: message.tags,
    topic_id: null,
    recipients: message.recipients.map(recipientView),
    relay: message.relay,
  }
}

/** One received mail with its bodies. @throws Problem not_found. */
export async function getReceived(ctx: Caller, id: string, want: Want): Promise<z.input<typeof ReceivedEmail>> {
  const message = await find(ctx, id, RECEIVED)
  const bodies = await openBodies(ctx, message)
  const beside = want.body.filter((kind) => kind !== 'text' && kind !== 'html')
  const { problems: _, ...asked } = await content(bodies, { ...want, body: beside })
  return {
    object: 'email',
    ...receivedView({ ...message, parts: bodies.root }),
    ...asked,
    html: await bodies.html(want.html_format),
    text: bodies.text,
    headers: bodies.headers,
    thread: message.thread,
    marks: message.marks,
    verdicts: message.verdicts,
    raw: await makeLink(ctx, 'raw', { account: ctx.account, message: id, part: '' }),
  }
}

/** One message of either direction, with those bodies that are asked for. @throws Problem not_found. */
export async function getMessage(ctx: Caller, id: string, want: Want): Promise<z.input<typeof Message>> {
  const message = await find(ctx, id)
  const bodies = want.body.length > 0 ? await openBodies(ctx, message) : undefined
  const { problems, ...asked } = bodies ? await content(bodies, want) : { problems: [] }
  const root = bodies?.root ?? (await treeOf(ctx, message))
  return {
    ...summaryView(message),
    attachments: shownAttachments(id, root),
    recipients: message.recipients.map(recipientView),
    tags: message.tags,
    verdicts: message.verdicts,
    problems: [...message.problems, ...problems],
    raw: await makeLink(ctx, 'raw', { account: ctx.account, message: id, part: '' }),
    ...asked,
  }
}

/** What was asked of a message, and what was wrong with it. */
async function content(bodies: Bodies, { body, html_format, images = 'blocked' }: Want) {
  const wants = (kind: ContentKind) => body.includes(kind)
  const safe = wants('safe_html') ? await bodies.safeHtml(html_format, images) : undefined
  const invitation = wants('invitation') ? await bodies.invitation() : undefined
  return {
    ...(wants('text') ? { text: bodies.text } : {}),
    ...(wants('html') ? { html: await bodies.html(html_format) } : {}),
    ...(safe === undefined ? {} : { safe_html: safe?.html ?? null, blocked_images: safe?.blocked ?? 0 }),
    ...(wants('reply_text') ? { reply_text: bodies.replyText() } : {}),
    ...(wants('invitation') ? { invitation: invitation ? eventOf(invitation) : null } : {}),
    problems: [
      ...(safe?.problems ?? []),
      ...(invitation === null ? ['calendar_unread'] : (invitation?.problems ?? [])),
    ],
  }
}

function readFilter(query: z.output<(typeof ListMessages)['query']>): Filter {
  const { mailbox, thread, direction } = query
  const address = query.address === undefined ? undefined : normalAddress(query.address)
  return {
    ...(mailbox === undefined ? {} : { mailbox }),
    ...(thread === undefined ? {} : { thread }),
    ...(direction === undefined ? {} : { direction: direction === 'sent' ? SENT : RECEIVED }),
    ...(address === undefined ? {} : { address }),
  }
}

function narrowing({ direction }: { direction?: 'received' | 'sent' | undefined }, filter: Filter): Narrowed {
  const { mailbox, thread, address } = filter
  return {
    ...(mailbox === undefined ? {} : { mailbox }),
    ...(thread === undefined ? {} : { thread }),
    ...(address === undefined ? {} : { address }),
    ...(direction === undefined ? {} : { direction }),
  }
}

/** As addresses are registered: in lower case, or the wildcard of a domain. @throws Problem invalid_parameter. */
export function normalAddress(text: string): string {
  const wildcard = text.startsWith('*@')
  const parsed = parseAddress(wildcard ? `x${text.slice(1)}` : text)
  if (!parsed) throw invalid('address', 'is not an email address')
  return wildcard ? `*@${parsed.domain}` : addressKey(parsed)
}

async function find(ctx: Caller, id: string, direction?: number): Promise<StoredMessage> {
  const message = await findMessage(ctx.stores, ctx.account, id, direction)
  if (!message) throw notFound(direction === undefined ? 'Message' : 'Email')
  // A draft, or a copy of sent mail: that was never taken for sending.
  if (direction === SENT && message.lastEvent === null) throw notFound('Email')
  return message
}

function invalid(path: string, reason: string): Problem {
  return new Problem('invalid_parameter', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
