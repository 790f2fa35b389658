/** Changes to messages at rest. Each holds only while the messages are as they were read, and moves the account's counters exactly. */
import { type SQL, sql } from 'drizzle-orm'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { type Change, type Changed, made, makeChange, newSeq } from './change.ts'
import type { StoredMessage } from './rows.ts'

/** When a change is made, and the random token of this attempt at it. */
export type Stamp = { now: number; token: string }

/** What of a message a change must know. */
export type Held = Pick<StoredMessage, 'id' | 'direction' | 'mailbox' | 'uid' | 'modseq' | 'keywords' | 'size'>

/** What a message is to become. */
export type Target = {
  keywords: string[]
  mailbox: { number: number; id: string }
}

export type Alteration = { message: Held; target: Target }

/**
 * Sets keywords and mailbox of messages, all or none, in one batch; what moves gets a new uid. An event names all that
 * moved, another all that only changed. Undefined where one has changed since, or a mailbox is gone.
 */
export async function alterMessages(
  stores: Stores,
  account: AccountRef,
  alterations: readonly Alteration[],
  stamp: Stamp,
): Promise<Changed | undefined> {
  const moved = alterations.filter(({ message, target }) => message.mailbox.number !== target.mailbox.number)
  const kept = alterations.filter(({ message, target }) => message.mailbox.number === target.mailbox.number)
  const targets = JSON.stringify([...new Set(alterations.map(({ target }) => target.mailbox.number))])
  const change: Change = {
    account: account.number,
    ...stamp,
    only: sql`${areAsRead(account, alterations)} AND NOT EXISTS (SELECT 1 FROM json_each(${targets}) AS t
      LEFT JOIN mailboxes AS b ON b.account = ${account.number} AND b.number = t.value WHERE b.number IS NULL)`,
    boxes: alterations.flatMap(boxesOf),
    events: [],
    steps: moved.length + (kept.length > 0 ? 1 : 0),
  }
  return makeChange(mailOf(stores, account), change, [
    ...(kept.length > 0 ? [insertEvent(change, 'message.updated', kept.map(toldKept), moved.length)] : []),
    ...(moved.length > 0 ? [insertMoved(change, moved)] : []),
    ...updates(change, kept, moved),
  ])
}

/** Sets keywords and mailbox of one message. Undefined where it has changed since, or the mailbox is gone. */
export async function alterMessage(
  stores: Stores,
  account: AccountRef,
  message: Held,
  target: Target,
  stamp: Stamp,
): Promise<Changed | undefined> {
  return alterMessages(stores, account, [{ message, target }], stamp)
}

/** Deletes rows for good, all or none, and leaves their tombstones in one event. Undefined where one has changed since. */
export async function removeMessages(
  stores: Stores,
  account: AccountRef,
  messages: readonly Held[],
  stamp: Stamp,
): Promise<Changed | undefined> {
  const told = messages.map(({ id, mailbox, uid }) => ({ id, mailbox: mailbox.id, uid }))
  const change: Change = {
    account: account.number,
    ...stamp,
    only: areAsRead(
      account,
      messages.map((message) => ({ message })),
    ),
    boxes: messages.map(({ mailbox, keywords }) => ({
      mailbox: mailbox.number,
      messages: -1,
      unread: -isUnread(keywords),
    })),
    bytes: -messages.reduce((sum, { size }) => sum + size, 0),
    messages: -messages.length,
    events: [{ type: 'message.deleted', ...aboutOne(messages), data: { messages: told } }],
  }
  return makeChange(mailOf(stores, account), change, [
    sql`DELETE FROM messages WHERE account = ${account.number} AND ${areThese(messages)} AND ${made(change)}`,
  ])
}

/** Deletes one message for good. Undefined where it has changed since. */
export async function removeMessage(
  stores: Stores,
  account: AccountRef,
  message: Held,
  stamp: Stamp,
): Promise<Changed | undefined> {
  return removeMessages(stores, account, [message], stamp)
}

function boxesOf({ message, target }: Alteration): NonNullable<Change['boxes']> {
  const [before, after] = [isUnread(message.keywords), isUnread(target.keywords)]
  if (message.mailbox.number !== target.mailbox.number) {
    return [
      { mailbox: message.mailbox.number, messages: -1, unread: -before },
      { mailbox: target.mailbox.number, messages: 1, unread: after },
    ]
  }
  return before === after ? [] : [{ mailbox: target.mailbox.number, messages: 0, unread: after - before }]
}

