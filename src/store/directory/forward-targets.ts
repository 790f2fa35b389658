/** Where an account's mail may be forwarded to: who lives there has agreed, or it is the account's own. */
import { sql } from 'drizzle-orm'
import { type Address, addressKey } from '../../mail/address.ts'
import type { Stores } from '../stores.ts'

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
