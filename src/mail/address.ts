/** Addresses (RFC 5321 Mailbox, with RFC 6531's UTF-8): parsed once, and from then on only the parsed form is used. */
import { utf8 } from '../base/bytes.ts'

/** A parsed address. What is authorised, stored and written to the wire is `address`, never the text it came from. */
export type Address = {
  /** The local part as on the wire: a dot-string, or a quoted-string where it must be one. */
  local: string
  /** Lower case, A-labels, no trailing dot; an address literal keeps its brackets. */
  domain: string
  /** `local@domain`. */
  address: string
  /** Whether the local part can only go where SMTPUTF8 is offered (RFC 6531). */
  utf8: boolean
}

/** An address with the display name beside it; the name is as written, RFC 2047 words not decoded. */
export type Mailbox = { name?: string; address: Address }

// RFC 5321 section 4.5.3.1: a server need not take more, and 254 is what a path of 256 leaves between its brackets.
const MAX_LOCAL_OCTETS = 64
const MAX_DOMAIN_OCTETS = 255
const MAX_ADDRESS_OCTETS = 254
// No address that fits the caps above is longer before its domain becomes ASCII; more is not worth reading.
const MAX_ADDRESS_CHARACTERS = 512
// A name of this length still folds into a readable header, and a list row can hold fifty of them.
export const MAX_NAME_CHARACTERS = 512
// In a header the same name may stand as encoded words, nine characters for one, and as much again between them.
const MAX_ENCODED_NAME_CHARACTERS = 16 * MAX_NAME_CHARACTERS

/**
 * Reads one `local@domain` (RFC 5321 section 4.1.2); undefined where it is none. Refused on purpose though RFC 5322
 * has them: comments, white space, source routes, obsolete forms, numeric top-level domains. Address literals
 * (`[192.0.2.1]`) are read only where `literals` is set.
 */
export function parseAddress(text: string, options: { literals?: boolean } = {}): Address | undefined {
  if (text.length > MAX_ADDRESS_CHARACTERS || !text.isWellFormed()) return undefined
  const at = text.startsWith('"') ? endOfQuoted(text) : text.indexOf('@')
  if (at < 0 || text[at] !== '@') return undefined
  const local = readLocal(text.slice(0, at))
  const domain = readDomain(text.slice(at + 1)) ?? (options.literals ? readLiteral(text.slice(at + 1)) : undefined)
  if (local === undefined || domain === undefined) return undefined
  const address = `${local}@${domain}`
  // The form as written counts too, for a quoted local part may be shorter in ours.
  if (utf8(text.slice(0, at)).length > MAX_LOCAL_OCTETS || utf8(local).length > MAX_LOCAL_OCTETS) return undefined
  if (utf8(address).length > MAX_ADDRESS_OCTETS) return undefined
  return { local, domain, address, utf8: !isAscii(local) }
}

/**
 * Reads `a@b`, `<a@b>`, `Name <a@b>` or `"Name, X" <a@b>`; undefined where the text is none, or holds a control
 * character. An unquoted name that itself looks like a list of addresses is refused, lest a recipient vanish in it.
 */
export function parseMailbox(text: string): Mailbox | undefined {
  return readMailbox(text, MAX_NAME_CHARACTERS)
}

/** Writes a mailbox so that `parseMailbox` reads the same again; a name that is not plain words is quoted. */
export function formatMailbox({ name, address }: Mailbox): string {
  if (!name) return address.address
  return `${PLAIN_WORDS.test(name) && name.trim() === name ? name : quote(name)} <${address.address}>`
}

/**
 * What uniqueness and lookup go by. We take local parts without regard to ASCII case for the addresses we own, as
 * RFC 5321 section 2.4 lets a receiving host decide; Unicode spellings that look the same are made the same (NFC).
 */
export function addressKey(address: Address): string {
  return `${asciiLower(address.local.normalize('NFC'))}@${address.domain}`
}

/** Splits `base+tag` at the first plus; undefined where there is no tag or nothing stands before it. */
export function splitTag(local: string): { base: string; tag: string } | undefined {
  const plus = local.startsWith('"') ? -1 : local.indexOf('+')
  return plus > 0 ? { base: local.slice(0, plus), tag: local.slice(plus + 1) } : undefined
}

/**
 * Reads the mailboxes of an unfolded From, To, Cc or Reply-To value (RFC 5322 section 3.4): comments are dropped,
 * groups opened. What is no mailbox is given back in `unread`, as written.
 */
export function parseMailboxList(value: string): { mailboxes: Mailbox[]; unread: string[] } {
  const mailboxes: Mailbox[] = []
  const unread: string[] = []
  for (const entry of splitList(value)) {
    const mailbox = readMailbox(entry, MAX_ENCODED_NAME_CHARACTERS)
    if (mailbox) mailboxes.push(mailbox)
    else unread.push(entry)
  }
  return { mailboxes, unread }
}

const CONTROL = /[\x00-\x1f\x7f]/
const ATEXT = "A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-"
const DOT_STRING_CHARACTERS = new RegExp(`^[${ATEXT}.\\x80-\\u{10ffff}]+$`, 'u')
const PLAIN_WORDS = new RegExp(`^[${ATEXT} \\x80-\\u{10ffff}]+$`, 'u')
// Controls, separators and writing-direction marks would make an address look like another one.
const UNSEEN = /[\p{Cc}\p{Z}\p{Bidi_Control}]/u

function isDotString(text: string): boolean {
  return DOT_STRING_CHARACTERS.test(text) && !text.startsWith('.') && !text.endsWith('.') && !text.includes('..')
}

