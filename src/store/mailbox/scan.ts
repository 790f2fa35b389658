/** Messages gone through from the oldest on, a bounded window at a time: what changes many, exports and retention are built on. */
import { type SQL, sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { asHeld, HELD, type HeldMessage } from '../mail/rows.ts'
import { RECEIVED, SENT } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** Which messages; `before` is ms since 1970, `address` as it is registered or was written to. */
export type Scan = {
  mailbox?: number
  thread?: string
  direction?: number
  address?: string
  before?: number
}

/** `next` is where the following window begins; undefined at the end. */
export type Scanned = { messages: HeldMessage[]; next?: string }

/**
 * Looks through a window of messages, oldest first, and gives those that match, at most `limit`. A mailbox is gone
 * through as messages entered it, all else by id. @param after `next` of the window before.
 */
export async function scanMessages(
  stores: Stores,
  account: AccountRef,
  scan: Scan,
  page: { after: string | undefined; window: number; limit: number },
): Promise<Scanned> {
  const { window, limit } = page
  const after = page.after ?? ''
  const source =
    scan.mailbox === undefined ? byId(account, scan, after, window) : byUid(account, scan.mailbox, after, window)
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${HELD}, ${matches(scan)} AS matching FROM (${source}) AS m ORDER BY ${scan.mailbox === undefined ? sql`m.id` : sql`m.uid`}`,
  )
  const messages: HeldMessage[] = []
  let last: HeldMessage | undefined
  for (const row of rows) {
    if (messages.length >= limit) break
    last = asHeld(row)
    if (Number(row.matching) === 1) messages.push(last)
  }
  const ended = rows.length < window && (rows.length === 0 || last?.id === rows.at(-1)?.id)
  if (ended || !last) return { messages }
  return { messages, next: scan.mailbox === undefined ? last.id : String(last.uid) }
}

/** A cursor that is no uid begins anew. */
function byUid(account: AccountRef, mailbox: number, after: string, window: number): SQL {
  const uid = /^\d{1,15}$/.test(after) ? Number(after) : 0
  return sql`SELECT * FROM messages INDEXED BY messages_mailbox WHERE account = ${account.number} AND mailbox = ${mailbox}
    AND uid > ${uid} ORDER BY uid LIMIT ${window}`
}

/** A seek for each direction, and the older of both. */
function byId(account: AccountRef, { thread, direction }: Scan, after: string, window: number): SQL {
  const source = thread === undefined ? sql`messages` : sql`messages INDEXED BY messages_thread`
  const threaded = thread === undefined ? sql`` : sql` AND thread = ${thread}`
  const one = (of: number) =>
    sql`SELECT * FROM (SELECT * FROM ${source} WHERE account = ${account.number}${threaded} AND direction = ${of}
      AND id > ${after} ORDER BY id LIMIT ${window})`
  if (direction !== undefined) return one(direction)
  return sql`${one(RECEIVED)} UNION ALL ${one(SENT)} ORDER BY id LIMIT ${window}`
}

function matches({ mailbox, thread, direction, address, before }: Scan): SQL {
  const conditions = [
    ...(mailbox === undefined ? [] : [sql`m.mailbox = ${mailbox}`]),
    ...(thread === undefined ? [] : [sql`m.thread = ${thread}`]),
    ...(direction === undefined ? [] : [sql`m.direction = ${direction}`]),
    ...(before === undefined ? [] : [sql`m.created_at < ${before}`]),
    ...(address === undefined
      ? []
      : [
          sql`(m.address = ${address} OR m.recipient = ${address} OR (m.direction = ${SENT} AND m.sender = ${address}))`,
        ]),
  ]
  return conditions.length === 0 ? sql`1` : sql`COALESCE(${sql.join(conditions, sql` AND `)}, 0)`
}
