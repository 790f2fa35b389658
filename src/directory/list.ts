/** Lists as every route answers them. */
import { listOf, type Page, readPage } from '../record/page.ts'
import { newestFirst } from '../store/directory/page.ts'

/** Reads the page that was asked for, and shows each of its rows. @throws Problem invalid_parameter. */
export async function listPage<R, T>(
  query: { limit: number; after?: string; before?: string },
  read: (page: Page) => Promise<R[]>,
  show: (row: R) => T,
) {
  const page = readPage(query)
  const { rows, more } = newestFirst(await read(page), page)
  return listOf(rows.map(show), more)
}
