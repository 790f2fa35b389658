/** Who takes the mail for an envelope recipient, with all that decides what becomes of it: one read. */
import { sql } from 'drizzle-orm'
import { beingMoved } from '../settle.ts'
import type { AccountRef, Stores } from '../stores.ts'
import { type AddressSettings, readSettings } from './settings.ts'

/** An address with the account whose mail it is, how it takes mail, and the account's rules. */
export type Taker = {
  account: AccountRef
  address: string
  settings: AddressSettings
  forwardTo: string[]
  /** The account's enabled rules in their order, each as its row has it. */
  rules: { id: string; name: string; rule: string }[]
}

/** The address that was written to, and those that it hands its mail on to; these are empty where it has no such setting. */
export type Takers = { written: Taker; aliases: Taker[]; isAlias: boolean }

/**
 * The first of these addresses that is there, has not expired, is an open account's and on a domain that receives.
 * `domains` are the recipient's and those above it: an address for a whole domain does not reach into a part of it
 * that another account has verified.
 * @throws Problem service_unavailable where one of them is of an account that is being moved.
 */
export async function findTakers(
  stores: Stores,
  candidates: readonly string[],
  domains: readonly string[],
  now: number,
): Promise<Takers | undefined> {
  const receives = sql`(a.expires_at IS NULL OR a.expires_at > ${now})
    AND COALESCE(d.settings ->> '$.capabilities.receiving', 'enabled') <> 'disabled'`
  const rows = await stores.directory.all<Record<string, unknown>>(
    sql`WITH written AS MATERIALIZED (
        SELECT a.address, a.account, a.settings, a.forward_to FROM json_each(${JSON.stringify(candidates)}) AS candidate
        CROSS JOIN addresses AS a ON a.address = candidate.value
        JOIN accounts AS o ON o.number = a.account AND o.state <> 'closing'
        LEFT JOIN domains AS d ON d.name = a.domain AND d.verified_at IS NOT NULL
        WHERE ${receives} AND NOT EXISTS (SELECT 1 FROM json_each(${JSON.stringify(domains)}) AS part
          CROSS JOIN domains AS x ON x.name = part.value AND x.verified_at IS NOT NULL
          WHERE length(part.value) > length(a.domain) AND x.account <> a.account)
        ORDER BY candidate.key LIMIT 1),
      places AS (
        SELECT 0 AS place, address, account, settings, forward_to FROM written
        UNION ALL
        SELECT target.key + 1, a.address, a.account, a.settings, a.forward_to FROM written AS w
        CROSS JOIN json_each(w.settings, '$.deliverTo') AS target
        CROSS JOIN addresses AS a ON a.address = target.value ->> 'address' AND a.account = target.value ->> 'account'
        LEFT JOIN domains AS d ON d.name = a.domain AND d.verified_at IS NOT NULL
        WHERE ${receives})
      SELECT p.place, p.address, p.account, p.settings, p.forward_to, o.id, o.mail_db, o.state,
        (SELECT json_group_array(json_object('id', r.id, 'name', r.name, 'position', r.position, 'rule', r.rule))
          FROM rules AS r WHERE r.account = p.account AND r.enabled) AS rules
      FROM places AS p JOIN accounts AS o ON o.number = p.account AND o.state <> 'closing' ORDER BY p.place`,
  )
  if (rows.some(({ state }) => state !== 'active')) throw beingMoved()
  const [written, ...aliases] = rows.map(asTaker)
  if (!written) return undefined
  return { written, aliases, isAlias: (written.settings.deliverTo ?? []).length > 0 }
}

function asTaker(row: Record<string, unknown>): Taker {
  return {
    account: { number: Number(row.account), id: String(row.id), mailDb: String(row.mail_db) },
    address: String(row.address),
    settings: readSettings(typeof row.settings === 'string' ? row.settings : null),
    forwardTo: asList<string>(row.forward_to),
    rules: asList<{ id: string; name: string; position: number; rule: string }>(row.rules).sort(
      (a, b) => a.position - b.position || (a.id < b.id ? -1 : 1),
    ),
  }
}

/** A JSON array out of a column or a statement of this file. */
function asList<T>(value: unknown): T[] {
  return typeof value === 'string' ? (JSON.parse(value) as T[]) : []
}
