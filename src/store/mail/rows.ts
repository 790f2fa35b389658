/** What a message's row says, read out of its columns. */
import { type SQL, sql } from 'drizzle-orm'
import type { Marks } from '../../mail/marks.ts'
import type { Part } from '../../mail/mime/parts.ts'
import type { Row } from './change.ts'
import type { Parties, Recipient, Tag, Verdicts } from './shapes.ts'

/** What a list shows of a message. */
export type MessageLine = {
  id: string
  /** RECEIVED or SENT. */
  direction: number
  createdAt: number
  mailbox: { number: number; id: string }
  uid: number
  modseq: number
  keywords: string[]
  thread: string
  /** Without angle brackets; null where the mail had none. */
  messageId: string | null
  sender: string
  recipient: string | null
  address: string | null
  tag: string | null
  parties: Parties
  subject: string
  preview: string
  dated: number | null
  size: number
  hasAttachment: boolean
  marks: Marks | null
  lastEvent: string | null
  scheduledAt: number | null
}

/** All of it. `parts` is null where the tree was too large for the row. */
export type StoredMessage = MessageLine & {
  parts: Part | null
  rawKey: string
  verdicts: Verdicts | null
  problems: string[]
  tags: Tag[]
  recipients: Recipient[]
  relay: string | null
  /** When the next delivery attempt is due; null once every recipient is settled. */
  due: number | null
}

/** The columns of a line, of the table named `m`. */
export const LINE: SQL = sql.raw(
  ['id', 'direction', 'created_at', 'mailbox', 'uid', 'modseq', 'keywords', 'thread', 'message_id', 'sender']
    .concat(['recipient', 'address', 'tag', 'parties', 'subject', 'preview', 'dated', 'size', 'has_attachment'])
    .concat(['marks', 'last_event', 'scheduled_at'])
    .map((column) => `m.${column}`)
    .concat('(SELECT b.id FROM mailboxes AS b WHERE b.account = m.account AND b.number = m.mailbox) AS mailbox_id')
    .join(', '),
)

/** The columns of a whole message, of the table named `m`. */
export const WHOLE: SQL = sql`${LINE}, ${sql.raw('m.parts, m.raw_key, m.verdicts, m.problems, m.tags, m.recipients, m.relay, m.due')}`

/** What changes and copies of many messages must know of each. */
export type HeldMessage = Pick<
  StoredMessage,
  'id' | 'direction' | 'mailbox' | 'uid' | 'modseq' | 'keywords' | 'size' | 'due' | 'rawKey' | 'lastEvent'
> & {
  /** ms since 1970: when it was made here. */
  createdAt: number
  sender: string
}

/** Its columns, of the table named `m`. */
export const HELD: SQL = sql.raw(
  ['id', 'direction', 'mailbox', 'uid', 'modseq', 'keywords', 'size', 'due', 'raw_key', 'last_event']
    .concat(['created_at', 'sender'])
    .map((column) => `m.${column}`)
    .concat('(SELECT b.id FROM mailboxes AS b WHERE b.account = m.account AND b.number = m.mailbox) AS mailbox_id')
    .join(', '),
)

export function asHeld(row: Row): HeldMessage {
  return {
    id: String(row.id),
    direction: Number(row.direction),
    mailbox: { number: Number(row.mailbox), id: String(row.mailbox_id) },
    uid: Number(row.uid),
    modseq: Number(row.modseq),
    keywords: Object.keys(fromColumn<Record<string, true>>(row.keywords) ?? {}),
    size: Number(row.size),
    due: numberOrNull(row.due),
    rawKey: String(row.raw_key),
    lastEvent: orNull(row.last_event),
    createdAt: Number(row.created_at),
    sender: String(row.sender),
  }
}

export function asLine(row: Row): MessageLine {
  return {
    id: String(row.id),
    direction: Number(row.direction),
    createdAt: Number(row.created_at),
    mailbox: { number: Number(row.mailbox), id: String(row.mailbox_id) },
    uid: Number(row.uid),
    modseq: Number(row.modseq),
    keywords: Object.keys(fromColumn<Record<string, true>>(row.keywords) ?? {}),
    thread: String(row.thread),
    messageId: orNull(row.message_id),
    sender: String(row.sender),
    recipient: orNull(row.recipient),
    address: orNull(row.address),
    tag: orNull(row.tag),
    parties: fromColumn<Parties>(row.parties) ?? { from: [], to: [], cc: [], bcc: [], reply_to: [] },
    subject: String(row.subject),
    preview: String(row.preview),
    dated: numberOrNull(row.dated),
    size: Number(row.size),
    hasAttachment: Number(row.has_attachment) === 1,
    marks: fromColumn<Marks>(row.marks),
    lastEvent: orNull(row.last_event),
    scheduledAt: numberOrNull(row.scheduled_at),
  }
}

export function asStored(row: Row): StoredMessage {
  return {
    ...asLine(row),
    parts: fromColumn<Part>(row.parts),
    rawKey: String(row.raw_key),
    verdicts: fromColumn<Verdicts>(row.verdicts),
    problems: fromColumn<string[]>(row.problems) ?? [],
    tags: fromColumn<Tag[]>(row.tags) ?? [],
    recipients: fromColumn<Recipient[]>(row.recipients) ?? [],
    relay: orNull(row.relay),
    due: numberOrNull(row.due),
  }
}

/** A JSON column as the type it was written from: only the functions of this folder write these columns. */
export function fromColumn<T>(value: unknown): T | null {
  return typeof value === 'string' ? (JSON.parse(value) as T) : null
}

function orNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
