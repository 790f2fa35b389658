/** Lists and single messages. A page is one statement whose cost does not grow with the mailbox: keysets, never OFFSET or COUNT. */
import { type SQL, sql } from 'drizzle-orm'
import type { Part } from '../../mail/mime/parts.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import type { Row } from './change.ts'
import {
  asHeld,
  asLine,
  asStored,
  fromColumn,
  HELD,
  type HeldMessage,
  LINE,
  type MessageLine,
  type StoredMessage,
  WHOLE,
} from './rows.ts'
import { RECEIVED, SENT } from './shapes.ts'

/** How a page is asked for: at most one of `after` (older than that id) and `before` (newer). */
export type Keyset = { readonly limit: number; readonly after?: string; readonly before?: string }

/** One more than the limit is read; it tells that there is more. Newest first. */
export type Found<T> = { rows: T[]; more: boolean }

/** A received message with its part tree; undefined where the tree is too large for a list. */
export type ReceivedLine = MessageLine & { parts: Part | undefined }

/** What narrows a list of both directions. */
export type Filter = {
  direction?: number
  /** Id or role. */
  mailbox?: string
  thread?: string
  /** An address as it is registered, or as it was written to. */
  address?: string
}

/** A tree of hundreds of parts stays out of a list: a hundred of them would be tens of megabytes. */
const MAX_LISTED_TREE = 32 * 1024

/** What was taken for sending: drafts and copies lie beside it and have no event of their own. */
export async function listSent(stores: Stores, account: AccountRef, page: Keyset): Promise<Found<MessageLine>> {
  const taken = sql` AND m.last_event IS NOT NULL`
  const rows = await mailOf(stores, account).all<Row>(byId(LINE, sql`messages AS m`, account, SENT, taken, page))
  return found(rows.map(asLine), page)
}

export async function listReceived(stores: Stores, account: AccountRef, page: Keyset): Promise<Found<ReceivedLine>> {
  const columns = sql`${LINE}, CASE WHEN length(m.parts) <= ${MAX_LISTED_TREE} THEN m.parts END AS parts`
  const rows = await mailOf(stores, account).all<Row>(byId(columns, sql`messages AS m`, account, RECEIVED, sql``, page))
  return found(
    rows.map((row) => ({ ...asLine(row), parts: fromColumn<Part>(row.parts) ?? undefined })),
    page,
  )
}

/** Both directions, newest first; a mailbox lists by when messages entered it. */
export async function listMessages(
  stores: Stores,
  account: AccountRef,
  filter: Filter,
  page: Keyset,
): Promise<Found<MessageLine>> {
  const statement =
    filter.mailbox !== undefined && filter.thread === undefined
      ? byUid(account, filter.mailbox, narrowed(filter), page)
      : bothById(account, filter, page)
  return found((await mailOf(stores, account).all<Row>(statement)).map(asLine), page)
}

/** Why a mailbox's page is empty: there is no such mailbox, the cursor is not to be found in it, or that is its end. */
export async function whyEmpty(
  stores: Stores,
  account: AccountRef,
  mailbox: string,
  cursor: string | undefined,
): Promise<'no mailbox' | 'no cursor' | 'end'> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT ${boxNumber(account, mailbox)} AS box, ${cursorUid(account, mailbox, cursor ?? '')} AS uid`,
  )
  if (row?.box === null) return 'no mailbox'
  return cursor !== undefined && row?.uid === null ? 'no cursor' : 'end'
}

/** A message of an open account, whole; only of one direction where that is given. */
export async function findMessage(
  stores: Stores,
  account: Pick<AccountRef, 'number' | 'mailDb'>,
  id: string,
  direction?: number,
): Promise<StoredMessage | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT ${WHOLE} FROM messages AS m WHERE m.account = ${account.number}
      AND ${direction === undefined ? sql`m.direction IN (0, 1)` : sql`m.direction = ${direction}`} AND m.id = ${id}
      AND EXISTS (SELECT 1 FROM counters AS c WHERE c.account = m.account AND c.state = 'active')`,
  )
  return row ? asStored(row) : undefined
}

