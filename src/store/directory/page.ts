/** Pages by id: newest first, one row more than asked for, so that it is known whether others follow. */
import { desc, gt, lt, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'

export type Page = { limit: number; after?: string | undefined; before?: string | undefined }

/** What a query over a column of ids needs to read a page. A page before an id is read upwards: see `newestFirst`. */
export function pageBy(
  id: SQLiteColumn,
  page: Page,
): { where: (SQL | undefined)[]; orderBy: SQL | SQLiteColumn; limit: number } {
  return {
    where: [page.after ? lt(id, page.after) : undefined, page.before ? gt(id, page.before) : undefined],
    orderBy: page.before ? id : desc(id),
    limit: page.limit + 1,
  }
}

/** The rows of a page in the order in which they are shown, and whether there are more beyond it. */
export function newestFirst<T>(rows: readonly T[], page: Page): { rows: T[]; more: boolean } {
  const shown = rows.slice(0, page.limit)
  return { rows: page.before ? shown.reverse() : shown, more: rows.length > page.limit }
}
