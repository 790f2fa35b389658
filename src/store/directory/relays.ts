/** Relays of accounts, and (account number 0) of the instance. Passwords are sealed. */
import { and, eq, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { relays } from '../schema/directory.ts'
import { INSTANCE, type Stores } from '../stores.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type RelayRow = typeof relays.$inferSelect

/** Makes a relay; false where the account is closed, has too many, or was answered already. */
export async function insertRelay(stores: Stores, row: RelayRow, most: number, keeping?: Keeping): Promise<boolean> {
  const exists = sql`EXISTS (SELECT 1 FROM relays WHERE account = ${row.account} AND id = ${row.id})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping },
    (free) => sql`INSERT INTO relays (account, id, domain, name, host, port, security, user, password, verp, created_at)
      SELECT ${row.account}, ${row.id}, ${row.domain}, ${row.name}, ${row.host}, ${row.port}, ${row.security},
        ${row.user}, ${row.password}, ${row.verp ? 1 : 0}, ${row.createdAt} WHERE ${free}
        AND (SELECT COUNT(*) FROM relays WHERE account = ${row.account}) < ${most} RETURNING 1`,
  )
}

export async function findRelay(stores: Stores, account: number, id: string): Promise<RelayRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(relays)
    .where(and(eq(relays.account, account), eq(relays.id, id)))
  return row
}

export async function listRelays(stores: Stores, account: number, page: Page): Promise<RelayRow[]> {
  const { where, orderBy, limit } = pageBy(relays.id, page)
  return stores.directory
    .select()
    .from(relays)
    .where(and(eq(relays.account, account), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** Puts the row in place of the one that was read, if its destination and login are still those. */
export async function replaceRelay(stores: Stores, read: RelayRow, row: RelayRow): Promise<boolean> {
  const changed = await stores.directory
    .update(relays)
    .set(row)
    .where(
      and(
        eq(relays.account, read.account),
        eq(relays.id, read.id),
        eq(relays.host, read.host),
        eq(relays.port, read.port),
        eq(relays.security, read.security),
        sql`${relays.user} IS ${read.user} AND ${relays.password} IS ${read.password}`,
      ),
    )
    .returning({ id: relays.id })
  return changed.length > 0
}

/** Deletes a relay; false where the account has none of this id. */
export async function deleteRelay(stores: Stores, account: number, id: string): Promise<boolean> {
  const gone = await stores.directory
    .delete(relays)
    .where(and(eq(relays.account, account), eq(relays.id, id)))
    .returning({ id: relays.id })
  return gone.length > 0
}

/** The relay for mail of an account and a sender's domain: its own before the instance's, one for the domain before one for all. */
export async function findBestRelay(stores: Stores, account: number, domain: string): Promise<RelayRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(relays)
    .where(
      sql`${relays.account} IN (${account}, ${INSTANCE.number}) AND (${relays.domain} IS NULL OR ${relays.domain} = ${domain})`,
    )
    .orderBy(sql`${relays.account} = ${INSTANCE.number}, ${relays.domain} IS NULL, ${relays.id} DESC`)
    .limit(1)
  return row
}
