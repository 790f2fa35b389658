/** By which id a service took mail, where its events name it by nothing else. In the directory, because such an event names no account. */
import { sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { runBatch } from '../mail/change.ts'
import type { Stores } from '../stores.ts'

const DAY_MS = 86_400_000

/** Events come within days: a service gives up by then, and complaints come while a mail is new. */
const DAYS_KEPT = 10

/** Rows in one statement: few enough that it never runs long. */
const ROWS = 500

export type Handed = { account: number; message: string; recipient: number }

/** Notes it; two rows, the second so that an account can be removed. `at` is in ms. */
export async function insertHanded(stores: Stores, handed: Handed & { id: string; at: number }): Promise<void> {
  const { id, account, message, recipient, at } = handed
  await runBatch(stores.directory, [
    sql`INSERT OR IGNORE INTO handed (day, id, account, message, recipient)
      VALUES (${dayOf(at)}, ${bare(id)}, ${account}, ${message}, ${recipient})`,
  ])
}

/** What the service took under this id; undefined where we know of none. */
export async function findHanded(stores: Stores, id: string, now: number): Promise<Handed | undefined> {
  const days = Array.from({ length: DAYS_KEPT + 1 }, (_, ago) => dayOf(now) - ago)
  const [row] = await stores.directory.all<Row>(
    sql`SELECT account, message, recipient FROM handed
      WHERE day IN (SELECT value FROM json_each(${JSON.stringify(days)})) AND id = ${bare(id)} LIMIT 1`,
  )
  return row && { account: Number(row.account), message: String(row.message), recipient: Number(row.recipient) }
}

/** Removes some of what is too old. */
export async function pruneHanded(stores: Stores, now: number): Promise<void> {
  await runBatch(stores.directory, [
    sql`DELETE FROM handed WHERE (day, id) IN (SELECT day, id FROM handed WHERE day < ${dayOf(now) - DAYS_KEPT} LIMIT ${ROWS})`,
  ])
}

/** One spelling of an id that may stand in angle brackets, as Message-IDs do. */
function bare(id: string): string {
  return id.replace(/^<|>$/g, '')
}

function dayOf(at: number): number {
  return Math.floor(at / DAY_MS)
}
