/** Domains: claims by accounts. Claims that are not verified coexist; a verified name is one account's alone. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { runBatch } from '../mail/change.ts'
import { domains } from '../schema.ts'
import type { Stores } from '../stores.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type DomainRow = typeof domains.$inferSelect

/** Makes a claim; false where the account has one of that name or is closed, or where it was to be verified and another's is. */
export async function insertDomain(stores: Stores, row: DomainRow, keeping?: Keeping): Promise<boolean> {
  const unclaimed = sql`NOT EXISTS (SELECT 1 FROM domains WHERE account = ${row.account} AND name = ${row.name})`
  const unique = row.status === 'verified' ? notVerified(row.name) : sql`1`
  const exists = sql`EXISTS (SELECT 1 FROM domains WHERE account = ${row.account} AND id = ${row.id})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping },
    (free) => sql`INSERT INTO domains (account, id, name, status, token, dkim_selector, dkim_private, dkim_public,
        return_path_label, settings, created_at, verified_at)
      SELECT ${row.account}, ${row.id}, ${row.name}, ${row.status}, ${row.token}, ${row.dkimSelector},
        ${row.dkimPrivate}, ${row.dkimPublic}, ${row.returnPathLabel}, ${row.settings}, ${row.createdAt},
        ${row.verifiedAt} WHERE ${free} AND ${unclaimed} AND ${unique} RETURNING 1`,
  )
}

/** The account's claim with this id. */
export async function findDomain(stores: Stores, account: number, id: string): Promise<DomainRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(domains)
    .where(and(eq(domains.account, account), eq(domains.id, id)))
  return row
}

/** The account's claim of this name. */
export async function findClaim(stores: Stores, account: number, name: string): Promise<DomainRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(domains)
    .where(and(eq(domains.account, account), eq(domains.name, name)))
  return row
}

/** Whose the name is, once that is verified. */
export async function findVerified(stores: Stores, name: string): Promise<DomainRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(domains)
    .where(and(eq(domains.name, name), sql`status = 'verified'`))
  return row
}

export async function listDomains(stores: Stores, account: number, page: Page): Promise<DomainRow[]> {
  const { where, orderBy, limit } = pageBy(domains.id, page)
  return stores.directory
    .select()
    .from(domains)
    .where(and(eq(domains.account, account), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** Puts other settings in place of those that were read; false where they are others by now. */
export async function patchDomain(stores: Stores, row: DomainRow, settings: string): Promise<boolean> {
  const changed = await stores.directory
    .update(domains)
    .set({ settings })
    .where(and(eq(domains.account, row.account), eq(domains.id, row.id), eq(domains.settings, row.settings)))
    .returning({ id: domains.id })
  return changed.length > 0
}

/** Moves a claim to `verified`, unless another's is; or from `not_started` to `pending`. */
export async function setDomainStatus(
  stores: Stores,
  row: DomainRow,
  status: 'verified' | 'pending',
  now: number,
): Promise<void> {
  const only =
    status === 'verified' ? sql`status <> 'verified' AND ${notVerified(row.name)}` : sql`status = 'not_started'`
  await stores.directory.run(
    sql`UPDATE domains SET status = ${status}, verified_at = ${status === 'verified' ? now : null}
      WHERE account = ${row.account} AND id = ${row.id} AND ${only}`,
  )
}

/** How many addresses go in one batch, so that no statement runs long. */
const STEP = 500

/**
 * One step of deleting a claim. While it is verified the addresses on it go first, whosever they are, and the name stays
 * taken until none is left: a later owner must find no stranger's address on it. True once the claim is gone.
 */
export async function deleteDomainStep(
  stores: Stores,
  row: Pick<DomainRow, 'account' | 'id' | 'name'>,
): Promise<boolean> {
  const own = sql`account = ${row.account} AND id = ${row.id}`
  const isVerified = sql`EXISTS (SELECT 1 FROM domains WHERE ${own} AND status = 'verified')`
  const [, gone] = await runBatch(stores.directory, [
    sql`DELETE FROM addresses WHERE address IN (SELECT address FROM addresses WHERE domain = ${row.name} LIMIT ${STEP})
      AND ${isVerified}`,
    sql`DELETE FROM domains WHERE ${own}
      AND (status <> 'verified' OR NOT EXISTS (SELECT 1 FROM addresses WHERE domain = ${row.name})) RETURNING 1`,
  ])
  return gone !== undefined && gone.length > 0
}

function notVerified(name: string): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM domains WHERE name = ${name} AND status = 'verified')`
}
