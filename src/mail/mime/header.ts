/** Header fields (RFC 5322 section 2.2) and their parameters (RFC 2045 section 5.1, RFC 2231), each read in one pass. */
import { latin1 } from '../../base/bytes.ts'
import { charsetOf, decodeUnlabelled } from './charset.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

/** Fields in the order of the message: the name as it was written, the value unfolded and without white space around it. */
export type Fields = [name: string, value: string][]

/** A value such as `text/plain; charset=utf-8`. Characters are bytes: `parameter` decodes them. */
export type Structured = { value: string; params: Map<string, string> }

/** Reads a header block; what comes after `limit` fields is left out and `cut` says so. */
export function readFields(block: Uint8Array, limit: number): { fields: Fields; cut: boolean } {
  const fields: Fields = []
  let field: Uint8Array[] = []
  for (let at = 0; at < block.length; ) {
    const feed = block.indexOf(LF, at)
    const line = withoutBreak(block.subarray(at, feed < 0 ? block.length : feed))
    at = feed < 0 ? block.length : feed + 1
    if (line.length === 0) break
    if (field.length > 0 && isBlank(line[0])) field.push(line)
    else {
      if (fields.length >= limit) return { fields, cut: true }
      if (field.length > 0) fields.push(nameAndValue(field))
      field = [line]
    }
  }
  if (field.length > 0 && fields.length >= limit) return { fields, cut: true }
  if (field.length > 0) fields.push(nameAndValue(field))
  return { fields, cut: false }
}

/** The value of the first field of a name (in lower case): a repeated field counts once, the first. */
export function firstField(fields: Fields, name: string): string | undefined {
  return fields.find(([written]) => written.toLowerCase() === name)?.[1]
}

/** Fields by lower-case name, each with all its values. Made without a prototype: a field may be called `__proto__`. */
export function fieldMap(fields: Fields): Record<string, string[]> {
  const map: Record<string, string[]> = Object.create(null)
  for (const [written, value] of fields) {
    const name = written.toLowerCase()
    const values = map[name]
    if (values) values.push(value)
    else map[name] = [value]
  }
  return map
}

/** A line without the carriage returns at its end. QUIRK: any number of them, as some gateways write CR CR LF. */
export function withoutBreak(line: Uint8Array): Uint8Array {
  let end = line.length
  while (end > 0 && line[end - 1] === CR) end--
  return line.subarray(0, end)
}

/** The lower-case name of the field that a line opens; empty where it has no colon within 80 bytes. */
export function fieldName(line: Uint8Array): string {
  const colon = line.subarray(0, 80).indexOf(0x3a)
  return colon < 0 ? '' : trimBlank(latin1(line.subarray(0, colon))).toLowerCase()
}

