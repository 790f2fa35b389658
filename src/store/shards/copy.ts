/** An account's rows from one mail database to another, a page at a time; every step may be repeated. */
import { type SQL, sql } from 'drizzle-orm'
import { type Row, runBatch } from '../mail/change.ts'
import type { Database } from '../stores.ts'
import { everyRowOf, type MovedTable, rowsOf } from './tables.ts'

/** Rows in a page: what one answer carries, if each is as large as the law of rows allows, still fits an isolate. */
const PAGE = 50

/** Characters of JSON in one statement: D1 takes 2 MB of a value. */
const MOST_JSON = 800_000

/** Rows in one deletion: few enough that it never runs long. */
const DROPPED = 500

/** Whose rows of which table, and behind which key to go on. */
export type Place = { table: MovedTable; account: number; now: number; after: readonly unknown[] }

/** Copies the next page; answers where to go on, undefined at the end. A row that is there already is written anew. */
export async function copyPage(from: Database, to: Database, place: Place): Promise<readonly unknown[] | undefined> {
  const rows = await readPage(from, place)
  const { table } = place
  const names = sql.raw(table.columns.join(', '))
  const values = sql.raw(table.columns.map((_, at) => `value ->> ${at}`).join(', '))
  for (const chunk of chunks(rows.map((row) => table.columns.map((column) => row[column])))) {
    await runBatch(to, [
      chunk.length === 1
        ? sql`INSERT OR REPLACE INTO ${sql.raw(table.name)} (${names}) VALUES (${sql.join(
            (chunk[0] ?? []).map((value) => sql`${value}`),
            sql`, `,
          )})`
        : sql`INSERT OR REPLACE INTO ${sql.raw(table.name)} (${names}) SELECT ${values} FROM json_each(${JSON.stringify(chunk)})`,
    ])
  }
  return behind(rows, table)
}

/** Compares the next page of both; `same` is false where a row is missing, too many or other. */
export async function comparePage(
  from: Database,
  to: Database,
  place: Place,
): Promise<{ same: boolean; next: readonly unknown[] | undefined }> {
  const [ours, theirs] = await Promise.all([readPage(from, place), readPage(to, place)])
  return { same: JSON.stringify(ours) === JSON.stringify(theirs), next: behind(ours, place.table) }
}

/** Removes some of the account's rows of a table; true once none is left. */
export async function dropPage(db: Database, { table, account, now }: Omit<Place, 'after'>): Promise<boolean> {
  const [gone = []] = await runBatch(db, [dropSome(table, account, now, DROPPED)])
  return gone.length < DROPPED
}

/** The statement that removes so many of the account's rows of a table; it answers a row for each. */
export function dropSome(table: MovedTable, account: number, now: number, limit: number): SQL {
  const [name, key] = [sql.raw(table.name), sql.raw(['account', ...table.key].join(', '))]
  return sql`DELETE FROM ${name} WHERE (${key}) IN
    (SELECT ${key} FROM ${name} WHERE ${everyRowOf(table, account, now)} LIMIT ${limit}) RETURNING 1`
}

async function readPage(db: Database, { table, account, now, after }: Place): Promise<Row[]> {
  const [rows = []] = await runBatch(db, [pageOf(table, rowsOf(table, account, now), after)])
  return rows
}

/** One page in the order of the key. */
export function pageOf(table: MovedTable, which: SQL, after: readonly unknown[]): SQL {
  const key = sql.raw(table.key.join(', '))
  const values = sql.join(
    after.map((value) => sql`${value}`),
    sql`, `,
  )
  const further = after.length > 0 ? sql` AND (${key}) > (${values})` : sql``
  const order = table.key.length > 0 ? sql` ORDER BY ${key}` : sql``
  return sql`SELECT ${sql.raw(table.columns.join(', '))} FROM ${sql.raw(table.name)} WHERE ${which}${further}${order} LIMIT ${PAGE}`
}

function behind(rows: readonly Row[], table: MovedTable): readonly unknown[] | undefined {
  const last = rows.at(-1)
  return last && rows.length === PAGE && table.key.length > 0 ? table.key.map((column) => last[column]) : undefined
}

/** As many rows together as one statement takes; a row that is too large for that goes alone. */
function chunks(rows: unknown[][]): unknown[][][] {
  const made: unknown[][][] = []
  let room = 0
  for (const row of rows) {
    const size = JSON.stringify(row).length
    const last = made.at(-1)
    if (last && size <= room) last.push(row)
    else made.push([row])
    room = (last && size <= room ? room : MOST_JSON) - size
  }
  return made
}
