/** Rules of an account, in the order in which they are asked. They lie in the directory, beside the addresses. */
import { type SQL, sql } from 'drizzle-orm'
import { insertOnce, isOpen } from '../directory/insert.ts'
import type { Keeping } from '../idempotency.ts'
import { type Row, runBatch } from '../mail/change.ts'
import type { rules } from '../schema/directory.ts'
import type { Stores } from '../stores.ts'

export type RuleRow = typeof rules.$inferSelect

/** All of an account's rules are read with every mail that comes to it, and asked. */
export const MAX_RULES = 100

/** Characters of all of them together. */
export const MAX_RULE_TEXT = 64 * 1024

/** Makes a rule at its position; false where there are too many, or the account is closed. */
export async function insertRule(stores: Stores, row: RuleRow, keeping?: Keeping): Promise<boolean> {
  const { account, id } = row
  const exists = sql`EXISTS (SELECT 1 FROM rules WHERE account = ${account} AND id = ${id})`
  // Those at its place and behind it give way, if anyone is there.
  const shift = sql`UPDATE rules SET position = position + 1 WHERE account = ${account} AND id <> ${id} AND position >= ${row.position}
    AND ${exists} AND EXISTS (SELECT 1 FROM rules WHERE account = ${account} AND id <> ${id} AND position = ${row.position})`
  return insertOnce(
    stores,
    { account, now: row.createdAt, exists, keeping, beside: [shift] },
    (free) => sql`INSERT INTO rules (account, id, position, name, enabled, rule, created_at)
      SELECT ${account}, ${id}, ${row.position}, ${row.name}, ${row.enabled ? 1 : 0}, ${row.rule}, ${row.createdAt}
      WHERE ${free} AND NOT ${exists} AND (SELECT COUNT(*) FROM rules WHERE account = ${account}) < ${MAX_RULES}
        AND ${hasRoom(row)} RETURNING 1`,
  )
}

/** Every rule of the account, the first asked first. */
export async function listRules(stores: Stores, account: number): Promise<RuleRow[]> {
  const rows = await stores.directory.all<Row>(
    sql`SELECT * FROM rules WHERE account = ${account} ORDER BY position, id`,
  )
  return rows.map(asRule)
}

export async function findRule(stores: Stores, account: number, id: string): Promise<RuleRow | undefined> {
  const [row] = await stores.directory.all<Row>(sql`SELECT * FROM rules WHERE account = ${account} AND id = ${id}`)
  return row && asRule(row)
}

/** Changes a rule; undefined where it is no longer as it was read, or all of them would be too long. */
export async function replaceRule(stores: Stores, read: RuleRow, row: RuleRow): Promise<RuleRow | undefined> {
  const { account, id, position } = row
  const isAsRead = sql`account = ${account} AND id = ${id} AND position = ${read.position} AND name = ${read.name}
    AND enabled = ${read.enabled ? 1 : 0} AND rule = ${read.rule}`
  const others = sql`account = ${account} AND id <> ${id}`
  const shift = sql`UPDATE rules SET position = position + 1 WHERE ${others} AND position >= ${position}
    AND EXISTS (SELECT 1 FROM rules WHERE ${isAsRead}) AND ${hasRoom(row)}
    AND EXISTS (SELECT 1 FROM rules WHERE ${others} AND position = ${position})`
  const [changed] =
    (
      await runBatch(stores.directory, [
        ...(position === read.position ? [] : [shift]),
        sql`UPDATE rules SET position = ${position}, name = ${row.name}, enabled = ${row.enabled ? 1 : 0}, rule = ${row.rule}
        WHERE ${isAsRead} AND ${hasRoom(row)} RETURNING *`,
      ])
    ).at(-1) ?? []
  return changed && asRule(changed)
}

/** False where it was gone already. */
export async function deleteRule(stores: Stores, account: number, id: string): Promise<boolean> {
  const [gone] = await runBatch(stores.directory, [
    sql`DELETE FROM rules WHERE account = ${account} AND id = ${id} RETURNING 1`,
  ])
  return gone !== undefined && gone.length > 0
}

/** Why a rule was not made. */
export async function whyNoRule(stores: Stores, row: RuleRow): Promise<'closed' | 'many' | 'long'> {
  const [why] = await stores.directory.all<{ open: number; few: number }>(
    sql`SELECT ${isOpen(row.account)} AS open,
      (SELECT COUNT(*) FROM rules WHERE account = ${row.account}) < ${MAX_RULES} AS few`,
  )
  if (!why?.open) return 'closed'
  return why.few ? 'long' : 'many'
}

function hasRoom({ account, id, rule }: RuleRow): SQL {
  return sql`(SELECT COALESCE(SUM(length(rule)), 0) FROM rules WHERE account = ${account} AND id <> ${id}) + ${rule.length} <= ${MAX_RULE_TEXT}`
}

function asRule(row: Row): RuleRow {
  return {
    account: Number(row.account),
    id: String(row.id),
    position: Number(row.position),
    name: String(row.name),
    enabled: Number(row.enabled) === 1,
    rule: String(row.rule),
    createdAt: Number(row.created_at),
  }
}
