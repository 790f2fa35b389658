/** A message as a webhook tells it in full: bodies, header, and links to its attachments, made anew for each attempt. */
import type * as z from 'zod'
import type { Context } from '../context.ts'
import type { AttachmentData } from '../contract/messages.ts'
import { attachmentLines } from '../record/message-view.ts'
import { findMessage } from '../store/mail/reading.ts'
import type { AccountRef } from '../store/stores.ts'
import { withLink } from './attachments.ts'
import { readBodies } from './bodies.ts'

export type FullMessage = {
  text: string | null
  html: string | null
  headers: Record<string, string>
  attachments: z.input<typeof AttachmentData>[]
  /** True where text and HTML were cut, or not every attachment is told. */
  truncated: boolean
}

/** UTF-8 octets of text and HTML together: receivers refuse larger calls. */
const MAX_BODIES = 1024 * 1024

/** A mail of a thousand parts tells of the first of them. */
const MAX_ATTACHMENTS = 100

/** Reads it whole; undefined where it is gone. */
export async function readFull(ctx: Context, account: AccountRef, messageId: string): Promise<FullMessage | undefined> {
  const message = await findMessage(ctx.stores, account, messageId)
  if (!message) return undefined
  const bodies = await readBodies(ctx, message, 'cid')
  const text = cut(bodies.text, MAX_BODIES)
  const html = cut(bodies.html, MAX_BODIES - text.octets)
  const lines = attachmentLines(messageId, bodies.root)
  const told = lines.slice(0, MAX_ATTACHMENTS)
  return {
    text: text.kept,
    html: html.kept,
    headers: bodies.headers,
    attachments: await Promise.all(told.map((line) => withLink(ctx, account, messageId, line))),
    truncated: text.cut || html.cut || told.length < lines.length,
  }
}

/** Cut between characters, so that no half of one is left. */
function cut(text: string | null, octets: number): { kept: string | null; octets: number; cut: boolean } {
  if (text === null) return { kept: null, octets: 0, cut: false }
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(octets))
  return { kept: text.slice(0, read), octets: written, cut: read < text.length }
}
