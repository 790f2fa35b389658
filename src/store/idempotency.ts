/** Kept answers. Days are part of the key, so that old ones are removed by range. */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from './mail/change.ts'
import type { Database } from './stores.ts'

const DAY = 86_400_000

/** What a repeated request is known by: hashes of method, path and key, and of its body. */
export type Once = { readonly key: string; readonly body: string }

export type KeptAnswer = { body: string; status: number; answer: string }

/** The answer kept for such a request within the last 24 hours. */
export async function findAnswer(
  db: Database,
  account: number,
  once: Once,
  now: number,
): Promise<KeptAnswer | undefined> {
  const [row] = await db.all<KeptAnswer>(
    sql`SELECT body, status, answer FROM idempotency WHERE ${sameRequest(account, once, now)} LIMIT 1`,
  )
  return row
}

/** The condition that no answer is kept yet: belongs into the change that would make it again. */
export function notAnswered(account: number, once: Once, now: number): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM idempotency WHERE ${sameRequest(account, once, now)})`
}

/** Keeps an answer, under the condition of the batch that it belongs to. A key of two days ago makes room. */
export function keepAnswer(account: number, once: Once, now: number, status: number, sealed: string, only: SQL): SQL {
  return sql`INSERT INTO idempotency (day, account, key, body, status, answer, created_at)
    SELECT ${today(now)}, ${account}, ${once.key}, ${once.body}, ${status}, ${sealed}, ${now} WHERE ${only}`
}

/** Removes what is over 24 hours old, at most `limit` rows; answers how many went. */
export async function dropOldAnswers(db: Database, now: number, limit: number): Promise<number> {
  const rows = await db.all(
    sql`DELETE FROM idempotency WHERE (day, account, key) IN
      (SELECT day, account, key FROM idempotency WHERE day < ${today(now) - 1} LIMIT ${limit}) RETURNING 1`,
  )
  return rows.length
}

function sameRequest(account: number, once: Once, now: number): SQL {
  const day = today(now)
  return sql`day IN (${day}, ${day - 1}) AND account = ${account} AND key = ${once.key} AND created_at > ${now - DAY}`
}

function today(now: number): number {
  return Math.floor(now / DAY)
}

/** An answer to be kept by the batch that makes what it tells of. */
export type Keeping = { readonly once: Once; readonly status: number /** Sealed. */; readonly answer: string }

/** Claims a key for one body for a day; false where it is another's. Repeated, it says the same. */
export async function claimOnce(db: Database, account: number, once: Once, now: number): Promise<boolean> {
  const rows = await runBatch(db, [
    sql`${keepAnswer(account, once, now, 200, '', notAnswered(account, once, now))} ON CONFLICT DO NOTHING`,
    sql`SELECT 1 FROM idempotency WHERE ${sameRequest(account, once, now)} AND body = ${once.body}`,
  ])
  return (rows[1] ?? []).length > 0
}
