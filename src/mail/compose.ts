/** Writes a message (RFC 5322, MIME) from its parts, by nodemailer's composer; the same draft gives the same bytes. */
import { Buffer } from 'node:buffer'
import MailComposer from 'nodemailer/lib/mail-composer'
import * as mimeFuncs from 'nodemailer/lib/mime-funcs'
import { type FieldFault, Problem } from '../base/problem.ts'
import { MAX_NAME_CHARACTERS, type Mailbox } from './address.ts'
import { normaliseLineBreaks } from './linebreaks.ts'
import { scanOutgoing } from './ready.ts'

export type Draft = {
  /** Absent only in what is not to be sent yet. */
  from?: Mailbox
  sender?: Mailbox
  to: Mailbox[]
  cc: Mailbox[]
  replyTo: Mailbox[]
  subject: string
  html?: string
  text?: string
  /** Further fields, in order; In-Reply-To and References among them. Names of our own are refused: `reservedHeader`. */
  headers: [name: string, value: string][]
  attachments: Attachment[]
  /** A calendar object beside the text (RFC 6047 section 2.4): the same said to a program. */
  calendar?: { method: 'REPLY'; content: string }
  /** Milliseconds since 1970. */
  date: number
  /** `<unique@domain>`. */
  messageId: string
  /** Letters and digits from the caller's randomness: what tells our part boundaries from the text of a stranger. */
  boundary: string
}

export type Attachment = {
  filename?: string
  /** Told from the file name where missing. */
  contentType?: string
  /** Without angle brackets; html shows the part as `cid:<contentId>`. */
  contentId?: string
  content: Uint8Array
  disposition?: 'attachment' | 'inline'
}

/**
 * Composes the message, with CRLF only, no line over 998 octets and never a Bcc. It is 7-bit clean but for UTF-8 local
 * parts and attached messages that hold 8-bit data: `scanOutgoing` tells.
 * Throws a Problem that names every field at fault before anything is written.
 */
export async function compose(draft: Draft): Promise<Uint8Array> {
  refuseFaults(draft)
  const composer = new MailComposer({
    disableFileAccess: true,
    disableUrlAccess: true,
    from: draft.from && party(draft.from),
    sender: draft.sender && party(draft.sender),
    to: draft.to.length + draft.cc.length > 0 ? draft.to.map(party) : NOBODY_NAMED,
    cc: draft.cc.map(party),
    replyTo: draft.replyTo.map(party),
    subject: draft.subject.trim(),
    text: draft.text && withCrlf(draft.text),
    html: draft.html && withCrlf(draft.html),
    headers: draft.headers.map(([name, value]) => ({ key: name, value: headerValue(name, value) })),
    attachments: draft.attachments.map(part),
    alternatives: draft.calendar && [calendarPart(draft.calendar)],
    date: new Date(draft.date),
    messageId: draft.messageId,
    baseBoundary: draft.boundary,
  })
  return normaliseLineBreaks(await composer.compile().build())
}

/** Whether a name may not stand in a draft's `headers`: it is ours to write, or has a field of its own. */
export function reservedHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return RESERVED.has(lower) || lower.startsWith('content-')
}

/** The media type that a file's name suggests; `application/octet-stream` where it suggests none. */
export function contentTypeFor(filename: string): string {
  return mimeFuncs.detectMimeType(filename)
}

const RESERVED = new Set([
  ...['from', 'sender', 'to', 'cc', 'bcc', 'reply-to', 'subject', 'date', 'message-id', 'return-path', 'received'],
  ...['dkim-signature', 'mime-version', 'resent-bcc'],
])

// Mail whose recipients are all blind still wants a To, for its absence is held against it by spam filters.
const NOBODY_NAMED = 'undisclosed recipients:;'