function readMailbox(text: string, maxName: number): Mailbox | undefined {
  // Twice, for a quoted name may hold a backslash before every character.
  if (text.length > MAX_ADDRESS_CHARACTERS + 2 * maxName || CONTROL.test(text)) return undefined
  const trimmed = text.trim()
  if (!trimmed.endsWith('>')) {
    const address = parseAddress(trimmed)
    return address && { address }
  }
  const quotedEnd = trimmed.startsWith('"') ? endOfQuoted(trimmed) : 0
  if (quotedEnd < 0) return undefined
  const open = trimmed.indexOf('<', quotedEnd)
  const address = parseAddress(trimmed.slice(open + 1, -1))
  if (open < 0 || !address) return undefined
  const written = trimmed.slice(0, open).trim()
  const name = quotedEnd > 0 ? unquote(written) : plainName(written)
  if (name === undefined || name.length > maxName || !name.isWellFormed()) return undefined
  return name === '' ? { address } : { name, address }
}

/** The local part in its one canonical form: unquoted wherever that means the same (RFC 5321 section 4.1.2). */
function readLocal(text: string): string | undefined {
  if (UNSEEN.test(text.replaceAll(' ', ''))) return undefined
  if (!text.startsWith('"')) return isDotString(text) ? text : undefined
  const content = unquote(text)
  if (content === undefined) return undefined
  return isDotString(content) ? content : quote(content)
}

function readDomain(text: string): string | undefined {
  const domain = isAscii(text) ? asciiLower(text) : toAscii(text)
  return domain !== undefined && isDomain(domain) ? domain : undefined
}

/** RFC 5321 Domain: labels of letters, digits and inner hyphens; the last begins with a letter (RFC 3696 section 2). */
function isDomain(text: string): boolean {
  const labels = text.split('.')
  return text.length <= MAX_DOMAIN_OCTETS && labels.every(isLabel) && /^[a-z]/.test(labels.at(-1) ?? '')
}

function isLabel(label: string): boolean {
  return label.length <= 63 && /^[a-z0-9-]+$/.test(label) && !label.startsWith('-') && !label.endsWith('-')
}

/** An internationalised domain in A-labels (UTS 46), by the URL parser, which both runtimes have. */
function toAscii(text: string): string | undefined {
  // The URL parser would take a port, a path or a percent-encoding for its own; none of them is a domain's.
  if (/[^A-Za-z0-9.\x80-\u{10ffff}-]/u.test(text)) return undefined
  const host = URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`).hostname : ''
  return host === '' ? undefined : host
}

/** RFC 5321 section 4.1.3: IPv4, or IPv6 under its tag. */
function readLiteral(text: string): string | undefined {
  if (!text.startsWith('[') || !text.endsWith(']')) return undefined
  const inner = asciiLower(text.slice(1, -1))
  if (inner.startsWith('ipv6:')) {
    const address = inner.slice(5)
    return /^[0-9a-f:.]+$/.test(address) && URL.canParse(`http://[${address}]/`) ? `[IPv6:${address}]` : undefined
  }
  const numbers = inner.split('.')
  return numbers.length === 4 && numbers.every((n) => /^\d{1,3}$/.test(n) && Number(n) < 256) ? `[${inner}]` : undefined
}

/** The index just after the quoted-string that opens at `from`; -1 where it never ends. */
function endOfQuoted(text: string, from = 0): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return -1
}

/** What a quoted-string says; undefined where the text is not exactly one. */
function unquote(text: string): string | undefined {
  if (endOfQuoted(text) !== text.length) return undefined
  let content = ''
  for (let at = 1; at < text.length - 1; at++) {
    // Only printable ASCII may stand behind a backslash (RFC 5321 section 4.1.2).
    if (text[at] === '\\' && !/[ -~]/.test(text[++at] ?? '')) return undefined
    content += text[at]
  }
  return content
}

function quote(content: string): string {
  return `"${content.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function plainName(text: string): string | undefined {
  if (/[<>"\\]/.test(text)) return undefined
  return text.includes('@') && /[,;]/.test(text) ? undefined : text
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text)
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

const LIST_SPECIALS = '"(),;:<>'

/** The run of characters from `at` on that mean nothing to a list, taken at once because it is cheaper. */
function plainRun(value: string, at: number): string {
  let end = at
  while (end < value.length && !LIST_SPECIALS.includes(value[end] ?? '')) end++
  return value.slice(at, end)
}

/** Cuts a list at its top-level commas, without its comments; a group leaves only its members. */
function splitList(value: string): string[] {
  const entries: string[] = []
  let entry = ''
  let depth = 0
  let angle = false
  const finish = () => {
    if (entry.trim() !== '') entries.push(entry.trim())
    entry = ''
    angle = false
  }
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? ''
    if (depth > 0) {
      if (character === '\\') at++
      else if (character === '(') depth++
      else if (character === ')' && --depth === 0) entry += ' '
    } else if (!LIST_SPECIALS.includes(character)) {
      const plain = plainRun(value, at)
      entry += plain
      at += plain.length - 1
    } else if (character === '"') {
      const end = endOfQuoted(value, at)
      entry += value.slice(at, end < 0 ? value.length : end)
      at = (end < 0 ? value.length : end) - 1
    } else if (character === '(') depth++
    else if (!angle && (character === ',' || character === ';')) finish()
    else if (!angle && character === ':' && !entry.includes('@')) entry = ''
    else {
      if (character === '<') angle = true
      if (character === '>') angle = false
      entry += character
    }
  }
  // An unclosed comment hides what follows it from one reader and shows it to another: it is told as unread.
  if (depth > 0) entry += '('
  finish()
  return entries
}
