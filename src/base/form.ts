/** The fields of a form, as bytes: without a charset to guess, and without a second copy of a large one. */
import { fromUtf8, latin1, utf8 } from './bytes.ts'

export type Form = ReadonlyMap<string, Uint8Array>

/** A mail that comes as a form brings some twenty; more than this are not looked at. */
const MAX_FIELDS = 1000

/** The header of one part: a name, a type, a file name. */
const MAX_HEAD = 16 * 1024

const CR = 0x0d
const DASH = 0x2d
const PERCENT = 0x25
const PLUS = 0x2b

/**
 * Reads a body of one of the two types that forms have; of a repeated field the first counts. What is urlencoded is
 * decoded in its place, so the body is not to be used again. Undefined where it is no form, or its end is missing.
 */
export function readForm(contentType: string, body: Uint8Array): Form | undefined {
  const type = contentType.slice(0, 1000)
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) return readUrlEncoded(body)
  const boundary = /^multipart\/form-data\b.*?;[ \t]*boundary="?([^";,\s]{1,200})/i.exec(type)?.[1]
  return boundary ? readMultipart(body, boundary) : undefined
}

/** A field that is to be text in UTF-8; empty where it is missing or none. */
export function textOf(form: Form, name: string): string {
  const bytes = form.get(name)
  if (!bytes) return ''
  try {
    return fromUtf8(bytes)
  } catch {
    return ''
  }
}

/** Parts between delimiter lines (RFC 7578, RFC 2046 section 5.1.1). */
function readMultipart(body: Uint8Array, boundary: string): Form | undefined {
  const fields = new Map<string, Uint8Array>()
  const delimiter = utf8(`\r\n--${boundary}`)
  const first = delimiter.subarray(2)
  const opening = isAt(body, first, 0) ? -2 : find(body, delimiter, 0)
  let at = opening === undefined ? body.length : opening + delimiter.length
  for (let parts = 0; parts < MAX_FIELDS; parts++) {
    if (body[at] === DASH && body[at + 1] === DASH) return fields
    const head = find(body, HEAD_END, at)
    if (head === undefined || head - at > MAX_HEAD) return undefined
    const start = head + HEAD_END.length
    const end = find(body, delimiter, start)
    // A part without an end is a body that was cut.
    if (end === undefined) return undefined
    const name = nameIn(latin1(body.subarray(at, head)))
    if (name !== undefined && !fields.has(name)) fields.set(name, body.subarray(start, end))
    at = end + delimiter.length
  }
  return fields
}

const HEAD_END = utf8('\r\n\r\n')

function nameIn(head: string): string | undefined {
  return /;[ \t]{0,8}name="?([^";\r\n]{1,200})/i.exec(head)?.[1]
}

/** Where `wanted`, which begins with CR, is found next. */
function find(body: Uint8Array, wanted: Uint8Array, from: number): number | undefined {
  for (let at = body.indexOf(CR, from); at >= 0; at = body.indexOf(CR, at + 1)) {
    if (isAt(body, wanted, at)) return at
  }
  return undefined
}

function isAt(body: Uint8Array, wanted: Uint8Array, at: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (body[at + i] !== wanted[i]) return false
  return true
}

function readUrlEncoded(body: Uint8Array): Form {
  const fields = new Map<string, Uint8Array>()
  for (let from = 0, seen = 0; from < body.length && seen < MAX_FIELDS; seen++) {
    const and = body.indexOf(0x26, from)
    const pair = body.subarray(from, and < 0 ? body.length : and)
    const equals = pair.indexOf(0x3d)
    const name = latin1(decodeInPlace(pair.subarray(0, equals < 0 ? pair.length : equals)).subarray(0, 200))
    if (!fields.has(name)) fields.set(name, equals < 0 ? pair.subarray(0, 0) : decodeInPlace(pair.subarray(equals + 1)))
    from += pair.length + 1
  }
  return fields
}

/** What is decoded is never longer. */
function decodeInPlace(bytes: Uint8Array): Uint8Array {
  let to = 0
  for (let at = 0; at < bytes.length; at++, to++) {
    const byte = bytes[at] ?? 0
    const high = byte === PERCENT ? digit(bytes[at + 1]) : -1
    const low = high < 0 ? -1 : digit(bytes[at + 2])
    if (low >= 0) at += 2
    bytes[to] = low >= 0 ? high * 16 + low : byte === PLUS ? 0x20 : byte
  }
  return bytes.subarray(0, to)
}

/** The value of a hexadecimal digit; -1 where it is none. */
function digit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
