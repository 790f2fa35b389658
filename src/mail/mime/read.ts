/** Reads what a message says: names, subject, text, HTML. Out of its skeleton; no bytes make it throw. */
import { addressParser } from 'postal-mime'
import { messageIds } from '../thread.ts'
import { decodeEncodedWords } from './charset.ts'
import { parseDate } from './date.ts'
import type { Fields } from './header.ts'
import { firstField, readFields, trimBlank } from './header.ts'
import type { AttachmentView, Part } from './parts.ts'
import { listAttachments } from './parts.ts'
import { previewOf } from './preview.ts'
import { readBodies } from './text.ts'

/** A name, decoded, and an address as it was written; either may be empty, not both. */
export type Mailbox = { name: string; address: string }

export type ReadMessage = {
  subject: string | undefined
  from: Mailbox | undefined
  sender: Mailbox | undefined
  to: Mailbox[]
  cc: Mailbox[]
  bcc: Mailbox[]
  replyTo: Mailbox[]
  /** The Date field in ms since 1970. */
  date: number | undefined
  /** Ids without angle brackets, as the sender wrote them: never made up. */
  messageId: string | undefined
  inReplyTo: string[]
  references: string[]
  text: string | undefined
  html: string | undefined
  preview: string
  /** Every field of the message's own header, in its order; see `fieldMap`. */
  headers: Fields
  attachments: AttachmentView[]
  /** The indexer's problems and: field_limit, subject_limit, address_limit, reference_limit, unknown_charset, unparsed. */
  problems: string[]
}

/** Fields cost memory each; real mail has a hundred at most, trace fields included. */
const MAX_FIELDS = 2000

/** Encoded words and addresses are decoded by a library whose work may grow with the square of this. */
const MAX_VALUE = 64 * 1024

/** Addresses of one field: they are kept in the message's row. The raw message has them all. */
const MAX_ADDRESSES = 1000

/** Ids of one field: the first, which names the thread, and the nearest. */
const MAX_REFERENCES = 100

/** What `MimeIntake.end` gave, or the tree of a stored message with its skeleton cut anew. */
export type Readable = { root: Part; skeleton: Uint8Array; problems?: readonly string[] }

export function readMessage({ root, skeleton, problems: known = [] }: Readable): ReadMessage {
  const problems = new Set(known)
  const { fields, cut } = readFields(skeleton.subarray(0, root.body), MAX_FIELDS)
  if (cut) problems.add('field_limit')
  const header = readHeader(fields, problems)
  const none = { text: undefined, html: undefined }
  const { text, html } = attempt(() => readBodies(root, skeleton, problems), none, problems)
  return {
    ...header,
    text,
    html,
    preview: previewOf(text, html),
    headers: fields,
    attachments: listAttachments(root),
    problems: [...problems],
  }
}

/** `Name <a@b>`, or whichever of the two there is. */
export function formatMailbox({ name, address }: Mailbox): string {
  if (name === '' || address === '') return name || address
  const quoted = /[()<>[\]:;@\\,."]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name
  return `${quoted} <${address}>`
}

function readHeader(fields: Fields, problems: Set<string>) {
  const value = (name: string) => firstField(fields, name)
  const mailboxes = (name: string) => readMailboxes(fields, name, problems)
  const ids = (name: string) => {
    const written = value(name) ?? ''
    const found = messageIds(written.slice(0, MAX_VALUE))
    if (found.length <= MAX_REFERENCES && written.length <= MAX_VALUE) return found
    problems.add('reference_limit')
    return found.length <= MAX_REFERENCES ? found : [...found.slice(0, 1), ...found.slice(1 - MAX_REFERENCES)]
  }
  const subject = value('subject')
  if ((subject?.length ?? 0) > MAX_VALUE) problems.add('subject_limit')
  const date = value('date')
  const ownId = trimBlank(value('message-id')?.slice(0, MAX_VALUE) ?? '')
  return {
    subject: subject === undefined ? undefined : decodeEncodedWords(subject.slice(0, MAX_VALUE)),
    from: mailboxes('from')[0],
    sender: mailboxes('sender')[0],
    to: mailboxes('to'),
    cc: mailboxes('cc'),
    bcc: mailboxes('bcc'),
    replyTo: mailboxes('reply-to'),
    date: date === undefined ? undefined : parseDate(date),
    messageId: (messageIds(ownId)[0] ?? ownId) || undefined,
    inReplyTo: ids('in-reply-to'),
    references: ids('references'),
  }
}

/** All addresses of all fields of a name, groups taken apart; From and Sender count once, as a repeated one is a forgery. */
function readMailboxes(fields: Fields, name: string, problems: Set<string>): Mailbox[] {
  const once = name === 'from' || name === 'sender'
  const values = once
    ? [firstField(fields, name) ?? '']
    : fields.filter(([written]) => written.toLowerCase() === name).map(([, value]) => value)
  let list = values.join(', ')
  if (list.length > MAX_VALUE) {
    problems.add('address_limit')
    // Cut before a comma: half an address would be somebody else's.
    list = list.slice(0, Math.max(0, list.lastIndexOf(',', MAX_VALUE)))
  }
  const found = attempt(() => addressParser(list, { flatten: true }), [], problems)
    .map(({ name, address }) => ({ name: name.trim(), address: address?.trim() ?? '' }))
    .filter(({ name, address }) => name !== '' || address !== '')
  if (found.length > MAX_ADDRESSES) problems.add('address_limit')
  return found.slice(0, MAX_ADDRESSES)
}

function attempt<T>(read: () => T, otherwise: T, problems: Set<string>): T {
  try {
    return read()
  } catch {
    problems.add('unparsed')
    return otherwise
  }
}
