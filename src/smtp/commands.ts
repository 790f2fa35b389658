/** Command lines that nothing can be smuggled into: every string is checked here, and only here is a line put together. */
import { toBase64, utf8 } from '../base/bytes.ts'

/** RFC 5321 section 4.5.3.1.3: a path has 256 octets, its angle brackets included. */
const MAX_ADDRESS_OCTETS = 254

/** RFC 3461 section 4.4 allows an ENVID of 100 characters before encoding; section 4.2 an ORCPT of 500 in all. */
const MAX_ENVELOPE_ID = 100
const MAX_ORCPT = 500

// Spaces and angle brackets are legal inside a quoted local part, but servers that read paths naively are many
// and such mailboxes are none: what could end the path early is refused everywhere.
const UNSAFE = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029<>]/

/** Why an address may not stand in a command, or undefined where it may. */
export function addressFault(address: string): string | undefined {
  if (UNSAFE.test(address)) return 'the address holds a control character, a space or an angle bracket'
  if (!address.isWellFormed()) return 'the address is not well-formed Unicode'
  if (utf8(address).length > MAX_ADDRESS_OCTETS) return `the address is longer than ${MAX_ADDRESS_OCTETS} octets`
  const at = address.lastIndexOf('@')
  if (at < 1 || at === address.length - 1) return 'the address has no local part or no domain'
  return undefined
}

/** Whether the text needs SMTPUTF8 to be said (RFC 6531). */
export function isAscii(text: string): boolean {
  return /^[\u0000-\u007f]*$/.test(text)
}

/**
 * A name to greet with: a domain name of two labels or more, or an address literal (RFC 5321 section 4.1.3).
 * A bare IP address is neither, and servers refuse it.
 */
export function heloFault(helo: string): string | undefined {
  if (helo.length > 255) return 'the HELO name is too long'
  if (/^\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|IPv6:[0-9a-fA-F:.]{2,45})\]$/.test(helo)) return undefined
  if (/^[0-9.]+$/.test(helo) || helo.includes(':')) return 'a bare IP address is no HELO name: write it as [192.0.2.1]'
  const labels = helo.split('.')
  if (labels.length > 1 && labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label))) return undefined
  return 'the HELO name is neither a full domain name nor an address literal'
}

/** `MAIL FROM:<a@x> SIZE=1`. The address was found without fault, or is '' for the null path. */
export function mailCommand(from: string, parameters: readonly string[]): string {
  return ['MAIL', `FROM:<${from}>`, ...parameters].join(' ')
}

/** `RCPT TO:<b@y>`, with no space before the path: servers may refuse it. */
export function rcptCommand(address: string, parameters: readonly string[]): string {
  return ['RCPT', `TO:<${address}>`, ...parameters].join(' ')
}

/** NOTIFY's value (RFC 3461 section 4.1), or why it is none. */
export function notifyFault(notify: string): string | undefined {
  if (notify === 'NEVER') return undefined
  const words = notify.split(',')
  const known = words.every((word) => word === 'SUCCESS' || word === 'FAILURE' || word === 'DELAY')
  return known && new Set(words).size === words.length
    ? undefined
    : 'NOTIFY is not NEVER nor a list of SUCCESS, FAILURE, DELAY'
}

/** Why an envelope id cannot be said: RFC 3461 section 4.4 wants printable US-ASCII. */
export function envelopeIdFault(id: string): string | undefined {
  return /^[\u0020-\u007e]+$/.test(id) && id.length <= MAX_ENVELOPE_ID
    ? undefined
    : 'ENVID is not short printable ASCII'
}

export function orcptFault(address: string): string | undefined {
  return addressFault(address) ?? (orcpt(address).length > MAX_ORCPT ? 'ORCPT is too long' : undefined)
}

/** An original recipient as ORCPT says it: `rfc822;` and xtext, or `utf-8;` with escapes (RFC 6533 section 3). */
export function orcpt(address: string): string {
  if (isAscii(address)) return `rfc822;${xtext(address)}`
  const escaped = Array.from(address, (character) =>
    /[!-*,-<>-[\]-~]/.test(character)
      ? character
      : `\\x{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
  )
  return `utf-8;${escaped.join('')}`
}

/** RFC 3461 section 4: printable ASCII but '+' and '='; all else as '+' and two digits. */
export function xtext(ascii: string): string {
  return ascii.replace(
    /[^!-*,-<>-~]/g,
    (character) => `+${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** Base64 of a text's UTF-8, for SASL. */
export function base64(text: string): string {
  return toBase64(utf8(text))
}
