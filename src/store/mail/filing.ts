/** Makes a message exist: one batch of counters, event, whatever else belongs to it, and last the message. */
import { type SQL, sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { type Changed, made, makeChange, type NewEvent, newSeq } from './change.ts'
import { MAX_JSON, type Parties, type Recipient, type StoredParts, type Tag, type Verdicts } from './shapes.ts'

/** A message as a stage hands it over to be stored. */
export type NewMessage = {
  id: string
  direction: 0 | 1
  createdAt: number
  mailbox: number
  keywords: string[]
  /** Hash of the Message-ID, and of what makes two messages with it the same. */
  msgidHash: string
  dedupe: string
  messageId: string | null
  /** Hashes of the Message-IDs it answers, the nearest first; if one is known, its thread is taken. */
  references: string[]
  /** The thread it opens or, with others that name the same root, meets in. */
  thread: string
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
  parts: StoredParts | null
  rawKey: string
  verdicts: Verdicts | null
  problems: string[]
  tags: Tag[]
  recipients: Recipient[] | null
  lastEvent: string | null
  due: number | null
}

export type Filing = {
  message: NewMessage
  now: number
  /** New for every attempt. */
  token: string
  events: NewEvent[]
  /** Recipients that count towards the day's quota. */
  sends?: number
  keeping?: Keeping
}

/** Stores the message; undefined where it may not be, for a reason that `whyNotFiled` tells. Repeated, it writes nothing. */
export async function fileMessage(stores: Stores, account: AccountRef, filing: Filing): Promise<Changed | undefined> {
  const { message, now, token, keeping } = filing
  const isNew = sql`NOT EXISTS (SELECT 1 FROM messages WHERE account = ${account.number}
    AND msgid_hash = ${message.msgidHash} AND dedupe = ${message.dedupe})`
  const change = {
    account: account.number,
    now,
    token,
    only: keeping ? sql`${isNew} AND ${notAnswered(account.number, keeping.once, now)}` : isNew,
    boxes: [{ mailbox: message.mailbox, messages: 1, unread: message.keywords.includes('$seen') ? 0 : 1 }],
    bytes: message.size,
    messages: 1,
    ...(filing.sends ? { sends: filing.sends } : {}),
    events: filing.events,
  }
  const kept = keeping
    ? [keepAnswer(account.number, keeping.once, now, keeping.status, keeping.answer, made(change))]
    : []
  return makeChange(mailOf(stores, account), change, [...kept, insertMessage(account.number, message, change)])
}

/** Why a message was not filed: it is there already, or the account takes nothing (more). */
export async function whyNotFiled(
  stores: Stores,
  account: AccountRef,
  message: Pick<NewMessage, 'msgidHash' | 'dedupe' | 'size'>,
): Promise<{ kind: 'exists'; id: string } | { kind: 'closed' } | { kind: 'full' } | { kind: 'quota' }> {
  const [row] = await mailOf(stores, account).all<Record<string, string | number | null>>(
    sql`SELECT state, storage_bytes, bytes, (SELECT id FROM messages WHERE account = ${account.number}
        AND msgid_hash = ${message.msgidHash} AND dedupe = ${message.dedupe}) AS existing
      FROM counters WHERE account = ${account.number}`,
  )
  if (typeof row?.existing === 'string') return { kind: 'exists', id: row.existing }
  if (row?.state !== 'active') return { kind: 'closed' }
  if (row.storage_bytes !== null && Number(row.bytes) + message.size > Number(row.storage_bytes))
    return { kind: 'full' }
  return { kind: 'quota' }
}

/** The id of a message that was filed under these hashes: what to read back after an ambiguous error. */
export async function findFiled(
  stores: Stores,
  account: AccountRef,
  message: Pick<NewMessage, 'id' | 'direction'>,
): Promise<boolean> {
  const rows = await mailOf(stores, account).all(
    sql`SELECT 1 FROM messages WHERE account = ${account.number} AND direction = ${message.direction} AND id = ${message.id}`,
  )
  return rows.length > 0
}

function insertMessage(account: number, message: NewMessage, change: { account: number; token: string }): SQL {
  const seq = newSeq(change)
  const known = sql`(SELECT m.thread FROM json_each(${JSON.stringify(message.references)}) AS reference
    JOIN messages AS m ON m.account = ${account} AND m.msgid_hash = reference.value ORDER BY reference.key LIMIT 1)`
  const keywords = JSON.stringify(Object.fromEntries(message.keywords.map((keyword) => [keyword, true])))
  return sql`INSERT INTO messages (account, direction, id, created_at, mailbox, uid, modseq, keywords, thread,
      msgid_hash, dedupe, message_id, sender, recipient, address, tag, parties, subject, preview, dated, size,
      has_attachment, parts, raw_key, verdicts, problems, tags, recipients, last_event, due)
    SELECT ${account}, ${message.direction}, ${message.id}, ${message.createdAt}, ${message.mailbox}, ${seq}, ${seq},
      ${keywords}, COALESCE(${known}, ${message.thread}), ${message.msgidHash}, ${message.dedupe}, ${message.messageId},
      ${message.sender}, ${message.recipient}, ${message.address}, ${message.tag}, ${JSON.stringify(message.parties)},
      ${message.subject}, ${message.preview}, ${message.dated}, ${message.size}, ${message.hasAttachment ? 1 : 0},
      ${capped(message.parts)}, ${message.rawKey}, ${orNull(message.verdicts)},
      ${message.problems.length > 0 ? JSON.stringify(message.problems) : null},
      ${message.tags.length > 0 ? JSON.stringify(message.tags) : null}, ${orNull(message.recipients)},
      ${message.lastEvent}, ${message.due}
    WHERE ${made(change)}`
}

function orNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

/** A part tree too large for a row is left out, and read from the raw bytes when it is wanted. */
function capped(value: unknown): string | null {
  const text = orNull(value)
  return text !== null && text.length > MAX_JSON ? null : text
}
