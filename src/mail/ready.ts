/** Makes a message that a program wrote itself ready to leave: no Bcc, a Date, a Message-ID, a From that can be read. */
import { concat, fromUtf8, latin1, utf8 } from '../base/bytes.ts'
import { type FieldFault, Problem } from '../base/problem.ts'
import { type Mailbox, parseMailboxList } from './address.ts'
import { normaliseLineBreaks } from './linebreaks.ts'

export type Ready = {
  bytes: Uint8Array
  /** `<unique@domain>`: the message's own, or the one it was given. */
  messageId: string
  /** At least one. Names are as written, RFC 2047 words not decoded. */
  headerFrom: Mailbox[]
  sender?: Mailbox
  /** What of To and Cc can be read; whom the mail goes to is the envelope's to say. */
  to: Mailbox[]
  cc: Mailbox[]
  replyTo: Mailbox[]
  /** Unfolded, RFC 2047 words not decoded. */
  subject: string
  /** Milliseconds since 1970: the Date field, or now where it has none that can be read. */
  date: number
  /** Whether any byte is above ASCII: 8BITMIME is needed, and SMTPUTF8 too where `utf8Headers`. */
  eightBit: boolean
  utf8Headers: boolean
}

/** A header field by its place: from `start` to `end`, folds and last line break included; `colon` counts from `start`. */
export type HeaderField = { name: string; start: number; colon: number; end: number }

export type Header = { fields: HeaderField[]; bodyStart: number; closed: boolean; odd?: number }

// MTAs cut or refuse header blocks from about 100 KiB on; this leaves room for those that do not.
const MAX_HEADER_BYTES = 256 * 1024
// Loops and attacks make thousands of fields; people's mail has some dozens.
const MAX_FIELDS = 1000
// No field name in use is half as long, and a line must be known for none before it is read to its end.
const MAX_NAME = 200

/**
 * Normalises line breaks, takes out Bcc, Resent-Bcc and Return-Path, adds Date and Message-ID where they are missing,
 * and leaves every other byte as given. `messageId` is the one to add. Throws a Problem that names every fault of a
 * message that cannot leave: no readable From or several, too large a header, a line in it that is no field.
 */
export function makeReady(given: Uint8Array, added: { now: number; messageId: string }): Ready {
  const bytes = withEmptyLine(normaliseLineBreaks(given))
  const { fields, bodyStart } = refuseFaults(bytes, scanHeader(bytes))
  const own = (name: string) => valuesOf(bytes, fields, name)
  const ownId = own('message-id').find((value) => value !== '')
  const ownDate = own('date').find((value) => value !== '')
  const kept = fields.filter((field) => !isDropped(bytes, field))
  const lines = [
    ...(ownDate === undefined ? [`Date: ${formatDate(added.now)}\r\n`] : []),
    ...(ownId === undefined ? [`Message-ID: ${added.messageId}\r\n`] : []),
  ]
  const asGiven = kept.length === fields.length && lines.length === 0
  const header = concat([...kept.map((field) => fieldBytes(bytes, field)), ...lines.map(utf8), utf8('\r\n')])
  const ready = asGiven ? bytes : concat([header, bytes.subarray(bodyStart)])
  const read = (name: string) => own(name).flatMap((value) => parseMailboxList(value).mailboxes)
  return {
    bytes: ready,
    messageId: ownId === undefined ? added.messageId : (/<[^<>]*>/.exec(ownId)?.[0] ?? ownId),
    headerFrom: read('from'),
    sender: read('sender')[0],
    to: read('to'),
    cc: read('cc'),
    replyTo: read('reply-to'),
    subject: own('subject')[0] ?? '',
    date: readDate(ownDate) ?? added.now,
    eightBit: isEightBit(ready),
    utf8Headers: isEightBit(header),
  }
}

/** What the next hop must be able to take: bytes above ASCII, and the longest line in octets, its break not counted. */
export function scanOutgoing(bytes: Uint8Array): { eightBit: boolean; longestLine: number } {
  let longestLine = 0
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LF, start)
    const end = feed < 0 ? bytes.length : feed
    longestLine = Math.max(longestLine, end - start - (end > start && bytes[end - 1] === CR ? 1 : 0))
    start = end + 1
  }
  return { eightBit: isEightBit(bytes), longestLine }
}

/**
 * Where the header fields stand in bytes of CRLF lines, in order, and where the body begins: after the empty line, or,
 * where `closed` is false because there is none, at the end. `odd` is the place of a line that is no field.
 */
export function scanHeader(bytes: Uint8Array): Header {
  const fields: HeaderField[] = []
  let odd: number | undefined
  let at = 0
  while (at < bytes.length && at <= MAX_HEADER_BYTES && fields.length <= MAX_FIELDS) {
    const feed = bytes.indexOf(LF, at)
    const end = feed < 0 ? bytes.length : feed + 1
    if (bytes[at] === CR && end === at + 2) return { fields, bodyStart: end, closed: true, odd }
    const last = fields.at(-1)
    const name = isBlank(bytes[at]) ? undefined : nameOf(bytes.subarray(at, end))
    if (name) fields.push({ ...name, start: at, end })
    else if (last && isBlank(bytes[at])) last.end = end
    else odd ??= at
    at = end
  }
  return { fields, bodyStart: at, closed: false, odd }
}

