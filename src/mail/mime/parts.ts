/** The part tree of a message: where each part stands in the raw bytes, and what a reader may do with it. */
import { decodeEncodedWords } from './charset.ts'
import type { Structured } from './header.ts'
import { parameter, parseStructured, trimBlank, withoutComments } from './header.ts'

/** One MIME part (RFC 2045). Offsets and lengths are octets of the raw message. */
export type Part = {
  /** Section number as in IMAP (RFC 3501 section 6.4.5): `1`, `1.2`; a root that is multipart has the empty path. */
  path: string
  /** Media type in lower case; what is missing or malformed is text/plain (RFC 2045 section 5.2). */
  type: string
  charset?: string
  /** As the sender wrote it, decoded: it may hold slashes, dots and control characters. */
  filename?: string
  /** `inline`, `attachment` or whatever else was written, in lower case; undefined where nothing was. */
  disposition?: string
  /** Content-ID without the angle brackets. */
  contentId?: string
  description?: string
  /** Transfer encoding in lower case; `7bit` where none was given. A multipart's is not applied. */
  encoding: string
  /** Where its header begins, its body begins, and how long the body is as encoded. */
  start: number
  body: number
  length: number
  /** Length of the body once decoded: exact. */
  size: number
  /** Present where the part was descended into, and then even if nothing was found in it. */
  parts?: Part[]
  /** True for text/plain; format=flowed (RFC 3676), and for its delsp=yes. */
  flowed?: boolean
  delsp?: boolean
  /** `REQUEST`, `REPLY`, …: the method of an iTIP calendar part (RFC 6047), in upper case. */
  method?: string
  /** The protocol of multipart/signed and multipart/encrypted (RFC 1847), report-type or smime-type of types that have these. */
  protocol?: string
}

/** What a face shows of an attachment. Its bytes are [body, body + length) of the raw message through `decodeStream`. */
export type AttachmentView = {
  path: string
  filename: string | null
  type: string
  disposition: string | null
  contentId: string | null
  size: number
  /** True where it stands in a multipart/related and has a Content-ID: an image of the HTML, most likely. */
  related: boolean
}

/** Longer labels are noise; a name beyond 255 octets cannot be a file's name anywhere. */
const MAX_TEXT = 1000

/** Names, ids and descriptions of all parts together: they are kept in the message's row, which D1 holds to 2 MB. */
export const MAX_TREE_TEXT = 256 * 1024

/** Whether a leaf is the text of the message rather than an attachment. */
export function isBodyText(part: Part): boolean {
  return !part.parts && (part.type === 'text/plain' || part.type === 'text/html') && part.disposition !== 'attachment'
}

/** The leaves that are attachments, in the order of the message; a nested message/rfc822 is one, as a whole. */
export function listAttachments(root: Part): AttachmentView[] {
  const found: AttachmentView[] = []
  const walk = (part: Part, related: boolean) => {
    if (isAttachment(part)) found.push(view(part, related))
    for (const child of part.parts ?? []) walk(child, related || part.type === 'multipart/related')
  }
  walk(root, false)
  return found
}

/**
 * QUIRK: a multipart that could not be taken apart (no boundary, none found, too deep) counts as an attachment,
 * so that its content can at least be downloaded; postal-mime drops it without a word.
 */
export function isAttachment(part: Part): boolean {
  if (part.parts) return part.parts.length === 0 && part.length > 0
  return !isBodyText(part)
}

/** Whether a leaf is a calendar object (RFC 5545), as the types and names that mailers give it tell. */
export function isCalendar({ type, filename, parts }: Part): boolean {
  if (parts) return false
  return type === 'text/calendar' || type === 'application/ics' || (filename?.toLowerCase().endsWith('.ics') ?? false)
}

/** The part at a path; undefined where there is none. */
export function findPart(root: Part, path: string): Part | undefined {
  for (const part of allParts(root)) if (part.path === path) return part
  return undefined
}

/** A part and all within it, in the order of the message. */
export function allParts(root: Part): Part[] {
  const found: Part[] = []
  const walk = (part: Part) => {
    found.push(part)
    for (const child of part.parts ?? []) walk(child)
  }
  walk(root)
  return found
}

/** The raw values, a character a byte, of the Content-* fields of one part by lower-case name. */
export type ContentFields = Map<string, string>

/** What a part's header says of it; its boundary (bytes as characters) where it is a multipart that names one. */
export type Described = { part: Part; boundary?: string; cut: boolean }