// More is no header any more; MTAs cut or refuse header blocks from about 100 KiB on.
const MAX_HEADERS = 100
const MAX_HEADERS_CHARACTERS = 64 * 1024
// RFC 5322 section 2.1.1 allows 998 octets a line; a word cannot be folded, and its name or encoding takes some too.
const MAX_WORD = 900
// Blanks fold into lines of nothing but blanks, which some hosts take for the end of the header.
const MAX_BLANKS = 32
const MAX_SUBJECT = 2000
const MAX_HEADER_NAME = 76
const MAX_MEDIA_TYPE = 255
const MAX_FILENAME = 255
const MAX_PARTIES = 1000
// Far more parts than people attach, far fewer than choke a reader.
const MAX_ATTACHMENTS = 500

function refuseFaults(draft: Draft): void {
  const faults = [...partyFaults(draft), ...headerFaults(draft), ...draft.attachments.flatMap(attachmentFaults)]
  const add = (path: string, reason: string | undefined) => reason && faults.push({ path, reason })
  add('subject', lineFault(draft.subject, MAX_SUBJECT))
  add(
    'messageId',
    /^<[^\s<>@]+@[^\s<>@]+>$/.test(draft.messageId) ? lineFault(draft.messageId, 500) : 'is no message id',
  )
  add('boundary', /^[A-Za-z0-9]{1,40}$/.test(draft.boundary) ? undefined : 'must be 1 to 40 letters and digits')
  add('date', Number.isNaN(new Date(draft.date).getTime()) ? 'is no time' : undefined)
  add('text', draft.text?.isWellFormed() === false ? 'is no valid Unicode' : undefined)
  add('html', draft.html?.isWellFormed() === false ? 'is no valid Unicode' : undefined)
  add('attachments', draft.attachments.length > MAX_ATTACHMENTS ? `must be at most ${MAX_ATTACHMENTS}` : undefined)
  const [first] = faults
  if (first) throw new Problem('validation_error', `\`${first.path}\` ${first.reason}`, { fields: faults })
}

function partyFaults(draft: Draft): FieldFault[] {
  const named: [string, Mailbox][] = [
    ...(draft.from ? [['from', draft.from] satisfies [string, Mailbox]] : []),
    ...(draft.sender ? [['sender', draft.sender] satisfies [string, Mailbox]] : []),
    ...(['to', 'cc', 'replyTo'] as const).flatMap((field) =>
      draft[field].map((mailbox, at): [string, Mailbox] => [
        `${field === 'replyTo' ? 'reply_to' : field}[${at}]`,
        mailbox,
      ]),
    ),
  ]
  const faults = named.flatMap(([path, { name, address }]) => {
    const reason = lineFault(name ?? '', MAX_NAME_CHARACTERS) ?? lineFault(address.address, MAX_WORD)
    return reason ? [{ path, reason }] : []
  })
  return named.length > MAX_PARTIES ? [...faults, { path: 'to', reason: `must be at most ${MAX_PARTIES}` }] : faults
}

function headerFaults({ headers }: Draft): FieldFault[] {
  const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (headers.length > MAX_HEADERS || size > MAX_HEADERS_CHARACTERS) {
    return [
      { path: 'headers', reason: `must be at most ${MAX_HEADERS}, of ${MAX_HEADERS_CHARACTERS} characters together` },
    ]
  }
  return headers.flatMap(([name, value]) => {
    const reason = nameFault(name) ?? valueFault(name, value)
    return reason ? [{ path: `headers.${JSON.stringify(name.slice(0, MAX_HEADER_NAME))}`, reason }] : []
  })
}

/** RFC 5322 section 2.2: printable ASCII without the colon. */
function nameFault(name: string): string | undefined {
  if (!/^[!-9;-~]+$/.test(name) || name.length > MAX_HEADER_NAME) return 'is no header name'
  return reservedHeader(name) ? 'is written by us: use its own field, if it has one' : undefined
}