/** Messages of the account by their ids, in the order of the ids. */
export async function findHeld(stores: Stores, account: AccountRef, ids: readonly string[]): Promise<HeldMessage[]> {
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${HELD} FROM json_each(${JSON.stringify(ids)}) AS i CROSS JOIN messages AS m
      ON m.account = ${account.number} AND m.direction IN (0, 1) AND m.id = i.value ORDER BY i.key`,
  )
  return rows.map(asHeld)
}

/** Two seeks in one statement, each of a page's length at most. */
function bothById(account: AccountRef, filter: Filter, page: Keyset): SQL {
  const threaded = filter.thread === undefined ? sql`` : sql` AND m.thread = ${filter.thread}`
  const source = filter.thread === undefined ? sql`messages AS m` : sql`messages AS m INDEXED BY messages_thread`
  const boxed = filter.mailbox === undefined ? sql`` : sql` AND m.mailbox = ${boxNumber(account, filter.mailbox)}`
  const one = (direction: number) =>
    byId(LINE, source, account, direction, sql`${threaded}${boxed}${addressed(filter)}`, page)
  if (filter.direction !== undefined) return one(filter.direction)
  return sql`SELECT * FROM (${one(RECEIVED)}) UNION ALL SELECT * FROM (${one(SENT)})
    ORDER BY id ${direct(page)} LIMIT ${page.limit + 1}`
}

function byId(columns: SQL, source: SQL, account: AccountRef, direction: number, condition: SQL, page: Keyset): SQL {
  const from = page.before === undefined ? sql`` : sql` AND m.id > ${page.before}`
  const to = page.after === undefined ? sql`` : sql` AND m.id < ${page.after}`
  return sql`SELECT ${columns} FROM ${source} WHERE m.account = ${account.number} AND m.direction = ${direction}
    ${condition}${from}${to} ORDER BY m.id ${direct(page)} LIMIT ${page.limit + 1}`
}

function byUid(account: AccountRef, mailbox: string, condition: SQL, page: Keyset): SQL {
  const cursor = (id: string) => cursorUid(account, mailbox, id)
  const from = page.before === undefined ? sql`` : sql` AND m.uid > ${cursor(page.before)}`
  const to = page.after === undefined ? sql`` : sql` AND m.uid < ${cursor(page.after)}`
  return sql`SELECT ${LINE} FROM messages AS m INDEXED BY messages_mailbox WHERE m.account = ${account.number}
    AND m.mailbox = ${boxNumber(account, mailbox)}${condition}${from}${to}
    ORDER BY m.uid ${direct(page)} LIMIT ${page.limit + 1}`
}

function boxNumber(account: AccountRef, mailbox: string): SQL {
  return sql`(SELECT number FROM mailboxes WHERE account = ${account.number}
    AND (id = ${mailbox} OR role = ${mailbox}) ORDER BY number LIMIT 1)`
}

/**
 * The uid that a message has in a mailbox. One that was moved on while somebody pages through keeps its place: the event
 * of its move, which is the first at or after the seq that is now its uid, tells what uid it had before.
 */
function cursorUid(account: AccountRef, mailbox: string, id: string): SQL {
  const box = boxNumber(account, mailbox)
  return sql`(SELECT CASE WHEN k.mailbox = ${box} THEN k.uid ELSE (SELECT t.value ->> '$.from.uid' FROM
      (SELECT e.type, e.data FROM events AS e WHERE e.account = k.account AND e.seq >= k.uid ORDER BY e.seq LIMIT 1) AS move
      CROSS JOIN json_each(move.data, '$.messages') AS t WHERE move.type IN ('message.moved', 'message.replaced') AND t.value ->> 'id' = k.id
      AND t.value ->> '$.from.mailbox' = (SELECT id FROM mailboxes WHERE account = ${account.number} AND number = ${box})) END
    FROM messages AS k WHERE k.account = ${account.number} AND k.direction IN (0, 1) AND k.id = ${id})`
}

function narrowed(filter: Filter): SQL {
  const direction = filter.direction === undefined ? sql`` : sql` AND m.direction = ${filter.direction}`
  return sql`${direction}${addressed(filter)}`
}

function addressed({ address }: Filter): SQL {
  return address === undefined
    ? sql``
    : sql` AND (m.address = ${address} OR m.recipient = ${address} OR (m.direction = ${SENT} AND m.sender = ${address}))`
}

function direct(page: Keyset): SQL {
  return page.before === undefined ? sql`DESC` : sql`ASC`
}

function found<T>(rows: T[], page: Keyset): Found<T> {
  const kept = rows.slice(0, page.limit)
  return { rows: page.before === undefined ? kept : kept.reverse(), more: rows.length > page.limit }
}
