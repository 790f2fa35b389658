/** Whom a mail is from and to: every text parsed once, every fault named. */
import { type FieldFault, Problem } from '../base/problem.ts'
import type { Mail } from '../contract/emails.ts'
import { type Address, addressKey, type Mailbox, parseMailbox } from '../mail/address.ts'

export type MailParties = {
  from: Mailbox
  to: Mailbox[]
  cc: Mailbox[]
  bcc: Mailbox[]
  replyTo: Mailbox[]
  /** Everyone it goes to, each once. */
  recipients: Address[]
}

/** What Resend takes in one field; the total below bounds the work of one request. */
const MAX_PER_FIELD = 50

/** Reads the parties of a request. @throws Problem naming every field that is no address. */
export function readParties(body: Mail): MailParties {
  const faults: FieldFault[] = []
  const read = (field: 'to' | 'cc' | 'bcc' | 'reply_to') => readList(field, body[field], faults)
  const from = parseMailbox(body.from)
  const parties = { to: read('to'), cc: read('cc'), bcc: read('bcc'), replyTo: read('reply_to') }
  if (parties.to.length === 0 && !faults.some((fault) => fault.path.startsWith('to'))) {
    faults.push({ path: 'to', reason: 'needs at least one address' })
  }
  if (!from) {
    throw new Problem('invalid_from_address', `Invalid \`from\` field. ${FORMAT}`, {
      fields: [{ path: 'from', reason: 'is not an email address' }, ...faults],
    })
  }
  const first = faults[0]
  if (first) {
    const name = first.path.replace(/\[.*/, '')
    throw new Problem('validation_error', `Invalid \`${name}\` field: \`${first.path}\` ${first.reason}. ${FORMAT}`, {
      fields: faults,
    })
  }
  return { from, ...parties, recipients: eachOnce([...parties.to, ...parties.cc, ...parties.bcc]) }
}

const FORMAT = 'The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.'

/** The mailboxes of one field; what is none is added to the faults. */
export function readList(field: string, value: string | string[] | null | undefined, faults: FieldFault[]): Mailbox[] {
  const texts = value === null || value === undefined ? [] : Array.isArray(value) ? value : [value]
  if (texts.length > MAX_PER_FIELD) faults.push({ path: field, reason: `has more than ${MAX_PER_FIELD} addresses` })
  return texts.flatMap((text, at) => {
    const mailbox = parseMailbox(text)
    if (mailbox) return [mailbox]
    faults.push({ path: Array.isArray(value) ? `${field}[${at}]` : field, reason: 'is not an email address' })
    return []
  })
}

/** One copy for each: the same address in To and Bcc gets one. */
export function eachOnce(mailboxes: Mailbox[]): Address[] {
  const seen = new Map(mailboxes.map(({ address }) => [addressKey(address), address]))
  return [...seen.values()]
}
