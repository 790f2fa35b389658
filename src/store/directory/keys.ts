/** API keys. Stored as SHA-256 only: who reads the database cannot act as anybody. */
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm'
import { apiKeys } from '../schema.ts'
import { type AccountRef, INSTANCE, type Stores } from '../stores.ts'

export type KeyRow = typeof apiKeys.$inferSelect

/** What a request needs to know of its key. */
export type FoundKey = {
  id: string
  account: AccountRef
  accountState: 'active' | 'closing'
  scopes: string[]
  domainId: string | null
  lastUsedAt: number | null
}

/** The key with this hash and its account, in one read. */
export async function findKey(stores: Stores, hash: string): Promise<FoundKey | undefined> {
  const [row] = await stores.directory.all<Record<string, string | number | null>>(
    sql`SELECT k.id, k.account, k.scopes, k.domain_id, k.last_used_at, a.id AS account_id, a.state, a.mail_db
      FROM api_keys k LEFT JOIN accounts a ON a.number = k.account WHERE k.hash = ${hash}`,
  )
  if (!row) return undefined
  const account =
    row.account === INSTANCE.number
      ? INSTANCE
      : { number: Number(row.account), id: String(row.account_id), mailDb: String(row.mail_db) }
  return {
    id: String(row.id),
    account,
    accountState: row.account === INSTANCE.number || row.state === 'active' ? 'active' : 'closing',
    scopes: asTexts(JSON.parse(String(row.scopes))),
    domainId: row.domain_id === null ? null : String(row.domain_id),
    lastUsedAt: row.last_used_at === null ? null : Number(row.last_used_at),
  }
}

/** Notes that a key was used. */
export async function touchKey(stores: Stores, hash: string, now: number): Promise<void> {
  await stores.directory.update(apiKeys).set({ lastUsedAt: now }).where(eq(apiKeys.hash, hash))
}

/** A page of an account's keys, newest first. */
export async function listKeys(
  stores: Stores,
  account: number,
  page: { limit: number; after?: string; before?: string },
): Promise<KeyRow[]> {
  return stores.directory
    .select()
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.account, account),
        page.after ? lt(apiKeys.id, page.after) : undefined,
        page.before ? gt(apiKeys.id, page.before) : undefined,
      ),
    )
    .orderBy(page.before ? apiKeys.id : desc(apiKeys.id))
    .limit(page.limit + 1)
}

/** Deletes a key; answers its hash, or undefined where the account has no such key. */
export async function deleteKey(stores: Stores, account: number, id: string): Promise<string | undefined> {
  const [gone] = await stores.directory
    .delete(apiKeys)
    .where(and(eq(apiKeys.account, account), eq(apiKeys.id, id)))
    .returning({ hash: apiKeys.hash })
  return gone?.hash
}

function asTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
