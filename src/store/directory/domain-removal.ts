/** Giving up a domain: what stands on it is counted first, and the name stays taken until nothing does. */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from '../mail/change.ts'
import type { Stores } from '../stores.ts'
import { type DomainNews, oweNews } from './domain-news.ts'
import { type DomainRow, own } from './domains.ts'

type Named = Pick<DomainRow, 'account' | 'id' | 'name'>

/** How many addresses go in one batch, so that no statement runs long. */
const STEP = 500

/** How many addresses the account has on a domain that it holds, and whether others have any. */
export async function countStanding(stores: Stores, row: Named): Promise<{ own: number; others: boolean }> {
  const [counted] = await stores.directory.all<{ own: number; others: number }>(
    sql`SELECT COALESCE(SUM(account = ${row.account}), 0) AS own, COALESCE(SUM(account <> ${row.account}), 0) AS others
      FROM addresses WHERE domain = ${row.name} AND ${isHeld(row)}`,
  )
  return { own: counted?.own ?? 0, others: (counted?.others ?? 0) > 0 }
}

/** Deletes the claim where no address stands on it, or it is not the one that holds the name. True where it did. */
export async function deleteDomain(stores: Stores, row: Named, news: DomainNews): Promise<boolean> {
  const only = sql`EXISTS (SELECT 1 FROM domains WHERE ${own(row)}) AND ${isBare(row)}`
  const [, gone] = await runBatch(stores.directory, [
    oweNews(news, only),
    sql`DELETE FROM domains WHERE ${own(row)} AND ${isBare(row)} RETURNING 1`,
  ])
  return gone !== undefined && gone.length > 0
}

/** Deletes some of the account's addresses on a domain that it holds, as long as nobody else has any; true where more are left. */
export async function deleteOwnAddresses(stores: Stores, row: Named): Promise<boolean> {
  const [gone] = await runBatch(stores.directory, [
    sql`DELETE FROM addresses WHERE address IN (SELECT address FROM addresses
        WHERE domain = ${row.name} AND account = ${row.account} LIMIT ${STEP}) AND ${isHeld(row)}
      AND NOT EXISTS (SELECT 1 FROM addresses WHERE domain = ${row.name} AND account <> ${row.account}) RETURNING 1`,
  ])
  return gone?.length === STEP
}

/**
 * One step of removing a claim with all that stands on it, for an account that is being deleted: the addresses on the
 * name go first, whosever they are, because a later owner must find no stranger's there. True once the claim is gone.
 */
export async function dropDomainStep(stores: Stores, row: Named): Promise<boolean> {
  const [, gone] = await runBatch(stores.directory, [
    sql`DELETE FROM addresses WHERE address IN (SELECT address FROM addresses WHERE domain = ${row.name} LIMIT ${STEP})
      AND ${isHeld(row)}`,
    sql`DELETE FROM domains WHERE ${own(row)} AND ${isBare(row)} RETURNING 1`,
  ])
  return gone !== undefined && gone.length > 0
}

function isHeld(row: Named): SQL {
  return sql`EXISTS (SELECT 1 FROM domains WHERE ${own(row)} AND verified_at IS NOT NULL)`
}

function isBare(row: Named): SQL {
  return sql`(NOT ${isHeld(row)} OR NOT EXISTS (SELECT 1 FROM addresses WHERE domain = ${row.name}))`
}
