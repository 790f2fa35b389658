/** Domains: claims of a name, and the one of them that is verified. */
import { sql } from 'drizzle-orm'
import { domains } from '../schema.ts'
import type { Stores } from '../stores.ts'

export type DomainRow = typeof domains.$inferSelect

/** The verified domain of a name that the account may send from: its own, or one on which it has this address or the wildcard. */
export async function findSendingDomain(
  stores: Stores,
  account: number,
  address: string,
  name: string,
): Promise<DomainRow | undefined> {
  const [row] = await stores.directory
    .select()
    .from(domains)
    .where(
      sql`${domains.name} = ${name} AND ${domains.status} = 'verified' AND (${domains.account} = ${account}
        OR EXISTS (SELECT 1 FROM addresses AS a WHERE a.account = ${account} AND a.address IN (${address}, ${`*@${name}`})))`,
    )
  return row
}
