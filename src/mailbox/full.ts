/** A message as a webhook tells it in full: bodies, header, and links to its attachments, made anew for each attempt. */
import type * as z from 'zod'
import { utf8 } from '../base/bytes.ts'
import type { Context } from '../context.ts'
import type { AttachmentData, Marks } from '../contract/messages.ts'
import type { Invitation, Verdicts } from '../contract/reading/content.ts'
import { attachmentLines } from '../record/message-view.ts'
import { findMessage } from '../store/mail/reading.ts'
import type { AccountRef } from '../store/stores.ts'
import { withLink } from './attachments.ts'
import { eventOf, openBodies } from './bodies.ts'

export type FullMessage = {
  text: string | null
  html: string | null
  /** What is new in it. */
  reply_text: string | null
  headers: Record<string, string>
  thread: string
  verdicts: z.input<typeof Verdicts>
  marks: z.input<typeof Marks> | null
  invitation: z.input<typeof Invitation> | null
  attachments: z.input<typeof AttachmentData>[]
  /** True where a text or the header was cut, or not every attachment is told. */
  truncated: boolean
}

/** UTF-8 octets of text and HTML together: receivers refuse larger calls. */
const MAX_BODIES = 1024 * 1024

/** What is new in a mail says it in less; `text` has all of it. */
const MAX_REPLY = 64 * 1024

/** UTF-8 octets of names and values; real headers have some thousands. */
const MAX_HEADERS = 128 * 1024

/** A mail of a thousand parts tells of the first of them. */
const MAX_ATTACHMENTS = 100

/** Reads it whole; undefined where it is gone. */
export async function readFull(ctx: Context, account: AccountRef, messageId: string): Promise<FullMessage | undefined> {
  const message = await findMessage(ctx.stores, account, messageId)
  if (!message) return undefined
  const bodies = await openBodies(ctx, message)
  const invitation = await bodies.invitation()
  const event = invitation ? eventOf(invitation) : null
  const reply = cut(bodies.replyText(), MAX_REPLY)
  const text = cut(bodies.text, MAX_BODIES)
  const html = cut(await bodies.html('cid'), MAX_BODIES - text.octets)
  const headers = cutHeaders(bodies.headers)
  const lines = attachmentLines(messageId, bodies.root)
  const told = lines.slice(0, MAX_ATTACHMENTS)
  return {
    text: text.kept,
    html: html.kept,
    reply_text: reply.kept,
    headers: headers.kept,
    thread: message.thread,
    verdicts: message.verdicts,
    marks: message.marks,
    invitation: event,
    attachments: await Promise.all(told.map((line) => withLink(ctx, account, messageId, line))),
    truncated: [text, html, reply, headers].some((each) => each.cut) || told.length < lines.length,
  }
}

/** The fields that fit, in their order. */
function cutHeaders(headers: Record<string, string>): { kept: Record<string, string>; cut: boolean } {
  let room = MAX_HEADERS
  const all = Object.entries(headers)
  const kept = all.filter(([name, value]) => {
    room -= utf8(name).length + utf8(value).length
    return room >= 0
  })
  return { kept: Object.fromEntries(kept), cut: kept.length < all.length }
}

/** Cut between characters, so that no half of one is left. */
function cut(text: string | null, octets: number): { kept: string | null; octets: number; cut: boolean } {
  if (text === null) return { kept: null, octets: 0, cut: false }
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(octets))
  return { kept: text.slice(0, read), octets: written, cut: read < text.length }
}
