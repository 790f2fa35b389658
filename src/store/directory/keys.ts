/** API keys. Stored as SHA-256 only: who reads the database cannot act as anybody. */
import { and, eq, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { apiKeys } from '../schema/directory.ts'
import { type AccountRef, INSTANCE, type Stores } from '../stores.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type KeyRow = typeof apiKeys.$inferSelect

/** The JSON of `limits`: what is absent is not limited. */
export type KeyLimits = {
  /** `local@domain`, as `addressKey` writes it, or `@domain` for all of that domain. */
  senders?: string[]
  /** Recipients in a UTC day. */
  sends_per_day?: number
  requests_per_second?: number
  /** The limited key, by id, that made this one: the two share one count, or a key could be multiplied. */
  counted_with?: string
}

/** What a request needs to know of its key. */
export type FoundKey = {
  id: string
  account: AccountRef
  /** `waiting`: it is not open just now, and will be. */
  accountState: 'active' | 'waiting' | 'closing'
  scopes: string[]
  domainId: string | null
  lastUsedAt: number | null
  limits: KeyLimits
  /** What all keys of the account may ask a second together; null is no limit of its own. */
  accountRate: number | null
}

/** The key with this hash and its account, in one read. */
export async function findKey(stores: Stores, hash: string): Promise<FoundKey | undefined> {
  const [row] = await stores.directory.all<Record<string, string | number | null>>(
    sql`SELECT k.id, k.account, k.scopes, k.domain_id, k.last_used_at, k.limits, a.id AS account_id, a.state, a.mail_db,
        a.settings ->> '$.requests_per_second' AS account_rate
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
    accountState: row.account === INSTANCE.number ? 'active' : stateOf(row.state),
    scopes: asTexts(JSON.parse(String(row.scopes))),
    domainId: row.domain_id === null ? null : String(row.domain_id),
    lastUsedAt: row.last_used_at === null ? null : Number(row.last_used_at),
    limits: limitsOf({ limits: row.limits === null ? null : String(row.limits) }),
    accountRate: row.account_rate === null ? null : Number(row.account_rate),
  }
}

function stateOf(state: unknown): FoundKey['accountState'] {
  if (state === 'active') return 'active'
  return state === 'opening' || state === 'moving' ? 'waiting' : 'closing'
}

export type NewKey = {
  id: string
  hash: string
  account: number
  name: string
  permission: string
  scopes: readonly string[]
  domainId: string | null
  limits: KeyLimits
}

/** Makes a key; false where its account is closed, has no such domain, or was answered already. */
export async function insertKey(stores: Stores, key: NewKey, now: number, keeping?: Keeping): Promise<boolean> {
  const exists = sql`EXISTS (SELECT 1 FROM api_keys WHERE hash = ${key.hash})`
  const limits = Object.keys(key.limits).length > 0 ? JSON.stringify(key.limits) : null
  const domain = key.domainId
    ? sql`EXISTS (SELECT 1 FROM domains WHERE account = ${key.account} AND id = ${key.domainId})`
    : sql`1`
  return insertOnce(
    stores,
    { account: key.account, now, exists, keeping },
    (free) => sql`INSERT INTO api_keys (hash, id, account, name, permission, scopes, domain_id, limits, created_at)
      SELECT ${key.hash}, ${key.id}, ${key.account}, ${key.name}, ${key.permission}, ${JSON.stringify(key.scopes)},
        ${key.domainId}, ${limits}, ${now} WHERE ${free} AND ${domain} RETURNING 1`,
  )
}

/** Notes that a key was used, unless that was noted since `before`. */
export async function touchKey(stores: Stores, hash: string, now: number, before: number): Promise<void> {
  await stores.directory.run(
    sql`UPDATE api_keys SET last_used_at = ${now}
      WHERE hash = ${hash} AND (last_used_at IS NULL OR last_used_at < ${before})`,
  )
}

/** A page of an account's keys, newest first. */
export async function listKeys(stores: Stores, account: number, page: Page): Promise<KeyRow[]> {
  const { where, orderBy, limit } = pageBy(apiKeys.id, page)
  return stores.directory
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.account, account), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** What a key is to become: a limit that is null is taken away, one that is absent stays. */
export type KeyPatch = { name?: string; limits?: { [Name in keyof KeyLimits]: KeyLimits[Name] | null } }

/** Changes a key; answers its hash, or undefined where the account has no such key. */
export async function patchKey(
  stores: Stores,
  account: number,
  id: string,
  { name, limits }: KeyPatch,
): Promise<string | undefined> {
  // A merge patch (RFC 7396) takes away what is null, and two changes at once are both made.
  const merged = sql`json_patch(COALESCE(limits, '{}'), ${JSON.stringify(limits ?? {})})`
  const [changed] = await stores.directory.all<{ hash: string }>(
    sql`UPDATE api_keys SET name = COALESCE(${name ?? null}, name), limits = NULLIF(${merged}, '{}')
      WHERE account = ${account} AND id = ${id} RETURNING hash`,
  )
  return changed?.hash
}

/** Deletes a key; answers its hash, or undefined where the account has no such key. */
export async function deleteKey(stores: Stores, account: number, id: string): Promise<string | undefined> {
  const [gone] = await stores.directory
    .delete(apiKeys)
    .where(and(eq(apiKeys.account, account), eq(apiKeys.id, id)))
    .returning({ hash: apiKeys.hash })
  return gone?.hash
}

/** The scopes in a row. */
export function scopesOf(row: Pick<KeyRow, 'scopes'>): string[] {
  return asTexts(JSON.parse(row.scopes))
}

/** The limits in a row, as this file wrote them. */
export function limitsOf({ limits }: Pick<KeyRow, 'limits'>): KeyLimits {
  return limits === null ? {} : (JSON.parse(limits) as KeyLimits)
}

function asTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
