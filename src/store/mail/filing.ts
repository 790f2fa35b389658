/** Makes messages exist: one batch of counters, events, whatever else belongs to them, and last the messages. */
import { type SQL, sql } from 'drizzle-orm'
import type { Marks } from '../../mail/marks.ts'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { type Fulfilment, fulfil, mayFulfil } from '../sending/owed.ts'
import { type Member, noneUnsubscribed } from '../sending/unsubscribes.ts'
import { beingMoved } from '../settle.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { noneSuppressed } from '../suppressions.ts'
import { type Change, type Changed, type KeySends, made, makeChange, type NewEvent, newSeq } from './change.ts'
import type { HeldMessage } from './rows.ts'
import {
  MAILBOXES,
  MAX_JSON,
  type Parties,
  type Recipient,
  type StoredParts,
  type Tag,
  type Verdicts,
} from './shapes.ts'
import { addTask } from './tasks.ts'

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
  marks: Marks | null
  tags: Tag[]
  recipients: Recipient[] | null
  lastEvent: string | null
  /** Sent mail that waits: when it is to be released. */
  scheduledAt?: number
  due: number | null
}

type Terms = {
  now: number
  /** New for every attempt. */
  token: string
  /** Recipients that count towards the day's quota. */
  sends?: number
  /** The same for the quota of the key that sends them. */
  keySends?: KeySends
  /** Addresses, as `addressKey` writes them, none of which may be on the suppression list. */
  clear?: readonly string[]
  /** None of these may have left their list. */
  members?: readonly Member[]
  keeping?: Keeping
  /** What other stages owe from then on. Stored with the message, or not at all. */
  tasks?: readonly OwedTask[]
  /** A draft that goes as the one message comes: it must be as it was read, and leaves its mailbox for the message's. */
  instead?: HeldMessage
  /** A task that this settles: it must be ours, and ends with it. */
  fulfils?: Fulfilment
}

/** Work for another stage: the row a task begins as. `state` is JSON, `due` ms since 1970. */
export type OwedTask = { kind: string; ref: string; state: unknown; due: number }

export type Filing = Terms & { message: NewMessage; events: NewEvent[] }

/** Several that are stored all or none, with an event each, in their order, and what else is told after these. */
export type FilingTogether = Terms & {
  filed: readonly { message: NewMessage; event: NewEvent }[]
  told?: readonly NewEvent[]
}

/** Stores the message; undefined where it may not be, for a reason that `whyNotFiled` tells. Repeated, it writes nothing. */
export async function fileMessage(stores: Stores, account: AccountRef, filing: Filing): Promise<Changed | undefined> {
  const { message } = filing
  const isNew = sql`NOT EXISTS (SELECT 1 FROM messages WHERE account = ${account.number}
    AND msgid_hash = ${message.msgidHash} AND dedupe = ${message.dedupe})`
  return file(stores, account, { ...filing, messages: [message], isNew })
}

/** Stores them in one transaction; undefined where they may not be, or one is there already. Repeated, it writes nothing. */
export async function fileTogether(
  stores: Stores,
  account: AccountRef,
  { filed, told = [], ...terms }: FilingTogether,
): Promise<Changed | undefined> {
  const messages = filed.map(({ message }) => message)
  const events = [...filed.map(({ event }) => event), ...told]
  const hashes = JSON.stringify(messages.map(({ msgidHash, dedupe }) => [msgidHash, dedupe]))
  const isNew = sql`NOT EXISTS (SELECT 1 FROM json_each(${hashes}) AS h CROSS JOIN messages AS m
    ON m.account = ${account.number} AND m.msgid_hash = h.value ->> 0 AND m.dedupe = h.value ->> 1)`
  return file(stores, account, { ...terms, messages, events, isNew })
}

