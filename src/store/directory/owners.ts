/** Which of many addresses are taken for here, and whose they are. */
import { sql } from 'drizzle-orm'
import type { Stores } from '../stores.ts'

export type Owner = { address: string; account: number; name: string | null }

/** Those of the addresses, written as they are registered, that an account has; expired ones too. One read. */
export async function findOwners(stores: Stores, addresses: readonly string[]): Promise<Owner[]> {
  const rows = await stores.directory.all<Record<string, string | number | null>>(
    sql`SELECT a.address, a.account, a.name FROM json_each(${JSON.stringify(addresses)}) AS wanted
      JOIN addresses AS a ON a.address = wanted.value`,
  )
  return rows.map(({ address, account, name }) => ({
    address: String(address),
    account: Number(account),
    name: name === null ? null : String(name),
  }))
}