/** Reads the Content-* fields. `budget` counts down the characters that a whole tree may hold. */
export function describePart(
  fields: ContentFields,
  at: { path: string; start: number; body: number },
  inDigest: boolean,
  budget: { left: number },
): Described {
  let cut = false
  const text = (value: string | undefined): string | undefined => {
    if (!value) return undefined
    const kept = value.slice(0, Math.max(0, Math.min(MAX_TEXT, budget.left)))
    budget.left -= kept.length
    if (kept.length < value.length) cut = true
    return kept || undefined
  }
  const content = contentType(fields.get('content-type'), inDigest)
  const placed = parseStructured(fields.get('content-disposition') ?? '')
  const name = parameter(placed.params, 'filename') || parameter(content.params, 'name')
  const set = {
    charset: text(parameter(content.params, 'charset')),
    filename: text(name && decodeEncodedWords(name)),
    // Without what a mailer forgot to part from it by a semicolon.
    disposition: text(/^[a-z0-9_-]{1,40}/.exec(placed.value)?.[0]),
    contentId: text(bare(fields.get('content-id'))),
    description: text(decodeEncodedWords(decoded(fields.get('content-description')))),
    method: text(parameter(content.params, 'method')?.toUpperCase()),
    protocol: text(parameter(content.params, protocolParameter(content.value))),
    flowed: content.value === 'text/plain' && isWord(content, 'format', 'flowed'),
    delsp: isWord(content, 'delsp', 'yes'),
  }
  const encoding = transferEncoding(fields.get('content-transfer-encoding'))
  const part: Part = { ...at, type: text(content.value) ?? 'text/plain', encoding, length: 0, size: 0 }
  return { part: Object.assign(part, onlySet(set)), boundary: content.params.get('boundary'), cut }
}

// QUIRK: some mailers leave the semicolon behind the type out; without it neither type nor boundary would be known.
const FORGOTTEN_SEMICOLON = /^([^\s;="]{1,127}\/[^\s;="]{1,127})[ \t]+(?=[\w-]{1,40}=)/

/** Two tokens (RFC 2045 section 5.1). */
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9a-z-]{1,127}\/[!#$%&'*+.^_`|~0-9a-z-]{1,127}/

function contentType(field: string | undefined, inDigest: boolean): Structured {
  const read = parseStructured((field ?? '').replace(FORGOTTEN_SEMICOLON, '$1; '))
  const type = MEDIA_TYPE.exec(read.value)?.[0]
  // What is no type at all is the default (RFC 2045 section 5.2), which in a digest is a message (RFC 2046 section 5.1.5).
  return { value: type ?? (inDigest ? 'message/rfc822' : 'text/plain'), params: read.params }
}

/** Which parameter tells what a protected or reporting part holds (RFC 1847, RFC 6522, RFC 8551 section 3.2.2). */
function protocolParameter(type: string): string {
  if (type === 'multipart/report') return 'report-type'
  return type.endsWith('pkcs7-mime') ? 'smime-type' : 'protocol'
}

/** QUIRK: the first word counts, so that `(comment) "base64";` is understood. */
function transferEncoding(field: string | undefined): string {
  const word = /[\w-]+/.exec(withoutComments(field ?? '').toLowerCase())?.[0].slice(0, 40) ?? '7bit'
  if (word.includes('base64')) return 'base64'
  return word.includes('quoted-printable') ? 'quoted-printable' : word
}

function bare(field: string | undefined): string | undefined {
  if (field === undefined) return undefined
  const text = decoded(field)
  const open = text.indexOf('<')
  const close = text.indexOf('>', open + 1)
  return trimBlank(open >= 0 && close > open ? text.slice(open + 1, close) : text)
}

function decoded(field: string | undefined): string {
  return parameter(new Map([['text', field ?? '']]), 'text') ?? ''
}

function isWord(content: Structured, name: string, word: string): boolean {
  return (content.params.get(name) ?? '').toLowerCase() === word
}

function onlySet<T extends object>(values: T): Partial<T> {
  const kept: Partial<T> = {}
  for (const key in values) if (values[key] !== undefined && values[key] !== false) kept[key] = values[key]
  return kept
}

function view(part: Part, related: boolean): AttachmentView {
  return {
    path: part.path,
    filename: part.filename ?? null,
    type: part.type,
    disposition: part.disposition ?? null,
    contentId: part.contentId ?? null,
    size: part.size,
    related: related && part.contentId !== undefined,
  }
}

/** The type of a part of which nothing can be said: what stands behind the last part that is counted. */
export function opaquePart(path: string, start: number): Part {
  return { path, type: 'application/octet-stream', encoding: 'binary', start, body: start, length: 0, size: 0 }
}
