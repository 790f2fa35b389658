/** What lies in a mail database for an account: every table of it, taken from the schema, so that none can be forgotten when an account moves. */
import { is, type SQL, sql } from 'drizzle-orm'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { KEEP_MS } from '../mail/dispatches.ts'
import * as mail from '../schema/mail.ts'
import * as owed from '../schema/owed.ts'

export type MovedTable = {
  readonly name: string
  readonly columns: readonly string[]
  /** The key without the account: rows are read in its order. Empty where an account has one row. */
  readonly key: readonly string[]
}

/** Tasks that belong to the directory, although they name an account: they stay in DB, wherever the account's mail is. */
export const DIRECTORY_KINDS: readonly string[] = [
  'check-domain',
  'clear-shard',
  'delete-account',
  'move-account',
  'open-account',
  'tell-domain',
]

/** Counters come last: with them the account's mail is whole. */
export const MOVED_TABLES: readonly MovedTable[] = [...Object.values(mail), ...Object.values(owed)]
  .filter((table) => is(table, SQLiteTable))
  .map(describe)
  .sort((a, b) => Number(a.name === 'counters') - Number(b.name === 'counters'))

/** What is older is dropped while a move goes on, and is not worth the trouble. */
const DISPATCHES_MS = KEEP_MS - 86_400_000

/**
 * Which rows of the table are the account's, judged by one moment. Answers to repeated requests lie by day: these are the
 * days that can have any.
 */
export function rowsOf(table: MovedTable, account: number, now: number): SQL {
  if (table.name === 'dispatches') return sql`account = ${account} AND created_at >= ${now - DISPATCHES_MS}`
  return everyRowOf(table, account, now)
}

/** The same, with what is too old to be taken along. */
export function everyRowOf(table: MovedTable, account: number, now: number): SQL {
  const day = Math.floor(now / 86_400_000)
  if (table.name === 'idempotency') return sql`day IN (${day}, ${day - 1}, ${day - 2}) AND account = ${account}`
  if (table.name !== 'tasks') return sql`account = ${account}`
  return sql`account = ${account} AND kind NOT IN (SELECT value FROM json_each(${JSON.stringify(DIRECTORY_KINDS)}))`
}

function describe(table: SQLiteTable): MovedTable {
  const { name, columns, primaryKeys } = getTableConfig(table)
  const key = primaryKeys[0]?.columns ?? columns.filter((column) => column.primary)
  return {
    name,
    columns: columns.map((column) => column.name),
    key: key.map((column) => column.name).filter((column) => column !== 'account'),
  }
}