/** Space and tab only: other white space is content, and trimming it would let odd lines pass for known fields. */
export function trimBlank(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** Reads `value; name=value; …` where every character is a byte. Of a repeated parameter the first counts. */
export function parseStructured(text: string): Structured {
  const bare = withoutComments(text)
  const first = readValue(bare, 0)
  const params = new Map<string, string>()
  let at = first.end
  while (at < bare.length) {
    const from = at + 1
    let to = from
    while (to < bare.length && bare[to] !== '=' && bare[to] !== ';') to++
    const name = trimBlank(bare.slice(from, to)).toLowerCase()
    const value = bare[to] === '=' ? readValue(bare, to + 1) : { text: '', end: to }
    if (!params.has(name)) params.set(name, value.text)
    at = value.end
  }
  return { value: first.text.toLowerCase(), params }
}

/** A parameter as text: its RFC 2231 form where there is one (sections 3 and 4, in any order of sections), else the plain one. */
export function parameter(params: Map<string, string>, name: string): string | undefined {
  const sections: { index: number; encoded: boolean; value: string }[] = []
  for (const [key, value] of params) {
    if (!key.startsWith(`${name}*`)) continue
    const form = /^(\d{0,6})(\*?)$/.exec(key.slice(name.length + 1))
    if (form) sections.push({ index: Number(form[1]), encoded: form[1] === '' || form[2] === '*', value })
  }
  if (sections.length === 0) {
    const plain = params.get(name)
    return plain === undefined ? undefined : decodeUnlabelled(bytesOf(plain))
  }
  return joinSections(sections.sort((a, b) => a.index - b.index))
}

/** The bytes of a text whose every character is one. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** Takes comments out (RFC 5322 section 3.2.2), nested ones too. */
export function withoutComments(text: string): string {
  let kept = ''
  let depth = 0
  let opened = 0
  let quoted = false
  let inParameter = false
  let afterBlank = true
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '\\') {
      if (depth === 0) {
        kept += text.slice(at, at + 2)
        afterBlank = false
      }
      at++
    } else if (depth > 0) {
      if (character === '(') depth++
      if (character === ')') depth--
    } else if (character === '(' && !quoted && (!inParameter || afterBlank)) {
      // QUIRK: a parenthesis in the middle of an unquoted parameter is part of it: `filename=Invoice(1).pdf`.
      opened = at
      depth = 1
    } else {
      if (character === '"') quoted = !quoted
      else if (!quoted && character === '=') inParameter = true
      else if (!quoted && character === ';') inParameter = false
      kept += character
      afterBlank = isBlank(character.charCodeAt(0))
    }
  }
  // A comment that never closes must not swallow the parameters behind it, the boundary above all.
  return depth > 0 && text.indexOf(';', opened) >= 0 ? text : kept
}

/** A token or quoted string up to the next semicolon; white space around it and what follows a closed quote go. */
function readValue(text: string, from: number): { text: string; end: number } {
  let value = ''
  let blanks = ''
  let closed = false
  let at = from
  const add = (piece: string) => {
    if (value !== '') value += blanks
    blanks = ''
    value += piece
  }
  for (; at < text.length && text[at] !== ';'; at++) {
    const character = text.charAt(at)
    if (character === '"') {
      if (!closed) add('')
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === '\\') at++
        if (!closed) value += text.charAt(at)
      }
      closed = true
    } else if (isBlank(character.charCodeAt(0))) blanks += character
    else if (!closed) add(character)
  }
  return { text: value, end: at }
}

function joinSections(sections: { index: number; encoded: boolean; value: string }[]): string {
  let charset: string | undefined
  let text = ''
  let encoded = ''
  const flush = () => {
    // Neighbours are decoded together, because one character may be split between two sections.
    if (encoded !== '') text += decodePercent(encoded, charset)
    encoded = ''
  }
  for (const section of sections) {
    if (!section.encoded) {
      flush()
      text += decodeUnlabelled(bytesOf(section.value))
      continue
    }
    const parts = section.index === 0 ? section.value.split("'") : []
    if (parts.length >= 3) charset = parts[0]
    encoded += parts.length >= 3 ? parts.slice(2).join("'") : section.value
  }
  flush()
  return text
}

function decodePercent(text: string, charset: string | undefined): string {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    const pair = text[at] === '%' ? text.slice(at + 1, at + 3) : ''
    if (/^[0-9a-fA-F]{2}$/.test(pair)) {
      bytes.push(Number.parseInt(pair, 16))
      at += 2
    } else bytes.push(text.charCodeAt(at))
  }
  return charsetOf(charset).decoder.decode(Uint8Array.from(bytes))
}

function nameAndValue(lines: Uint8Array[]): [string, string] {
  const whole = lines.map((line) => decodeUnlabelled(line)).join('')
  const colon = whole.indexOf(':')
  if (colon < 0) return [trimBlank(whole), '']
  // A bare CR inside a line is no line break, but would be one for whoever writes the value out again.
  return [trimBlank(whole.slice(0, colon)), trimBlank(whole.slice(colon + 1).replace(/[\r\n]+/g, ' '))]
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB
}
