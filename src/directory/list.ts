/** Lists as every route answers them. */
import { newestFirst, type Page } from '../store/directory/page.ts'

export type List<T> = { object: 'list'; has_more: boolean; data: T[] }

/** A page of rows as a list of what is shown of each. */
export function asList<R, T>(rows: readonly R[], page: Page, show: (row: R) => T): List<T> {
  const { rows: shown, more } = newestFirst(rows, page)
  return { object: 'list', has_more: more, data: shown.map(show) }
}
