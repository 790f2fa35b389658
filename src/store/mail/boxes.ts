/** Mailboxes: their rows, and what counters say of how much is in them. */
import { type SQL, sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { type Changed, made, makeChange, type Row } from './change.ts'
import type { Stamp } from './keeping.ts'

export type Mailbox = {
  id: string
  number: number
  name: string
  /** inbox, sent, drafts, archive, junk or trash; null for an account's own. */
  role: string | null
  uidvalidity: number
  createdAt: number
  messages: number
  unread: number
}

/** Each is a name in a JSON object of the counters row, which every change to mail writes. */
export const MAX_MAILBOXES = 250

/** All of an account's, those with a role first. */
export async function listMailboxes(stores: Stores, account: AccountRef): Promise<Mailbox[]> {
  const rows = await mailOf(stores, account).all<Row>(sql`${select(account)} ORDER BY b.number`)
  return rows.map(asMailbox)
}

/** By id, or by role. */
export async function findMailbox(stores: Stores, account: AccountRef, name: string): Promise<Mailbox | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`${select(account)} AND (b.id = ${name} OR b.role = ${name}) ORDER BY b.number LIMIT 1`,
  )
  return row ? asMailbox(row) : undefined
}

/** Makes a mailbox; undefined where there are too many, the answer is kept already, or the account is closed. */
export async function insertMailbox(
  stores: Stores,
  account: AccountRef,
  box: { id: string; name: string },
  stamp: Stamp,
  keeping?: Keeping,
): Promise<Changed | undefined> {
  const { number } = account
  const few = sql`(SELECT COUNT(*) FROM mailboxes WHERE account = ${number}) < ${MAX_MAILBOXES}
    AND ${nobodyIsNamed(number, box.name, box.id)}`
  const change = {
    account: number,
    ...stamp,
    only: keeping ? sql`${few} AND ${notAnswered(number, keeping.once, stamp.now)}` : few,
    events: [{ type: 'mailbox.created', data: { id: box.id, name: box.name, role: null } }],
  }
  const kept = keeping
    ? [keepAnswer(number, keeping.once, stamp.now, keeping.status, keeping.answer, made(change))]
    : []
  return makeChange(mailOf(stores, account), change, [
    ...kept,
    sql`UPDATE counters SET last_mailbox = last_mailbox + 1 WHERE account = ${number} AND change = ${stamp.token}`,
    sql`INSERT INTO mailboxes (account, number, id, name, role, uidvalidity, created_at)
      SELECT account, last_mailbox, ${box.id}, ${box.name}, NULL, ${Math.floor(stamp.now / 1000)}, ${stamp.now}
      FROM counters WHERE account = ${number} AND change = ${stamp.token}`,
  ])
}

/** Renames a mailbox; undefined where it is gone or another has that name. */
export async function renameMailbox(
  stores: Stores,
  account: AccountRef,
  box: Mailbox,
  name: string,
  stamp: Stamp,
): Promise<Changed | undefined> {
  const change = {
    account: account.number,
    ...stamp,
    only: sql`${exists(account, box)} AND ${nobodyIsNamed(account.number, name, box.id)}`,
    events: [{ type: 'mailbox.updated', data: { id: box.id, name, role: box.role } }],
  }
  return makeChange(mailOf(stores, account), change, [
    sql`UPDATE mailboxes SET name = ${name} WHERE account = ${account.number} AND number = ${box.number} AND ${made(change)}`,
  ])
}

/** Deletes a mailbox that is empty; undefined where it is not, or is gone. */
export async function removeMailbox(
  stores: Stores,
  account: AccountRef,
  box: Mailbox,
  stamp: Stamp,
): Promise<Changed | undefined> {
  const change = {
    account: account.number,
    ...stamp,
    only: sql`${exists(account, box)} AND NOT EXISTS (SELECT 1 FROM messages INDEXED BY messages_mailbox
      WHERE account = ${account.number} AND mailbox = ${box.number})`,
    events: [{ type: 'mailbox.deleted', data: { id: box.id, name: box.name, role: box.role } }],
  }
  return makeChange(mailOf(stores, account), change, [
    sql`UPDATE counters SET boxes = json_remove(boxes, ${`$."${box.number}"`})
      WHERE account = ${account.number} AND change = ${stamp.token}`,
    sql`DELETE FROM mailboxes WHERE account = ${account.number} AND number = ${box.number} AND ${made(change)}`,
  ])
}

function nobodyIsNamed(account: number, name: string, but: string): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM mailboxes WHERE account = ${account} AND name = ${name} COLLATE NOCASE AND id <> ${but})`
}

function exists(account: AccountRef, box: Mailbox): SQL {
  return sql`EXISTS (SELECT 1 FROM mailboxes WHERE account = ${account.number} AND number = ${box.number} AND id = ${box.id})`
}

function select(account: AccountRef): SQL {
  return sql`SELECT b.id, b.number, b.name, b.role, b.uidvalidity, b.created_at,
      c.boxes ->> ('$."' || b.number || '"[0]') AS messages, c.boxes ->> ('$."' || b.number || '"[1]') AS unread
    FROM mailboxes AS b JOIN counters AS c ON c.account = b.account WHERE b.account = ${account.number}`
}

function asMailbox(row: Row): Mailbox {
  return {
    id: String(row.id),
    number: Number(row.number),
    name: String(row.name),
    role: typeof row.role === 'string' ? row.role : null,
    uidvalidity: Number(row.uidvalidity),
    createdAt: Number(row.created_at),
    messages: Number(row.messages ?? 0),
    unread: Number(row.unread ?? 0),
  }
}