/** The unfolded value of every field of a name (in lower case), read as UTF-8 where it is, else byte by byte. */
export function valuesOf(bytes: Uint8Array, fields: HeaderField[], name: string): string[] {
  return fields.filter((field) => field.name === name).map((field) => readValue(bytes, field))
}

export function fieldBytes(bytes: Uint8Array, field: HeaderField): Uint8Array {
  return bytes.subarray(field.start, field.end)
}

const CR = 13
const LF = 10
const DROPPED = new Set(['bcc', 'resent-bcc', 'return-path'])
// An empty one says nothing, and would stand beside the one that is added.
const DROPPED_IF_EMPTY = new Set(['date', 'message-id'])

function isDropped(bytes: Uint8Array, field: HeaderField): boolean {
  return DROPPED.has(field.name) || (DROPPED_IF_EMPTY.has(field.name) && readValue(bytes, field) === '')
}

/** A message of nothing but a header has no empty line to end it, and fields added to it would have no place. */
function withEmptyLine(bytes: Uint8Array): Uint8Array {
  const { closed, bodyStart } = scanHeader(bytes)
  if (closed || bodyStart < bytes.length) return bytes
  return concat([bytes, utf8(bytes.at(-1) === LF ? '\r\n' : '\r\n\r\n')])
}

/** Gives the header back, or throws with every fault in it. */
function refuseFaults(bytes: Uint8Array, header: Header): Header {
  const faults = sizeFaults(bytes, header)
  if (faults.length === 0) faults.push(...lineFaults(bytes, header), ...partyFaults(bytes, header))
  const [first] = faults
  if (!first) return header
  const code = faults.every(({ path }) => path === 'From') ? 'invalid_from_address' : 'validation_error'
  throw new Problem(code, `\`${first.path}\` ${first.reason}`, { fields: faults })
}

function sizeFaults(bytes: Uint8Array, { fields, bodyStart, closed }: Header): FieldFault[] {
  if (fields.length > MAX_FIELDS) return [{ path: 'header', reason: `has more than ${MAX_FIELDS} fields` }]
  const cut = !closed && bodyStart < bytes.length
  if (cut || bodyStart > MAX_HEADER_BYTES)
    return [{ path: 'header', reason: `is larger than ${MAX_HEADER_BYTES} bytes` }]
  return []
}

function lineFaults(bytes: Uint8Array, { bodyStart, odd }: Header): FieldFault[] {
  const faults: FieldFault[] = []
  if (odd !== undefined) {
    const feed = bytes.indexOf(CR, odd)
    const line = latin1(bytes.subarray(odd, Math.min(odd + 60, feed < 0 ? bytes.length : feed)))
    faults.push({ path: 'header', reason: `has a line that is no field: ${JSON.stringify(line)}` })
  }
  if (bytes.subarray(0, bodyStart).includes(0)) faults.push({ path: 'header', reason: 'holds a NUL' })
  return faults
}

/** One From and at most one Sender, each to be read without doubt, because who may send is decided by them. */
function partyFaults(bytes: Uint8Array, { fields }: Header): FieldFault[] {
  const from = valuesOf(bytes, fields, 'from')
  const sender = valuesOf(bytes, fields, 'sender')
  const faults: FieldFault[] = []
  if (from.length !== 1)
    faults.push({ path: 'From', reason: from.length === 0 ? 'is missing' : 'stands more than once' })
  else if (!isRead(from[0], Number.POSITIVE_INFINITY))
    faults.push({ path: 'From', reason: 'cannot be read as addresses' })
  if (sender.length > 1) faults.push({ path: 'Sender', reason: 'stands more than once' })
  else if (sender.length === 1 && !isRead(sender[0], 1)) faults.push({ path: 'Sender', reason: 'is not one address' })
  return faults
}

function isRead(value: string | undefined, most: number): boolean {
  const { mailboxes, unread } = parseMailboxList(value ?? '')
  return unread.length === 0 && mailboxes.length > 0 && mailboxes.length <= most
}

/** The name that opens a line; undefined where none does. White space before the colon is obsolete, and allowed. */
function nameOf(line: Uint8Array): { name: string; colon: number } | undefined {
  const colon = line.indexOf(0x3a)
  if (colon < 1 || colon > MAX_NAME) return undefined
  const name = latin1(line.subarray(0, colon)).replace(/[ \t]+$/, '')
  return /^[!-9;-~]+$/.test(name) ? { name: name.toLowerCase(), colon } : undefined
}

function readValue(bytes: Uint8Array, field: HeaderField): string {
  const raw = bytes.subarray(field.start + field.colon + 1, field.end)
  // Unfolded (RFC 5322 section 2.2.3).
  return text(raw).replaceAll('\r\n', '').replaceAll('\t', ' ').trim()
}

function text(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch {
    return latin1(bytes)
  }
}

function isEightBit(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] ?? 0) > 127) return true
  return false
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09
}

/** RFC 5322 section 3.3, in UTC. */
function formatDate(time: number): string {
  return new Date(time).toUTCString().replace('GMT', '+0000')
}

function readDate(value: string | undefined): number | undefined {
  const time = Date.parse((value ?? '').replace(/\([^()]*\)/g, ''))
  return Number.isNaN(time) ? undefined : time
}
