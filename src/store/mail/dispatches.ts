/** What endpoints were told: reading it, telling it again, and forgetting it with age. Its rows are made by rounds (telling.ts). */
import { type SQL, sql } from 'drizzle-orm'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'
import { type Row, runBatch } from './change.ts'
import { type Attempt, readAttempts } from './telling.ts'

export type DispatchRow = {
  seq: number
  type: string
  status: 'success' | 'pending' | 'failed'
  attempts: Attempt[]
  due: number | null
  createdAt: number
}

/** One more than a page, in the order in which it is read: newest first, or after `before` upwards. */
export async function listDispatches(
  stores: Stores,
  account: AccountRef,
  webhook: string,
  page: { limit: number; after?: number; before?: number },
): Promise<DispatchRow[]> {
  const after = page.after === undefined ? sql`` : sql` AND seq < ${page.after}`
  const before = page.before === undefined ? sql`` : sql` AND seq > ${page.before}`
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${columns} FROM dispatches WHERE ${of(account, webhook)}${after}${before}
      ORDER BY seq ${page.before === undefined ? sql`DESC` : sql`ASC`} LIMIT ${page.limit + 1}`,
  )
  return rows.map(asDispatch)
}

export async function findDispatch(
  stores: Stores,
  account: AccountRef,
  webhook: string,
  seq: number,
): Promise<DispatchRow | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT ${columns} FROM dispatches WHERE ${of(account, webhook)} AND seq = ${seq}`,
  )
  return row && asDispatch(row)
}

/** Has one event told again, whatever its type. What is to be told for the first time, or is being told, is left as it is. */
export async function replayOne(stores: Stores, account: AccountRef, webhook: string, seq: number, now: number) {
  await replay(stores, account, webhook, sql`e.seq = ${seq}`, now, 1)
}

/** One call looks at so many steps of the history at most, and says how far it came. */
const MAX_SCAN = 10_000

/** Has a range of events told again that the endpoint asks for, `limit` at most, in their order. */
export async function replayRange(
  stores: Stores,
  account: AccountRef,
  webhook: string,
  range: { afterSeq: number; untilSeq: number | undefined; now: number; limit: number },
): Promise<{ replayed: number; doneTo: number; more: boolean }> {
  const latest = await latestSeq(stores, account)
  const end = Math.max(range.afterSeq, Math.min(range.untilSeq ?? latest, latest))
  const stop = Math.min(range.afterSeq + MAX_SCAN, end)
  const which = sql`e.seq > ${range.afterSeq} AND e.seq <= ${stop} AND e.type IN (SELECT value FROM json_each(w.types))`
  const seqs = await replay(stores, account, webhook, which, range.now, range.limit)
  const doneTo = seqs.length === range.limit ? (seqs.at(-1) ?? stop) : stop
  return { replayed: seqs.length, doneTo, more: doneTo < end }
}

async function latestSeq(stores: Stores, account: AccountRef): Promise<number> {
  const [row] = await mailOf(stores, account).all<Row>(sql`SELECT seq FROM counters WHERE account = ${account.number}`)
  return Number(row?.seq ?? 0)
}

async function replay(
  stores: Stores,
  account: AccountRef,
  webhook: string,
  which: SQL,
  now: number,
  limit: number,
): Promise<number[]> {
  // An event that a claim ends with has no row until that claim is over: a row made here would end it too soon.
  const [rows] = await runBatch(mailOf(stores, account), [
    sql`INSERT INTO dispatches (account, webhook, seq, status, type, attempts, tries, due, created_at)
      SELECT w.account, w.id, e.seq, 'pending', e.type, '[]', 0, ${now}, ${now}
      FROM webhooks w JOIN events e ON e.account = w.account
      WHERE w.account = ${account.number} AND w.id = ${webhook} AND ${which} AND (e.seq < w.claimed_to
        OR w.claimed_to = w.cursor AND e.seq = w.cursor
        OR EXISTS (SELECT 1 FROM dispatches d WHERE d.account = w.account AND d.webhook = w.id AND d.seq = e.seq))
      ORDER BY e.seq LIMIT ${limit}
      ON CONFLICT DO UPDATE SET status = 'pending', tries = 0, created_at = excluded.created_at,
        due = CASE WHEN ${beingTried(now)} THEN due ELSE excluded.due END
      RETURNING seq`,
  ])
  return (rows ?? []).map((row) => Number(row.seq)).sort((a, b) => a - b)
}

