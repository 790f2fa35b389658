/** The account's history, read in order. It is written by changes alone (change.ts). */
import { sql } from 'drizzle-orm'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

export type EventRow = { seq: number; type: string; data: Record<string, unknown>; createdAt: number }

/** A filter may look at so many steps of the history at once; a page that ends there may be empty, and tells where to go on. */
const MAX_SCAN = 10_000

export type FeedPage = { rows: EventRow[]; nextAfter: number; hasMore: boolean }

/** The next events after a seq, oldest first. */
export async function readFeed(
  stores: Stores,
  account: AccountRef,
  { after, types, limit }: { after: number; types: readonly string[] | undefined; limit: number },
): Promise<FeedPage> {
  const until = after + MAX_SCAN
  const wanted = types ? sql` AND type IN (SELECT value FROM json_each(${JSON.stringify(types)}))` : sql``
  // The account's seq is read by the same statement: read apart, it could tell of events that this page lacks.
  const found = await mailOf(stores, account).all<Record<string, string | number | null>>(
    sql`SELECT c.seq AS latest, e.seq, e.type, e.data, e.created_at FROM counters c LEFT JOIN (
        SELECT account, seq, type, data, created_at FROM events
        WHERE account = ${account.number} AND seq > ${after} AND seq <= ${until}${wanted} ORDER BY seq LIMIT ${limit + 1}
      ) AS e ON e.account = c.account WHERE c.account = ${account.number} ORDER BY e.seq`,
  )
  const latest = Number(found[0]?.latest ?? 0)
  const rows = found.filter((row) => row.seq !== null).map(asEvent)
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  if (rows.length > limit && last) return { rows: page, nextAfter: last.seq, hasMore: true }
  // All up to here was looked at, so that the next page need not look again.
  const looked = Math.max(after, Math.min(until, latest))
  return { rows: page, nextAfter: looked, hasMore: looked < latest }
}

/** One event of the account. */
export async function findEvent(stores: Stores, account: AccountRef, seq: number): Promise<EventRow | undefined> {
  const [row] = await mailOf(stores, account).all<Record<string, string | number | null>>(
    sql`SELECT seq, type, data, created_at FROM events WHERE account = ${account.number} AND seq = ${seq}`,
  )
  return row && asEvent(row)
}

function asEvent(row: Record<string, unknown>): EventRow {
  return {
    seq: Number(row.seq),
    type: String(row.type),
    data: asRecord(JSON.parse(String(row.data))),
    createdAt: Number(row.created_at),
  }
}

/** A change writes an object there, whatever its members are. */
function asRecord(value: unknown): Record<string, unknown> {
  return value as Record<string, unknown>
}