function toldKept({ message, target }: Alteration) {
  return {
    id: message.id,
    mailbox: target.mailbox.id,
    uid: message.uid,
    keywords: keywordObject(target.keywords),
  }
}

/** The change takes a step for each that moves, which is its new uid; the last of them is the event's. */
function insertMoved(change: Change, moved: readonly Alteration[]): SQL {
  const told = moved.map(({ message, target }) => ({
    id: message.id,
    mailbox: target.mailbox.id,
    uid: 0,
    keywords: keywordObject(target.keywords),
    from: { mailbox: message.mailbox.id, uid: message.uid },
  }))
  const uid = sql`CAST(c.seq - ${moved.length - 1} + t.key AS INTEGER)`
  return sql`INSERT INTO events (account, seq, type, message, data, created_at)
    SELECT c.account, c.seq, 'message.moved', ${aboutOne(moved.map(({ message }) => message)).message ?? null},
      json_object('messages', (SELECT json_group_array(json_set(t.value, '$.uid', ${uid}))
        FROM json_each(${JSON.stringify(told)}) AS t)), ${change.now}
    FROM counters AS c WHERE c.account = ${change.account} AND c.change = ${change.token}`
}

/** An event of its own, `later` steps before the last of the change. */
function insertEvent(change: Change, type: string, told: readonly { id: string }[], later: number): SQL {
  return sql`INSERT INTO events (account, seq, type, message, data, created_at)
    SELECT account, seq - ${later}, ${type}, ${aboutOne(told).message ?? null}, ${JSON.stringify({ messages: told })},
      ${change.now} FROM counters WHERE account = ${change.account} AND change = ${change.token}`
}

/** Two statements, because one that names mailbox and uid writes their index anew even where they stay. */
function updates(change: Change, kept: readonly Alteration[], moved: readonly Alteration[]): SQL[] {
  const words = sql`modseq = ${newSeq(change)}, keywords = w.value ->> 3`
  const uid = sql`${newSeq(change)} - ${moved.length - 1} + w.key`
  return [
    ...(kept.length > 0 ? [sql`UPDATE messages SET ${words} ${fromRows(change, kept)}`] : []),
    ...(moved.length > 0
      ? [sql`UPDATE messages SET ${words}, mailbox = w.value ->> 4, uid = ${uid} ${fromRows(change, moved)}`]
      : []),
  ]
}

/** The account stands in each row: where it is given apart, SQLite reads all of its messages for each. */
function fromRows(change: Change, alterations: readonly Alteration[]): SQL {
  const rows = alterations.map(({ message, target }) => [
    ...[change.account, message.direction, message.id],
    ...[keywordObject(target.keywords), target.mailbox.number],
  ])
  return sql`FROM json_each(${JSON.stringify(rows)}) AS w WHERE account = w.value ->> 0 AND direction = w.value ->> 1
    AND messages.id = w.value ->> 2 AND ${made(change)}`
}

function areAsRead(account: AccountRef, messages: readonly { message: Held }[]): SQL {
  const read = JSON.stringify(messages.map(({ message }) => [message.direction, message.id, message.modseq]))
  return sql`(SELECT COUNT(*) FROM json_each(${read}) AS r CROSS JOIN messages AS m
    ON m.account = ${account.number} AND m.direction = r.value ->> 0 AND m.id = r.value ->> 1
    WHERE m.modseq = r.value ->> 2) = ${messages.length}`
}

/** One by itself is spared the table that SQLite makes of a list, whose rows are billed as written. */
function areThese(messages: readonly Held[]): SQL {
  const [first, second] = messages
  if (first && !second) return sql`direction = ${first.direction} AND id = ${first.id}`
  const keys = JSON.stringify(messages.map(({ id, direction }) => [direction, id]))
  return sql`(direction, id) IN (SELECT k.value ->> 0, k.value ->> 1 FROM json_each(${keys}) AS k)`
}

/** An event about one message is found by it; one about many names them in its data alone. */
function aboutOne(messages: readonly { id: string }[]): { message?: string } {
  const [first, second] = messages
  return first && !second ? { message: first.id } : {}
}

function isUnread(keywords: readonly string[]): 0 | 1 {
  return keywords.includes('$seen') ? 0 : 1
}

function keywordObject(keywords: readonly string[]): Record<string, true> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, true as const]))
}