/** How long dispatches are kept. */
export const KEEP_MS = 30 * 86_400_000

/** How far forgetting has come: the endpoint whose dispatches were looked at last. */
type Place = { account: number; webhook: string }

/**
 * Forgets what is older than 30 days: walks over endpoints, the deleted ones too, from where it stopped last time,
 * and looks at the oldest dispatches of each. Answers how many rows went.
 */
export async function dropOldDispatches(
  db: Database,
  now: number,
  { endpoints, rows }: { endpoints: number; rows: number },
): Promise<number> {
  let place = await readPlace(db)
  const began = JSON.stringify(place)
  let dropped = 0
  for (let step = 0; step < endpoints && dropped < rows; step++) {
    const [next] = await db.all<Row>(sql`SELECT account, webhook FROM dispatches
      WHERE (account, webhook) > (${place.account}, ${place.webhook}) ORDER BY account, webhook, seq LIMIT 1`)
    if (!next) {
      place = START
      break
    }
    const found = { account: Number(next.account), webhook: String(next.webhook) }
    const gone = await dropOldest(db, found, now, rows - dropped)
    dropped += gone
    // Stays before an endpoint that may have more.
    if (dropped < rows) place = found
  }
  if (JSON.stringify(place) !== began) await writePlace(db, place)
  return dropped
}

const START: Place = { account: -1, webhook: '' }

async function dropOldest(db: Database, place: Place, now: number, limit: number): Promise<number> {
  const those = sql`account = ${place.account} AND webhook = ${place.webhook}`
  const gone = await db.all<Row>(sql`DELETE FROM dispatches WHERE ${those} AND created_at < ${now - KEEP_MS}
    AND seq IN (SELECT seq FROM dispatches WHERE ${those} ORDER BY seq LIMIT ${limit}) RETURNING 1`)
  return gone.length
}

const PLACE_KIND = 'webhook-history'

async function readPlace(db: Database): Promise<Place> {
  const [row] = await db.all<Row>(sql`SELECT state ->> 'account' AS account, state ->> 'webhook' AS webhook
    FROM tasks WHERE kind = ${PLACE_KIND} AND account = 0 AND ref = ''`)
  return row ? { account: Number(row.account), webhook: String(row.webhook) } : START
}

async function writePlace(db: Database, place: Place): Promise<void> {
  await runBatch(db, [
    sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
      VALUES (${PLACE_KIND}, 0, '', 0, 0, ${JSON.stringify(place)})
      ON CONFLICT DO UPDATE SET state = excluded.state`,
  ])
}

const columns = sql`seq, type, status, attempts, due, created_at`

function of(account: AccountRef, webhook: string): SQL {
  return sql`account = ${account.number} AND webhook = ${webhook}`
}

/** Claimed, and its outcome not known yet. */
function beingTried(now: number): SQL {
  return sql`status = 'pending' AND due > ${now} AND json_array_length(attempts) > 0
    AND attempts -> '$[#-1].status' IS NULL`
}

function asDispatch(row: Row): DispatchRow {
  return {
    seq: Number(row.seq),
    type: String(row.type),
    status: asStatus(row.status),
    attempts: readAttempts(row.attempts),
    due: row.due === null ? null : Number(row.due),
    createdAt: Number(row.created_at),
  }
}

/** The column holds nothing else. */
function asStatus(value: unknown): DispatchRow['status'] {
  return value as DispatchRow['status']
}
