/** Addresses that mail is taken for. One address is one account's, over the whole instance. */
import { and, eq, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { addresses } from '../schema/directory.ts'
import type { Stores } from '../stores.ts'
import { isUsable } from './domains.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type AddressRow = typeof addresses.$inferSelect

/**
 * Makes an address; false where it is taken, the account is closed or has as many as it may, or nobody whom `domainOf`
 * allows has verified the domain: the account itself, or with `any` whoever it is.
 */
export async function insertAddress(
  stores: Stores,
  row: AddressRow,
  domainOf: 'account' | 'any',
  keeping?: Keeping,
): Promise<boolean> {
  const owner = domainOf === 'account' ? sql`AND account = ${row.account}` : sql``
  const exists = sql`EXISTS (SELECT 1 FROM addresses WHERE account = ${row.account} AND id = ${row.id})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping },
    (
      free,
    ) => sql`INSERT INTO addresses (address, id, account, domain, name, forward_to, expires_at, created_at, settings)
      SELECT ${row.address}, ${row.id}, ${row.account}, ${row.domain}, ${row.name}, ${row.forwardTo},
        ${row.expiresAt}, ${row.createdAt}, ${row.settings} WHERE ${free}
        AND NOT EXISTS (SELECT 1 FROM addresses WHERE address = ${row.address})
        AND EXISTS (SELECT 1 FROM domains WHERE name = ${row.domain} AND verified_at IS NOT NULL AND ${isUsable} ${owner})
        AND (SELECT COUNT(*) FROM addresses WHERE account = ${row.account})
          < COALESCE((SELECT address_limit FROM accounts WHERE number = ${row.account}), 9e15) RETURNING 1`,
  )
}

/** Why an address was not made, as far as the account may know. */
export async function whyNoAddress(
  stores: Stores,
  row: Pick<AddressRow, 'account' | 'address' | 'domain'>,
  domainOf: 'account' | 'any',
): Promise<'closed' | 'domain' | 'taken' | 'limit'> {
  const owner = domainOf === 'account' ? sql`AND account = ${row.account}` : sql``
  const [why] = await stores.directory.all<{ open: number; domain: number; taken: number }>(
    sql`SELECT EXISTS (SELECT 1 FROM accounts WHERE number = ${row.account} AND state = 'active') AS open,
      EXISTS (SELECT 1 FROM domains WHERE name = ${row.domain} AND verified_at IS NOT NULL AND ${isUsable} ${owner}) AS domain,
      EXISTS (SELECT 1 FROM addresses WHERE address = ${row.address}) AS taken`,
  )
  if (!why?.open) return 'closed'
  if (!why.domain) return 'domain'
  return why.taken ? 'taken' : 'limit'
}

/** The first of these domains that anybody has verified. */
export async function findVerified(stores: Stores, names: readonly string[]): Promise<string | undefined> {
  const [row] = await stores.directory.all<{ name: string }>(
    sql`SELECT d.name FROM json_each(${JSON.stringify(names)}) AS wanted
      CROSS JOIN domains AS d ON d.name = wanted.value AND d.verified_at IS NOT NULL ORDER BY wanted.key LIMIT 1`,
  )
  return row?.name
}

/** The account's address, by its id or itself. */
export async function findAddress(
  stores: Stores,
  account: number,
  by: { id: string } | { address: string },
): Promise<AddressRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(addresses)
    .where(
      and(eq(addresses.account, account), 'id' in by ? eq(addresses.id, by.id) : eq(addresses.address, by.address)),
    )
  return row
}

export async function listAddresses(
  stores: Stores,
  account: number,
  page: Page & { domain?: string | undefined },
): Promise<AddressRow[]> {
  const { where, orderBy, limit } = pageBy(addresses.id, page)
  const domain = page.domain === undefined ? undefined : eq(addresses.domain, page.domain)
  return stores.directory
    .select()
    .from(addresses)
    .where(and(eq(addresses.account, account), domain, ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** Changes an address; undefined where its settings are no longer as they were read, or it is gone. */
export async function patchAddress(
  stores: Stores,
  row: Pick<AddressRow, 'account' | 'address' | 'settings'>,
  patch: Partial<Pick<AddressRow, 'name' | 'forwardTo' | 'expiresAt' | 'settings'>>,
): Promise<AddressRow | undefined> {
  const [changed] = await stores.directory
    .update(addresses)
    .set(patch)
    .where(
      and(
        eq(addresses.account, row.account),
        eq(addresses.address, row.address),
        sql`${addresses.settings} IS ${row.settings}`,
      ),
    )
    .returning()
  return changed
}

/** Deletes an address; false where it was gone already. */
export async function deleteAddress(stores: Stores, row: Pick<AddressRow, 'account' | 'address'>): Promise<boolean> {
  const gone = await stores.directory
    .delete(addresses)
    .where(and(eq(addresses.account, row.account), eq(addresses.address, row.address)))
    .returning({ id: addresses.id })
  return gone.length > 0
}
