/** Domains: claims by accounts. Claims of one name coexist; one account alone holds it, from when its claim was proved on. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { runBatch } from '../mail/change.ts'
import { domains } from '../schema/directory.ts'
import type { Stores } from '../stores.ts'
import { type DomainNews, oweNews } from './domain-news.ts'
import { insertOnce } from './insert.ts'
import { type Page, pageBy } from './page.ts'

export type DomainRow = typeof domains.$inferSelect

/** The states in which a domain that is held sends and takes new addresses. In every other it keeps taking mail for the ones it has. */
const USABLE = ['verified', 'partially_verified', 'partially_failed'] as const

/** The condition on a row that it is in one of those. */
export const isUsable = sql.raw(`status IN ('${USABLE.join("', '")}')`)

/** Whether the claim holds its name and may send. */
export function isVerified(row: Pick<DomainRow, 'status' | 'verifiedAt'>): boolean {
  return row.verifiedAt !== null && USABLE.some((status) => status === row.status)
}

/**
 * Makes a claim; false where the account has one of that name or is closed, or where it was to be verified and another
 * holds the name.
 */
export async function insertDomain(
  stores: Stores,
  row: DomainRow,
  keeping: Keeping | undefined,
  news: DomainNews,
): Promise<boolean> {
  const unclaimed = sql`NOT EXISTS (SELECT 1 FROM domains WHERE account = ${row.account} AND name = ${row.name})`
  const unique = row.verifiedAt === null ? sql`1` : notHeld(row.name)
  const exists = sql`EXISTS (SELECT 1 FROM domains WHERE ${own(row)})`
  return insertOnce(
    stores,
    { account: row.account, now: row.createdAt, exists, keeping, beside: [oweNews(news, exists)] },
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

/** The claim that holds the name, whatever the DNS says of it by now. */
export async function findHolder(stores: Stores, name: string): Promise<DomainRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(domains)
    .where(and(eq(domains.name, name), sql`verified_at IS NOT NULL`))
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

/** Writes what may change of a claim; false, and nothing written, where the row is another by now. */
export async function changeDomain(
  stores: Stores,
  before: DomainRow,
  after: DomainRow,
  news: DomainNews,
): Promise<boolean> {
  return change(stores, after, isUnchanged(before), news)
}

/** The statement that makes the row what it is to be, where the condition holds. */
export function setDomain(row: DomainRow, only: SQL): SQL {
  return sql`UPDATE domains SET status = ${row.status}, settings = ${row.settings}, checks = ${row.checks},
      dkim_selector = ${row.dkimSelector}, dkim_private = ${row.dkimPrivate}, dkim_public = ${row.dkimPublic},
      other_key = ${row.otherKey}, verified_at = ${row.verifiedAt}
    WHERE ${own(row)} AND ${only} RETURNING 1`
}

/** The condition that nobody changed the row since it was read. */
export function isUnchanged(row: DomainRow): SQL {
  return sql`EXISTS (SELECT 1 FROM domains WHERE ${own(row)} AND status = ${row.status} AND settings = ${row.settings}
    AND checks IS ${row.checks} AND other_key IS ${row.otherKey} AND verified_at IS ${row.verifiedAt})`
}

/** Verifies a claim without a look at the DNS; false, and nothing written, where another holds the name or the row changed. */
export async function verifyAtOnce(
  stores: Stores,
  before: DomainRow,
  after: DomainRow,
  news: DomainNews,
): Promise<boolean> {
  return change(stores, after, sql`${isUnchanged(before)} AND ${notHeld(before.name, before.account)}`, news)
}

async function change(stores: Stores, after: DomainRow, only: SQL, news: DomainNews): Promise<boolean> {
  const [, changed] = await runBatch(stores.directory, [oweNews(news, only), setDomain(after, only)])
  return changed !== undefined && changed.length > 0
}

/** The condition that no account but the given one holds the name. */
export function notHeld(name: string, but = -1): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM domains WHERE name = ${name} AND verified_at IS NOT NULL AND account <> ${but})`
}

export function own(row: Pick<DomainRow, 'account' | 'id'>): SQL {
  return sql`account = ${row.account} AND id = ${row.id}`
}
