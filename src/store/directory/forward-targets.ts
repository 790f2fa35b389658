/** Where an account's mail may be forwarded to: who lives there has agreed, or it is the account's own. */
import { and, eq, sql } from 'drizzle-orm'
import { type Address, addressKey } from '../../mail/address.ts'
import { runBatch } from '../mail/change.ts'
import { forwardTargets } from '../schema/directory.ts'
import type { Stores } from '../stores.ts'
import { isOpen } from './insert.ts'
import { type Page, pageBy } from './page.ts'

/** `askedAt` is 0 where the question was not sent yet. */
export type ForwardTarget = typeof forwardTargets.$inferSelect

/** More people than an account has reason to forward to; each of them is sent a question by us. */
export const MAX_TARGETS = 100

/** Those of the addresses (as `address` writes them) that mail may be forwarded to now: agreed, on a domain that the account has verified, or an address that it has. */
export async function findForwardable(
  stores: Stores,
  account: number,
  addresses: readonly Address[],
): Promise<Set<string>> {
  const asked = addresses.map((address) => [address.address, addressKey(address), address.domain])
  if (asked.length === 0) return new Set()
  const rows = await stores.directory.all<{ address: string }>(
    sql`SELECT t.value ->> 0 AS address FROM json_each(${JSON.stringify(asked)}) AS t
      WHERE EXISTS (SELECT 1 FROM forward_targets AS f
          WHERE f.account = ${account} AND f.email = t.value ->> 1 AND f.verified_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM domains AS d
          WHERE d.account = ${account} AND d.name = t.value ->> 2 AND d.verified_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM addresses AS a WHERE a.address = t.value ->> 1 AND a.account = ${account})`,
  )
  return new Set(rows.map(({ address }) => address))
}

/** Makes those that are not there yet, as many as the account may have; answers those that are there then. */
export async function addTargets(
  stores: Stores,
  account: number,
  rows: readonly Pick<ForwardTarget, 'id' | 'email' | 'createdAt'>[],
): Promise<ForwardTarget[]> {
  const fits = sql`(SELECT COUNT(*) FROM forward_targets WHERE account = ${account}) < ${MAX_TARGETS}`
  await runBatch(
    stores.directory,
    rows.map(
      ({ id, email, createdAt }) => sql`INSERT INTO forward_targets (account, email, id, asked_at, created_at)
        SELECT ${account}, ${email}, ${id}, 0, ${createdAt} WHERE ${isOpen(account)} AND ${fits} ON CONFLICT DO NOTHING`,
    ),
  )
  const emails = JSON.stringify(rows.map(({ email }) => email))
  return stores.directory
    .select()
    .from(forwardTargets)
    .where(
      and(
        eq(forwardTargets.account, account),
        sql`${forwardTargets.email} IN (SELECT value FROM json_each(${emails}))`,
      ),
    )
}

/** By its id or the address, as `addressKey` writes it. */
export async function findTarget(stores: Stores, account: number, by: { id: string } | { email: string }) {
  const [row] = await stores.directory
    .select()
    .from(forwardTargets)
    .where(and(eq(forwardTargets.account, account), named(by)))
  return row
}

export async function listTargets(stores: Stores, account: number, page: Page): Promise<ForwardTarget[]> {
  const { where, orderBy, limit } = pageBy(forwardTargets.id, page)
  return stores.directory
    .select()
    .from(forwardTargets)
    .where(and(eq(forwardTargets.account, account), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** Deletes one; undefined where there is none. */
export async function deleteTarget(stores: Stores, account: number, by: { id: string } | { email: string }) {
  const [row] = await stores.directory
    .delete(forwardTargets)
    .where(and(eq(forwardTargets.account, account), named(by)))
    .returning()
  return row
}

/** Notes that the question was sent. */
export async function noteAsked(stores: Stores, account: number, email: string, now: number): Promise<void> {
  await stores.directory
    .update(forwardTargets)
    .set({ askedAt: now })
    .where(and(eq(forwardTargets.account, account), eq(forwardTargets.email, email)))
}

/** Notes that who lives there agrees, from the first time on; undefined where the target is gone. */
export async function verifyTarget(stores: Stores, account: number, id: string, now: number) {
  const [row] = await stores.directory
    .update(forwardTargets)
    .set({ verifiedAt: sql`COALESCE(${forwardTargets.verifiedAt}, ${now})` })
    .where(and(eq(forwardTargets.account, account), eq(forwardTargets.id, id)))
    .returning()
  return row
}

/** The account's own address that is the oldest: who asks where nobody is named. */
export async function findOldestAddress(stores: Stores, account: number, now: number): Promise<string | undefined> {
  const [row] = await stores.directory.all<{ address: string }>(
    sql`SELECT address FROM addresses WHERE account = ${account} AND address NOT LIKE '*%'
      AND (expires_at IS NULL OR expires_at > ${now}) ORDER BY id LIMIT 1`,
  )
  return row?.address
}

function named(by: { id: string } | { email: string }) {
  return 'id' in by ? eq(forwardTargets.id, by.id) : eq(forwardTargets.email, by.email)
}
