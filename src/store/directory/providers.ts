/** Mail services whose calls are taken, of accounts and (account number 0) of the instance. Secrets are sealed. */
import { and, eq, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { providers } from '../schema/directory.ts'
import type { Stores } from '../stores.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type ProviderRow = typeof providers.$inferSelect

/** Makes a provider; false where the account is closed, has too many, or was answered already. */
export async function insertProvider(
  stores: Stores,
  row: ProviderRow,
  most: number,
  keeping?: Keeping,
): Promise<boolean> {
  const exists = sql`EXISTS (SELECT 1 FROM providers WHERE account = ${row.account} AND id = ${row.id})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping },
    (free) => sql`INSERT INTO providers (account, id, kind, name, secrets, settings, created_at)
      SELECT ${row.account}, ${row.id}, ${row.kind}, ${row.name}, ${row.secrets}, ${row.settings}, ${row.createdAt}
      WHERE ${free} AND (SELECT COUNT(*) FROM providers WHERE account = ${row.account}) < ${most} RETURNING 1`,
  )
}

export async function findProvider(stores: Stores, account: number, id: string): Promise<ProviderRow | undefined> {
  const [row] = await stores.directory.select().from(providers).where(keyOf(account, id))
  return row
}

/** The provider of this id, whosever: what its own calls name it by. */
export async function findProviderById(stores: Stores, id: string): Promise<ProviderRow | undefined> {
  const [row] = await stores.directory.select().from(providers).where(eq(providers.id, id))
  return row
}

export async function listProviders(stores: Stores, account: number, page: Page): Promise<ProviderRow[]> {
  const { where, orderBy, limit } = pageBy(providers.id, page)
  return stores.directory
    .select()
    .from(providers)
    .where(and(eq(providers.account, account), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** Changes name or settings of what was read, while its settings are still those; false where they are not. */
export async function changeProvider(
  stores: Stores,
  read: ProviderRow,
  to: Pick<ProviderRow, 'name' | 'settings'>,
): Promise<boolean> {
  const changed = await stores.directory
    .update(providers)
    .set(to)
    .where(and(keyOf(read.account, read.id), sql`${providers.settings} IS ${read.settings}`))
    .returning({ id: providers.id })
  return changed.length > 0
}

/** Deletes a provider; false where the account has none of this id. */
export async function deleteProvider(stores: Stores, account: number, id: string): Promise<boolean> {
  const gone = await stores.directory.delete(providers).where(keyOf(account, id)).returning({ id: providers.id })
  return gone.length > 0
}

function keyOf(account: number, id: string) {
  return and(eq(providers.account, account), eq(providers.id, id))
}
