/**
 * What Cloudflare's mail service takes (its pages "Email headers" and "Limits"), looked at before a mail is given to it: of header
 * fields those on its list, and those that begin with X-; some it writes by itself, and they are taken out.
 */
import { concat, latin1, utf8 } from '../../base/bytes.ts'

/** To any recipient; only verified ones of the account's own get more. */
export const MAX_BYTES = 5 * 1024 * 1024

const MAX_SUBJECT = 998
const MAX_LISTED = 20
const MAX_NAME = 100
const MAX_VALUE = 2048
const MAX_FIELDS_BYTES = 16 * 1024

/** Written by the service: a mail that brings its own is refused, or has them overwritten. */
const DROPPED = /^(?:received|return-path|dkim-signature|feedback-id|arc-.*|tls-required|tls-report-.*|cfbl-.*|bcc)$/

/** The mail itself. Date and Message-ID become the service's own. */
const BASIC = new Set(
  'from to cc subject reply-to date message-id mime-version content-type content-transfer-encoding'.split(' '),
)

const LISTED = new Set(
  `in-reply-to references list-unsubscribe list-unsubscribe-post list-id list-archive list-help list-owner list-post
  list-subscribe precedence auto-submitted content-language keywords comments importance priority sensitivity organization
  require-recipient-valid-since expires reply-by archived-at`.split(/\s+/),
)

/** The mail as it may be given over, or why it may not. */
export function prepareMail(bytes: Uint8Array): { raw: Uint8Array } | { fault: string } {
  if (bytes.length > MAX_BYTES) {
    return { fault: `the message has ${bytes.length} octets, and Cloudflare takes ${MAX_BYTES}` }
  }
  const { fields, body } = split(bytes)
  const kept = fields.filter(({ name }) => !DROPPED.test(name))
  const fault = faultIn(kept)
  return fault ? { fault } : { raw: concat([...kept.map(({ octets }) => octets), body]) }
}

type Field = { name: string; value: string; octets: Uint8Array }

function faultIn(fields: readonly Field[]): string | undefined {
  const names = fields.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice) return `the header field ${twice} stands there twice`
  const further = fields.filter(({ name }) => !BASIC.has(name))
  const strange = further.find(({ name }) => !LISTED.has(name) && !/^x-[a-z0-9_-]+$/.test(name))
  if (strange) return `Cloudflare does not take the header field ${strange.name}`
  const faulty = further.find(({ name, value }) => name.length > MAX_NAME || value === '' || value.length > MAX_VALUE)
  if (faulty) return `Cloudflare takes no header field ${faulty.name} that is empty or longer than ${MAX_VALUE} octets`
  const subject = fields.find(({ name }) => name === 'subject')?.value ?? ''
  if (subject.length > MAX_SUBJECT) return `the subject is longer than ${MAX_SUBJECT} characters`
  const listed = further.filter(({ name }) => LISTED.has(name)).length
  if (listed > MAX_LISTED) return `there are ${listed} further header fields, and Cloudflare takes ${MAX_LISTED}`
  const octets = further.reduce((sum, { name, value }) => sum + name.length + value.length + 4, 0)
  return octets > MAX_FIELDS_BYTES
    ? `further header fields have ${octets} octets, and Cloudflare takes 16 KB`
    : undefined
}

/** The header's fields, each with its line ends, and all that follows. In one pass. */
function split(bytes: Uint8Array): { fields: Field[]; body: Uint8Array } {
  const fields: Field[] = []
  let begin = 0
  while (begin < bytes.length) {
    if (bytes[begin] === 10 || (bytes[begin] === 13 && bytes[begin + 1] === 10)) break
    let end = lineEnd(bytes, begin)
    while (bytes[end] === 32 || bytes[end] === 9) end = lineEnd(bytes, end)
    const octets = bytes.subarray(begin, end)
    const text = latin1(octets)
    const colon = text.indexOf(':')
    const name = colon < 0 ? '' : text.slice(0, colon).trim().toLowerCase()
    const value = text
      .slice(colon + 1)
      .replace(/\r?\n/g, '')
      .trim()
    fields.push({ name, value, octets })
    begin = end
  }
  const body = bytes.subarray(begin)
  return { fields, body: body.length > 0 ? body : utf8('\r\n') }
}

function lineEnd(bytes: Uint8Array, from: number): number {
  const at = bytes.indexOf(10, from)
  return at < 0 ? bytes.length : at + 1
}
