/** Changes to messages at rest. Each holds only while the message is as it was read, and moves the account's counters exactly. */
import { type SQL, sql } from 'drizzle-orm'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { type Change, type Changed, made, makeChange, newSeq } from './change.ts'
import type { StoredMessage } from './rows.ts'

/** When a change is made, and the random token of this attempt at it. */
export type Stamp = { now: number; token: string }

/** What a message is to become. */
export type Target = {
  keywords: string[]
  mailbox: { number: number; id: string }
}

/** Sets keywords and mailbox; a new mailbox gives it a new uid. Undefined where it has changed since, or the mailbox is gone. */
export async function alterMessage(
  stores: Stores,
  account: AccountRef,
  message: StoredMessage,
  target: Target,
  stamp: Stamp,
): Promise<Changed | undefined> {
  const { from, to } = { from: message.mailbox, to: target.mailbox }
  const moves = from.number !== to.number
  const unread = { before: isUnread(message.keywords), after: isUnread(target.keywords) }
  const change: Change = {
    account: account.number,
    ...stamp,
    only: sql`${isAsRead(account, message)} AND EXISTS (SELECT 1 FROM mailboxes
      WHERE account = ${account.number} AND number = ${to.number})`,
    boxes: moves
      ? [
          { mailbox: from.number, messages: -1, unread: -unread.before },
          { mailbox: to.number, messages: 1, unread: unread.after },
        ]
      : unread.before === unread.after
        ? []
        : [{ mailbox: to.number, messages: 0, unread: unread.after - unread.before }],
    events: [],
  }
  const shown = { id: message.id, mailbox: to.id, keywords: keywordObject(target.keywords) }
  const event = moves ? { ...shown, from: { mailbox: from.id, uid: message.uid } } : { ...shown, uid: message.uid }
  return makeChange(mailOf(stores, account), change, [
    insertEvent(change, moves ? 'message.moved' : 'message.updated', message.id, event, moves),
    sql`UPDATE messages SET modseq = ${newSeq(change)}, keywords = ${JSON.stringify(keywordObject(target.keywords))}
      ${moves ? sql`, mailbox = ${to.number}, uid = ${newSeq(change)}` : sql``}
      WHERE ${isMessage(account, message)} AND ${made(change)}`,
  ])
}

/** Deletes the row for good and leaves a tombstone in the history. Undefined where the message has changed since. */
export async function removeMessage(
  stores: Stores,
  account: AccountRef,
  message: StoredMessage,
  stamp: Stamp,
): Promise<Changed | undefined> {
  const { id, mailbox, uid } = message
  const change: Change = {
    account: account.number,
    ...stamp,
    only: isAsRead(account, message),
    boxes: [{ mailbox: mailbox.number, messages: -1, unread: -isUnread(message.keywords) }],
    bytes: -message.size,
    messages: -1,
    events: [{ type: 'message.deleted', message: id, data: { messages: [{ id, mailbox: mailbox.id, uid }] } }],
  }
  return makeChange(mailOf(stores, account), change, [
    sql`DELETE FROM messages WHERE ${isMessage(account, message)} AND ${made(change)}`,
  ])
}

/** The event of a change that has no other, so it takes the step that the change takes; a move's new uid is that step. */
function insertEvent(
  change: Change,
  type: string,
  message: string,
  told: Record<string, unknown>,
  moves: boolean,
): SQL {
  const data = JSON.stringify({ messages: [told] })
  return sql`INSERT INTO events (account, seq, type, message, data, created_at)
    SELECT account, seq, ${type}, ${message}, ${moves ? sql`json_set(${data}, '$.messages[0].uid', seq)` : sql`${data}`},
      ${change.now} FROM counters WHERE account = ${change.account} AND change = ${change.token}`
}

function isAsRead(account: AccountRef, message: StoredMessage): SQL {
  return sql`EXISTS (SELECT 1 FROM messages WHERE ${isMessage(account, message)} AND modseq = ${message.modseq})`
}

function isMessage(account: AccountRef, message: StoredMessage): SQL {
  return sql`account = ${account.number} AND direction = ${message.direction} AND id = ${message.id}`
}

function isUnread(keywords: readonly string[]): 0 | 1 {
  return keywords.includes('$seen') ? 0 : 1
}

function keywordObject(keywords: readonly string[]): Record<string, true> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, true as const]))
}