async function file(
  stores: Stores,
  account: AccountRef,
  filing: Terms & { messages: NewMessage[]; events: NewEvent[]; isNew: SQL },
): Promise<Changed | undefined> {
  const { messages, events, isNew, now, token, sends, keySends, keeping, tasks = [], instead, fulfils } = filing
  const { number } = account
  const clear = filing.clear ? sql` AND ${noneSuppressed(number, filing.clear)}` : sql``
  const members = filing.members?.length ? sql` AND ${noneUnsubscribed(number, filing.members)}` : sql``
  const unanswered = keeping ? sql` AND ${notAnswered(number, keeping.once, now)}` : sql``
  const fulfilling = fulfils ? sql` AND ${mayFulfil(number, fulfils)}` : sql``
  const change: Change = {
    account: number,
    now,
    token,
    only: sql`${isNew}${hasMailboxes(number, messages)}${clear}${members}${unanswered}${fulfilling}${instead ? isAsRead(number, instead) : sql``}`,
    boxes: [...gained(messages), ...(instead ? [lost(instead)] : [])],
    bytes: messages.reduce((sum, { size }) => sum + size, -(instead?.size ?? 0)),
    messages: messages.length - (instead ? 1 : 0),
    ...(sends ? { sends } : {}),
    ...(keySends ? { keySends } : {}),
    events,
    steps: instead ? 1 : 0,
  }
  const kept = keeping ? [keepAnswer(number, keeping.once, now, keeping.status, keeping.answer, made(change))] : []
  const owed = tasks.map((task) => addTask({ ...task, account: number }, made(change)))
  const ended = fulfils ? fulfil(change, fulfils) : []
  // Each takes the seq of its event for its uid, so that no two have the same.
  const inserts = messages.map((message, at) =>
    insertMessage(message, change, instead ? 0 : Math.max(0, events.length - 1 - at)),
  )
  const left = instead ? leaveDrafts(change, instead, messages[0]?.mailbox ?? 0) : []
  return makeChange(mailOf(stores, account), change, [...kept, ...owed, ...ended, ...left, ...inserts])
}

function isAsRead(account: number, { direction, id, modseq }: HeldMessage): SQL {
  return sql` AND EXISTS (SELECT 1 FROM messages
    WHERE account = ${account} AND direction = ${direction} AND id = ${id} AND modseq = ${modseq})`
}

function lost({ mailbox, keywords }: HeldMessage): NonNullable<Change['boxes']>[number] {
  return { mailbox: mailbox.number, messages: -1, unread: keywords.includes('$seen') ? 0 : -1 }
}

/** The draft's row goes; the event of its move is the change's last step, which is the uid of what comes in its place. */
function leaveDrafts(change: Change, { direction, id, mailbox, uid }: HeldMessage, to: number): SQL[] {
  const from = JSON.stringify({ mailbox: mailbox.id, uid })
  return [
    sql`DELETE FROM messages WHERE account = ${change.account} AND direction = ${direction} AND id = ${id} AND ${made(change)}`,
    sql`INSERT INTO events (account, seq, type, message, data, created_at)
      SELECT c.account, c.seq, 'message.moved', ${id}, json_object('messages', json_array(json_object('id', ${id},
        'mailbox', (SELECT b.id FROM mailboxes AS b WHERE b.account = c.account AND b.number = ${to}), 'uid', c.seq,
        'keywords', json('{"$seen":true}'), 'from', json(${from})))), ${change.now}
      FROM counters AS c WHERE c.account = ${change.account} AND c.change = ${change.token}`,
  ]
}

/** Mailboxes of the account's own may have been deleted since they were named. */
function hasMailboxes(account: number, messages: NewMessage[]): SQL {
  const own = [...new Set(messages.map(({ mailbox }) => mailbox))].filter((number) => number > MAILBOXES.length)
  return sql.join(
    own.map((number) => sql` AND EXISTS (SELECT 1 FROM mailboxes WHERE account = ${account} AND number = ${number})`),
  )
}

/** What each mailbox gains. */
export function gained(messages: NewMessage[]): { mailbox: number; messages: number; unread: number }[] {
  return [...Map.groupBy(messages, ({ mailbox }) => mailbox)].map(([mailbox, some]) => ({
    mailbox,
    messages: some.length,
    unread: some.filter(({ keywords }) => !keywords.includes('$seen')).length,
  }))
}

/** Why a message was not filed: it is there already, its mailbox is not, or the account takes nothing (more). */
export async function whyNotFiled(
  stores: Stores,
  account: AccountRef,
  message: Pick<NewMessage, 'msgidHash' | 'dedupe' | 'size'> & { mailbox?: number },
): Promise<
  { kind: 'exists'; id: string } | { kind: 'closed' } | { kind: 'full' } | { kind: 'quota' } | { kind: 'no mailbox' }