function valueFault(name: string, value: string): string | undefined {
  if (value.trim() === '') return 'is empty'
  // Message ids are written as they are, so that a reply finds its thread.
  if (MESSAGE_IDS.test(name) && !isAscii(value)) return 'must be ASCII'
  return lineFault(value, MAX_HEADERS_CHARACTERS)
}

const MESSAGE_IDS = /^(?:in-reply-to|references)$/i

/** What is wrong with a text that must stand on one unfolded line. */
function lineFault(text: string, limit: number): string | undefined {
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return 'holds a line break or control character'
  if (text.length > limit) return `is longer than ${limit} characters`
  if (!text.isWellFormed()) return 'is no valid Unicode'
  const runs = text.split(/([\t ]+)/)
  if (runs.some((run, at) => run.length > (at % 2 === 0 ? MAX_WORD : MAX_BLANKS))) return 'cannot be folded into lines'
  return undefined
}

function attachmentFaults(attachment: Attachment, at: number): FieldFault[] {
  const faults: FieldFault[] = []
  const add = (field: string, reason: string | undefined) => {
    if (reason) faults.push({ path: `attachments[${at}].${field}`, reason })
  }
  const { filename, contentType, contentId } = attachment
  add(
    'filename',
    filename === undefined ? undefined : filename.trim() === '' ? 'is empty' : lineFault(filename, MAX_FILENAME),
  )
  add(
    'content_type',
    contentType === undefined || isMediaType(contentType) ? undefined : 'is no media type of a single part',
  )
  add('content_id', contentId === undefined || /^[!-;=?-~]{1,255}$/.test(contentId) ? undefined : 'is no content id')
  return faults
}

/** `type/subtype` with parameters (RFC 2045 section 5.1); a multipart cannot be given as one part. */
function isMediaType(text: string): boolean {
  const [type = '', ...params] = text.split(';')
  const halves = type.trim().split('/')
  return (
    text.length <= MAX_MEDIA_TYPE &&
    halves.length === 2 &&
    halves.every((half) => TOKEN.test(half)) &&
    halves[0]?.toLowerCase() !== 'multipart' &&
    params.every((param) => PARAMETER.test(param.trim()))
  )
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]+$/
const PARAMETER = /^[A-Za-z0-9!#$&+.^_`{|}~-]+=(?:[A-Za-z0-9!#$%&'*+.^_`{|}~-]+|"[ !#-[\]-~]*")$/

function party({ name, address }: Mailbox): { name: string; address: string } {
  return { name: name ?? '', address: address.address }
}

/**
 * ASCII values go out as they are, folded: the composer would make an encoded word of any that holds a quote.
 * Without the blanks around it, which could be folded into a line of nothing but blanks.
 */
function headerValue(name: string, given: string): string | { prepared: boolean; foldLines: boolean; value: string } {
  const value = given.trim()
  if (!isAscii(value) || MESSAGE_IDS.test(name)) return value
  return { prepared: true, foldLines: true, value }
}

function part(attachment: Attachment) {
  const { filename, contentId, disposition, content } = attachment
  const asked = attachment.contentType ?? contentTypeFor(filename ?? '')
  const bytes = isMessage(asked) ? normaliseLineBreaks(content) : content
  // A message/* part may not be encoded (RFC 2046 section 5.2.1); one whose lines cannot travel goes as plain bytes.
  const travels = !isMessage(asked) || scanOutgoing(bytes).longestLine <= 998
  return {
    filename,
    contentType: travels ? asked : 'application/octet-stream',
    cid: contentId,
    // The composer would show an attached message as part of the text.
    contentDisposition: disposition ?? (isMessage(asked) ? 'attachment' : undefined),
    content: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  }
}

function calendarPart({ method, content }: { method: string; content: string }) {
  return { contentType: `text/calendar; charset=utf-8; method=${method}; component=VEVENT`, content }
}

function isMessage(contentType: string): boolean {
  return /^\s*message\//i.test(contentType)
}

function withCrlf(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n')
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text)
}
