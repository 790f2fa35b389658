/** Addresses: what mail is taken for. */
import { sql } from 'drizzle-orm'
import type { AccountRef, Stores } from '../stores.ts'

/** The first of the candidates, in their order, that takes mail now, and its account. */
export async function findAddressOwner(
  stores: Stores,
  candidates: string[],
  now: number,
): Promise<{ account: AccountRef; address: string } | undefined> {
  const [row] = await stores.directory.all<{ address: string; number: number; id: string; mail_db: string }>(
    sql`SELECT a.address, o.number, o.id, o.mail_db FROM json_each(${JSON.stringify(candidates)}) AS candidate
      JOIN addresses AS a ON a.address = candidate.value JOIN accounts AS o ON o.number = a.account
      WHERE (a.expires_at IS NULL OR a.expires_at > ${now}) AND o.state = 'active'
      ORDER BY candidate.key LIMIT 1`,
  )
  return row && { address: row.address, account: { number: row.number, id: row.id, mailDb: row.mail_db } }
}
