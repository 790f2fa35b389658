/** What a message says: its text, its HTML with the pictures it carries, its header. */
import { toBase64 } from '../base/bytes.ts'
import type { Context } from '../context.ts'
import { decodeBytes } from '../mail/mime/decode.ts'
import { fieldMap } from '../mail/mime/header.ts'
import { allParts, type Part } from '../mail/mime/parts.ts'
import { readMessage } from '../mail/mime/read.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { cidReferences, replaceReferences } from './cid-references.ts'
import { openMessage, type ReadRanges } from './raw.ts'

export type Bodies = {
  text: string | null
  html: string | null
  /** By lower-case name; the values of a repeated field joined by commas. */
  headers: Record<string, string>
  /** Where each part stands. */
  root: Part
}

/** All data URIs of one HTML together: a reference may be repeated, so what is written counts, not what is read. */
const MAX_EMBEDDED = 5 * 1024 * 1024

/** Each may cost a read of its own where the message is large. */
const MAX_IMAGES = 100

/** Reads a message's bodies: one get, and for a large message with pictures one more. @throws Problem not_found. */
export async function readBodies(ctx: Context, message: StoredMessage, pictures: 'data_uri' | 'cid'): Promise<Bodies> {
  const { readable, read } = await openMessage(ctx, message)
  const { text, html, headers } = await readMessage(readable)
  const shown = html !== undefined && pictures === 'data_uri' ? await embed(html, readable.root, read) : html
  const joined = Object.entries(fieldMap(headers)).map(([name, values]) => [name, values.join(', ')] as const)
  return { text: text ?? null, html: shown ?? null, headers: Object.fromEntries(joined), root: readable.root }
}

/** The HTML with the pictures it refers to in it, as far as they fit; the rest stay references. */
async function embed(html: string, root: Part, read: ReadRanges): Promise<string> {
  const images = new Map<string, Part>()
  for (const part of allParts(root)) {
    if (part.contentId !== undefined && isImage(part) && !images.has(part.contentId)) images.set(part.contentId, part)
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
function isImage(part: Part): boolean {
  return !part.parts && /^image\/[a-z0-9.+-]{1,60}$/.test(part.type)
}

function uriLength(part: Part): number {
  return `data:${part.type};base64,`.length + Math.ceil(part.size / 3) * 4
}

function dataUri(part: Part, encoded: Uint8Array | undefined): string {
  return `data:${part.type};base64,${toBase64(decodeBytes(part.encoding, encoded ?? new Uint8Array(0)))}`
}
