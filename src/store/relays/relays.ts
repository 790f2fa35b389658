/** Relays of accounts, and (account number 0) of the instance. Passwords are sealed. */
import { and, eq, sql } from 'drizzle-orm'
import { insertOnce } from '../directory/insert.ts'
import { type Page, pageBy } from '../directory/page.ts'
import type { Keeping } from '../idempotency.ts'
import { relays } from '../schema/directory.ts'
import { INSTANCE, type Stores } from '../stores.ts'

export type RelayRow = typeof relays.$inferSelect

/** Makes a relay; false where the account is closed, has too many, or was answered already. */
export async function insertRelay(stores: Stores, row: RelayRow, most: number, keeping?: Keeping): Promise<boolean> {
  const exists = sql`EXISTS (SELECT 1 FROM relays WHERE account = ${row.account} AND id = ${row.id})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping },
    (free) => sql`INSERT INTO relays (account, id, domain, name, host, port, security, user, password, verp, created_at,
        kind, priority, settings)
      SELECT ${row.account}, ${row.id}, ${row.domain}, ${row.name}, ${row.host}, ${row.port}, ${row.security},
        ${row.user}, ${row.password}, ${row.verp ? 1 : 0}, ${row.createdAt}, ${row.kind}, ${row.priority},
        ${row.settings} WHERE ${free}
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

/** The row after these changes; undefined where destination, login or settings are no longer those that were read. */
export async function changeRelay(
  stores: Stores,
  read: RelayRow,
  changes: Partial<RelayRow>,
): Promise<RelayRow | undefined> {
  const [changed] = await stores.directory
    .update(relays)
    // Something has to be set, and the id is what it was.
    .set({ id: read.id, ...changes })
    .where(
      and(
        eq(relays.account, read.account),
        eq(relays.id, read.id),
        eq(relays.host, read.host),
        eq(relays.port, read.port),
        eq(relays.security, read.security),
        sql`${relays.user} IS ${read.user} AND ${relays.password} IS ${read.password} AND ${relays.settings} IS ${read.settings}`,
      ),
    )
    .returning()
  return changed
}

/** Deletes a relay; false where the account has none of this id. */
export async function deleteRelay(stores: Stores, account: number, id: string): Promise<boolean> {
  const gone = await stores.directory
    .delete(relays)
    .where(and(eq(relays.account, account), eq(relays.id, id)))
    .returning({ id: relays.id })
  return gone.length > 0
}

/**
 * The relays for mail of an account and a sender's domain, best first: its own before the instance's, those for the domain
 * before those for all, then by priority, and the newest first among equals.
 */
export async function findRelays(stores: Stores, account: number, domain: string): Promise<RelayRow[]> {
  return stores.directory
    .select()
    .from(relays)
    .where(
      sql`${relays.account} IN (${account}, ${INSTANCE.number}) AND (${relays.domain} IS NULL OR ${relays.domain} = ${domain})`,
    )
    .orderBy(
      sql`${relays.account} = ${INSTANCE.number}, ${relays.domain} IS NULL, ${relays.priority}, ${relays.id} DESC`,
    )
}
