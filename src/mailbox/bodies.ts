/** What a message says: its text, its HTML with the pictures it carries, its header. */
import { toBase64 } from '../base/bytes.ts'
import type { Context } from '../context.ts'
import {
  calendarText,
  findCalendarPart,
  type Invitation,
  MAX_CALENDAR_OCTETS,
  readInvitation,
} from '../mail/invitation/invitation.ts'
import { decodeBytes } from '../mail/mime/decode.ts'
import { fieldMap } from '../mail/mime/header.ts'
import { allParts, type Part } from '../mail/mime/parts.ts'
import { readMessage } from '../mail/mime/read.ts'
import { replyText } from '../mail/reply-text/reply-text.ts'
import { isSafePicture, type SafeHtml, safeHtml } from '../mail/safe-html/safe-html.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { cidReferences, replaceReferences } from './cid-references.ts'
import { openMessage, type ReadRanges } from './raw.ts'

/** A message that was opened to be read: each thing it says is worked out when it is asked for. */
export type Bodies = {
  text: string | null
  /** As it was sent, with the pictures it carries or with references to them. */
  html(format: HtmlFormat): Promise<string | null>
  /** The HTML made safe to show. */
  safeHtml(format: HtmlFormat, images: 'blocked' | 'remote'): Promise<SafeHtml | null>
  replyText(): string | null
  /** Undefined where it holds no calendar, null where that could not be read. */
  invitation(): Promise<Invitation | null | undefined>
  /** By lower-case name; the values of a repeated field joined by commas. */
  headers: Record<string, string>
  /** Where each part stands. */
  root: Part
}

export type HtmlFormat = 'data_uri' | 'cid'

/** All data URIs of one HTML together: a reference may be repeated, so what is written counts, not what is read. */
const MAX_EMBEDDED = 5 * 1024 * 1024

/** Each may cost a read of its own where the message is large. */
const MAX_IMAGES = 100

/** Opens a message: one get, and for what a large one carries beside its text one more when that is asked for. @throws Problem not_found. */
export async function openBodies(ctx: Context, message: StoredMessage): Promise<Bodies> {
  const { readable, read } = await openMessage(ctx, message)
  const { root } = readable
  const { text, html, headers } = readMessage(readable)
  const shown = async (written: string, format: HtmlFormat, isPicture: (type: string) => boolean) =>
    format === 'data_uri' ? embed(written, root, read, isPicture) : written
  const joined = Object.entries(fieldMap(headers)).map(([name, values]) => [name, values.join(', ')] as const)
  return {
    text: text ?? null,
    html: async (format) => (html === undefined ? null : shown(html, format, isImage)),
    safeHtml: async (format, images) => {
      if (html === undefined) return null
      const safe = safeHtml(html, images)
      return { ...safe, html: await shown(safe.html, format, isSafePicture) }
    },
    replyText: () => replyText({ text, html }),
    invitation: () => readCalendar(root, read),
    headers: Object.fromEntries(joined),
    root,
  }
}

/** An invitation as it is told; what was wrong with it is told with the message. */
export function eventOf({ problems: _, ...event }: Invitation): Omit<Invitation, 'problems'> {
  return event
}

async function readCalendar(root: Part, read: ReadRanges): Promise<Invitation | null | undefined> {
  const part = findCalendarPart(allParts(root))
  if (!part) return undefined
  if (part.length > MAX_CALENDAR_OCTETS) return null
  const [encoded = new Uint8Array(0)] = await read([{ start: part.body, end: part.body + part.length }])
  return readInvitation(calendarText(part, decodeBytes(part.encoding, encoded)), part.method) ?? null
}

/** The HTML with the pictures it refers to in it, as far as they fit; the rest stay references. */
async function embed(
  html: string,
  root: Part,
  read: ReadRanges,
  isPicture: (type: string) => boolean,
): Promise<string> {
  const images = new Map<string, Part>()
  for (const part of allParts(root)) {
    const { contentId, type, parts } = part
    if (contentId !== undefined && !parts && isPicture(type) && !images.has(contentId)) images.set(contentId, part)
  }
  if (images.size === 0) return html
  const references = cidReferences(html)
  const chosen: (Part | undefined)[] = []
  const distinct = new Set<Part>()
  let room = MAX_EMBEDDED
  for (const { contentId } of references) {
    const part = images.get(contentId)
    const fits = part && uriLength(part) <= room && (distinct.has(part) || distinct.size < MAX_IMAGES)
    chosen.push(fits ? part : undefined)
    if (!fits) continue
    distinct.add(part)
    room -= uriLength(part)
  }
  const parts = [...distinct]
  const bytes = await read(parts.map(({ body, length }) => ({ start: body, end: body + length })))
  const uris = new Map(parts.map((part, at) => [part, dataUri(part, bytes[at])]))
  return replaceReferences(html, references, (at) => {
    const part = chosen[at]
    return part && uris.get(part)
  })
}

/** Nothing in such a type can end an attribute. */
function isImage(type: string): boolean {
  return /^image\/[a-z0-9.+-]{1,60}$/.test(type)
}

function uriLength(part: Part): number {
  return `data:${part.type};base64,`.length + Math.ceil(part.size / 3) * 4
}

function dataUri(part: Part, encoded: Uint8Array | undefined): string {
  return `data:${part.type};base64,${toBase64(decodeBytes(part.encoding, encoded ?? new Uint8Array(0)))}`
}
