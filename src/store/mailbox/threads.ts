/**
 * Threads by their newest message. No index orders threads, so they are found among the newest messages, a bounded
 * window at a time: a message stands for its thread where none of the thread is newer.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { asLine, LINE, type MessageLine } from '../mail/rows.ts'
import { RECEIVED, SENT } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** A thread as a list shows it. `members` are its newest messages of each direction, `more` that there are others. */
export type ThreadLine = { latest: MessageLine; members: Member[]; more: boolean }

/** One message of a thread. */
export type Member = { id: string; from: string; seen: boolean; hasAttachment: boolean }

/** Newer messages of a thread are looked for among so many of each direction, where they are narrowed to a mailbox. */
const MAX_LOOKED_AT = 50

/** Messages of each direction that are counted. */
const MAX_COUNTED = 100

/** Looks through `window` messages older than `after`, newest first; gives `limit` threads at most, and where the next page begins. */
export async function listThreads(
  stores: Stores,
  account: AccountRef,
  page: { mailbox: number | undefined; after: string | undefined; window: number; limit: number },
): Promise<{ threads: ThreadLine[]; next?: string }> {
  const { mailbox, after, window, limit } = page
  const [source, newest] = mailbox === undefined ? byId(account, after, window) : byUid(account, mailbox, after, window)
  const order = mailbox === undefined ? sql`m.id` : sql`m.uid`
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${LINE}, ${newest} AS newest, CASE WHEN ${newest} THEN ${members(account, RECEIVED)} END AS received,
      CASE WHEN ${newest} THEN ${members(account, SENT)} END AS sent FROM (${source}) AS m ORDER BY ${order} DESC`,
  )
  const threads: ThreadLine[] = []
  let last: MessageLine | undefined
  for (const row of rows) {
    if (threads.length >= limit) break
    last = asLine(row)
    if (Number(row.newest) === 1) threads.push(asThread(last, row))
  }
  const ended = rows.length < window && (rows.length === 0 || last?.id === rows.at(-1)?.id)
  if (ended || !last) return { threads }
  return { threads, next: mailbox === undefined ? last.id : String(last.uid) }
}

function byId(account: AccountRef, after: string | undefined, window: number): [source: SQL, newest: SQL] {
  const older = after === undefined ? sql`` : sql` AND id < ${after}`
  const one = (direction: number) =>
    sql`SELECT * FROM (SELECT * FROM messages WHERE account = ${account.number} AND direction = ${direction}${older}
      ORDER BY id DESC LIMIT ${window})`
  const newer = sql`SELECT 1 FROM messages AS t INDEXED BY messages_thread WHERE t.account = m.account
    AND t.thread = m.thread AND t.direction IN (0, 1) AND t.id > m.id`
  return [sql`${one(RECEIVED)} UNION ALL ${one(SENT)} ORDER BY id DESC LIMIT ${window}`, sql`NOT EXISTS (${newer})`]
}

function byUid(
  account: AccountRef,
  mailbox: number,
  after: string | undefined,
  window: number,
): [source: SQL, newest: SQL] {
  const older = after !== undefined && /^\d{1,15}$/.test(after) ? sql` AND uid < ${Number(after)}` : sql``
  const one = (direction: number) =>
    sql`NOT EXISTS (SELECT 1 FROM (SELECT t.mailbox, t.uid FROM messages AS t INDEXED BY messages_thread
      WHERE t.account = m.account AND t.thread = m.thread AND t.direction = ${direction}
      ORDER BY t.id DESC LIMIT ${MAX_LOOKED_AT}) AS n WHERE n.mailbox = m.mailbox AND n.uid > m.uid)`
  return [
    sql`SELECT * FROM messages INDEXED BY messages_mailbox WHERE account = ${account.number} AND mailbox = ${mailbox}${older}
      ORDER BY uid DESC LIMIT ${window}`,
    sql`(${one(RECEIVED)} AND ${one(SENT)})`,
  ]
}

/** JSON of the thread's newest messages of a direction, one more than are counted. */
function members(account: AccountRef, direction: number): SQL {
  return sql`(SELECT json_group_array(json_array(c.id, c.sender, c.seen, c.has_attachment)) FROM
    (SELECT t.id, t.parties ->> '$.from[0]' AS sender, t.keywords ->> '$."$seen"' IS NOT NULL AS seen, t.has_attachment
      FROM messages AS t INDEXED BY messages_thread WHERE t.account = ${account.number} AND t.thread = m.thread
      AND t.direction = ${direction} ORDER BY t.id DESC LIMIT ${MAX_COUNTED + 1}) AS c)`
}

function asThread(latest: MessageLine, row: Row): ThreadLine {
  const [received, sent] = [asMembers(row.received), asMembers(row.sent)]
  const counted = [...received.slice(0, MAX_COUNTED), ...sent.slice(0, MAX_COUNTED)]
  return {
    latest,
    members: counted.sort((a, b) => (a.id < b.id ? -1 : 1)),
    more: received.length > MAX_COUNTED || sent.length > MAX_COUNTED,
  }
}

/** The statement above alone writes this JSON. */
function asMembers(json: unknown): Member[] {
  const rows = JSON.parse(String(json)) as [string, string | null, 0 | 1, 0 | 1][]
  return rows.map(([id, from, seen, has]) => ({ id, from: from ?? '', seen: seen === 1, hasAttachment: has === 1 }))
}
