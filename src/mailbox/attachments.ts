/** Attachments and raw messages: what there is, and its bytes as a stream that never holds the whole in memory. */
import type * as z from 'zod'
import { notFound } from '../base/problem.ts'
import type { Caller, Context } from '../context.ts'
import type { AttachmentData } from '../contract/messages.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import { decodeStream } from '../mail/mime/decode.ts'
import { findPart, isAttachment, type Part } from '../mail/mime/parts.ts'
import { findAttachment } from '../record/attachment-id.ts'
import { attachmentLines } from '../record/message-view.ts'
import { cutPage, listOf, readPage } from '../record/page.ts'
import { findMessage } from '../store/mail/reading.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { RECEIVED, SENT } from '../store/mail/shapes.ts'
import type { AccountRef } from '../store/stores.ts'
import { type LinkTarget, makeLink, noSuchLink, readLink } from './links.ts'
import { streamRaw, treeOf } from './raw.ts'

/** Bytes to be handed out. Type and name are as the mail has them: the face makes them safe. */
export type Download = { stream: ReadableStream<Uint8Array>; size: number; type: string; filename: string }

/** Which message: its id, and its direction where only one will do. */
export type Which = { id: string; direction?: 'received' | 'sent' }

type Line = ReturnType<typeof attachmentLines>[number]
type View = z.input<typeof AttachmentData>

/** A page of a message's attachments in the order of the message. @throws Problem not_found, invalid_parameter. */
export async function listAttachments(
  ctx: Caller,
  which: Which,
  query: { limit: number; after?: string; before?: string },
) {
  const page = readPage(query)
  const message = await find(ctx, which)
  const { rows, more } = cutPage(attachmentLines(message.id, await treeOf(ctx, message)), page)
  return listOf(await Promise.all(rows.map((line) => withLink(ctx, ctx.account, message.id, line))), more)
}

/** One attachment by its id or its part's path. @throws Problem not_found. */
export async function getAttachment(ctx: Caller, which: Which, name: string): Promise<View> {
  const message = await find(ctx, which)
  const root = await treeOf(ctx, message)
  const part = findAttachment(message.id, root, name)
  const line = attachmentLines(message.id, root).find((candidate) => candidate.part === part?.path)
  if (!line) throw notFound('Attachment')
  return withLink(ctx, ctx.account, message.id, line)
}

/** An attachment with a link to its bytes. */
export async function withLink(ctx: Context, account: AccountRef, message: string, line: Line): Promise<View> {
  const inline = line.content_disposition === 'inline' || (line.content_disposition === null && line.related)
  return {
    object: 'attachment',
    id: line.id,
    part: line.part,
    ...(line.filename === null ? {} : { filename: line.filename }),
    size: line.size,
    content_type: line.content_type,
    content_disposition: inline ? 'inline' : 'attachment',
    ...(line.content_id === null ? {} : { content_id: line.content_id }),
    ...(await makeLink(ctx, 'attachments', { account, message, part: line.part })),
  }
}

/** The message byte for byte. @throws Problem not_found. */
export async function downloadRaw(ctx: Caller, id: string): Promise<Download> {
  return rawDownload(ctx, await find(ctx, { id }))
}

/** What a link to a raw message gives. @throws Problem not_found. */
export async function followRawLink(ctx: Context, token: string): Promise<Download> {
  return rawDownload(ctx, await findLinked(ctx, await readLink(ctx, 'raw', token)))
}

/** What a link to an attachment gives: its octets of the raw message, decoded as they stream by. @throws Problem not_found. */
export async function followAttachmentLink(ctx: Context, token: string): Promise<Download> {
  const target = await readLink(ctx, 'attachments', token)
  const message = await findLinked(ctx, target)
  const part = findPart(await treeOf(ctx, message), target.part)
  if (!part || !isAttachment(part)) throw noSuchLink()
  const encoded = await streamRaw(ctx, message, { start: part.body, end: part.body + part.length })
  return {
    stream: decodeStream(encoded, encodingOf(part)),
    size: part.size,
    type: part.type,
    filename: part.filename ?? 'attachment',
  }
}

/** What a link names: where it was when the link was made, or where its account has moved since. @throws Problem not_found; service_unavailable while it moves. */
async function findLinked(ctx: Context, { account, message }: LinkTarget): Promise<StoredMessage> {
  const there = await findMessage(ctx.stores, account, message)
  if (there) return there
  const home = await findAccountByNumber(ctx, account.number)
  const moved = home && home.mailDb !== account.mailDb ? await findMessage(ctx.stores, home, message) : undefined
  if (!moved) throw noSuchLink()
  return moved
}

async function rawDownload(ctx: Context, message: StoredMessage): Promise<Download> {
  const stream = await streamRaw(ctx, message)
  return { stream, size: message.size, type: 'message/rfc822', filename: `${message.id}.eml` }
}

async function find(ctx: Caller, { id, direction }: Which): Promise<StoredMessage> {
  const number = direction && (direction === 'sent' ? SENT : RECEIVED)
  const message = await findMessage(ctx.stores, ctx.account, id, number)
  if (!message) throw notFound(direction === undefined ? 'Message' : 'Email')
  return message
}

/** RFC 2045 section 6.4: a multipart has no encoding of its own, whatever it says. */
function encodingOf(part: Part): string {
  return part.parts ? '7bit' : part.encoding
}