> {
  const [row] = await mailOf(stores, account).all<Record<string, string | number | null>>(
    sql`SELECT state, storage_bytes, bytes, (SELECT id FROM messages WHERE account = ${account.number}
        AND msgid_hash = ${message.msgidHash} AND dedupe = ${message.dedupe}) AS existing,
        EXISTS (SELECT 1 FROM mailboxes WHERE account = ${account.number} AND number = ${message.mailbox ?? MAILBOXES[0].number}) AS boxed
      FROM counters WHERE account = ${account.number}`,
  )
  if (typeof row?.existing === 'string') return { kind: 'exists', id: row.existing }
  if (row?.state === 'draining' || row?.state === 'moving') throw beingMoved()
  if (row?.state !== 'active') return { kind: 'closed' }
  if (row.storage_bytes !== null && Number(row.bytes) + message.size > Number(row.storage_bytes))
    return { kind: 'full' }
  return row.boxed ? { kind: 'quota' } : { kind: 'no mailbox' }
}

/** Why the account would not take so many octets, or sends, now; undefined where it would. Counts nothing. */
export async function wouldFit(
  stores: Stores,
  account: AccountRef,
  { bytes, sends, now }: { bytes: number; sends: number; now: number },
): Promise<'closed' | 'full' | 'quota' | undefined> {
  const [row] = await mailOf(stores, account).all<{ state: string; full: number; quota: number }>(
    sql`SELECT state, COALESCE(bytes + ${bytes} > storage_bytes, 0) AS "full",
        COALESCE(CASE WHEN day = ${Math.floor(now / 86_400_000)} THEN sent ELSE 0 END + ${sends} > sends_per_day, 0) AS quota
      FROM counters WHERE account = ${account.number}`,
  )
  if (row?.state === 'draining' || row?.state === 'moving') throw beingMoved()
  if (row?.state !== 'active') return 'closed'
  if (row.full) return 'full'
  return row.quota && sends > 0 ? 'quota' : undefined
}

/** The id of a message that was filed under these hashes: what to read back after an ambiguous error. */
export async function findFiled(
  stores: Stores,
  account: AccountRef,
  message: Pick<NewMessage, 'id' | 'direction' | 'rawKey'>,
): Promise<boolean> {
  // A draft has the id of the mail that it becomes.
  const rows = await mailOf(stores, account).all(
    sql`SELECT 1 FROM messages WHERE account = ${account.number} AND direction = ${message.direction} AND id = ${message.id}
      AND (last_event IS NOT NULL OR raw_key = ${message.rawKey})`,
  )
  return rows.length > 0
}

/** Each takes a uid of its own: `later` is how many of the change's steps come after its own. */
export function insertMessage(message: NewMessage, change: Change, later: number): SQL {
  const { account } = change
  const seq = sql`${newSeq(change)} - ${later}`
  // Left to itself, SQLite reads every message of the account.
  const known = sql`(SELECT m.thread FROM json_each(${JSON.stringify(message.references)}) AS reference
    CROSS JOIN messages AS m INDEXED BY messages_msgid ON m.account = ${account} AND m.msgid_hash = reference.value
    ORDER BY reference.key LIMIT 1)`
  const keywords = JSON.stringify(Object.fromEntries(message.keywords.map((keyword) => [keyword, true])))
  return sql`INSERT INTO messages (account, direction, id, created_at, mailbox, uid, filed, modseq, keywords, thread,
      msgid_hash, dedupe, message_id, sender, recipient, address, tag, parties, subject, preview, dated, size,
      has_attachment, parts, raw_key, verdicts, problems, marks, tags, recipients, last_event, scheduled_at, due)
    SELECT ${account}, ${message.direction}, ${message.id}, ${message.createdAt}, ${message.mailbox}, ${seq}, ${seq}, ${seq},
      ${keywords}, COALESCE(${known}, ${message.thread}), ${message.msgidHash}, ${message.dedupe}, ${message.messageId},
      ${message.sender}, ${message.recipient}, ${message.address}, ${message.tag}, ${JSON.stringify(message.parties)},
      ${message.subject}, ${message.preview}, ${message.dated}, ${message.size}, ${message.hasAttachment ? 1 : 0},
      ${capped(message.parts)}, ${message.rawKey}, ${orNull(message.verdicts)},
      ${message.problems.length > 0 ? JSON.stringify(message.problems) : null}, ${orNull(message.marks)},
      ${message.tags.length > 0 ? JSON.stringify(message.tags) : null}, ${orNull(message.recipients)},
      ${message.lastEvent}, ${message.scheduledAt ?? null}, ${message.due}
    WHERE ${made(change)}`
}

export function orNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

/** A part tree too large for a row is left out, and read from the raw bytes when it is wanted. */
export function capped(value: unknown): string | null {
  const text = orNull(value)
  return text !== null && text.length > MAX_JSON ? null : text
}
