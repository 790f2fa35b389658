/** By whose leave an address may send. */
import { sql } from 'drizzle-orm'
import type { Stores } from '../stores.ts'
import { isUsable } from './domains.ts'

export type SendingDomain = {
  /** The account whose domain it is: its DKIM key is sealed there. */
  account: number
  id: string
  name: string
  dkimSelector: string
  dkimPrivate: string
  returnPathLabel: string
  sending: boolean
}

/**
 * The verified domain of that name, where the account has it, or has one of these addresses on it; in one read.
 * An address that another account has is no leave to send, nor is one that stands on a domain above it.
 */
export async function findSendingDomain(
  stores: Stores,
  account: number,
  of: { domain: string; candidates: readonly string[]; now: number },
): Promise<SendingDomain | undefined> {
  const [row] = await stores.directory.all<Record<string, string | number | null>>(
    sql`SELECT account, id, name, dkim_selector, dkim_private, return_path_label,
        settings ->> '$.capabilities.sending' AS sending
      FROM domains AS d WHERE d.name = ${of.domain} AND d.verified_at IS NOT NULL AND d.${isUsable}
      AND (d.account = ${account} OR EXISTS (SELECT 1 FROM json_each(${JSON.stringify(of.candidates)}) AS candidate
        JOIN addresses AS a ON a.address = candidate.value
        WHERE a.account = ${account} AND a.domain = d.name AND (a.expires_at IS NULL OR a.expires_at > ${of.now})))`,
  )
  if (!row) return undefined
  return {
    account: Number(row.account),
    id: String(row.id),
    name: String(row.name),
    dkimSelector: String(row.dkim_selector),
    dkimPrivate: String(row.dkim_private),
    returnPathLabel: String(row.return_path_label),
    sending: row.sending !== 'disabled',
  }
}
