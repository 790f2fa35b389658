/** Pages of lists: what a request may ask for, and how an answer says that there is more. */
import { isUuid } from '../base/id.ts'
import { Problem } from '../base/problem.ts'

/** A page's bounds, checked. */
export type Page = { limit: number; after?: string; before?: string }

/** Reads the bounds of a page. @throws Problem invalid_parameter where a cursor is no id, or both are given. */
export function readPage(query: { limit: number; after?: string; before?: string }): Page {
  const { limit, after, before } = query
  if (after !== undefined && before !== undefined) {
    throw refused('before', 'only one of `after` and `before` can be given')
  }
  if (after !== undefined && !isUuid(after)) throw refused('after', 'is not an id')
  if (before !== undefined && !isUuid(before)) throw refused('before', 'is not an id')
  return { limit, ...(after === undefined ? {} : { after }), ...(before === undefined ? {} : { before }) }
}

/** A list that is short and at hand whole, cut to the page that was asked for, in its own order. */
export function cutPage<T extends { id: string }>(items: readonly T[], page: Page): { rows: T[]; more: boolean } {
  const place = (id: string | undefined) => (id === undefined ? -1 : items.findIndex((item) => item.id === id))
  if (page.before !== undefined) {
    const end = place(page.before)
    const start = Math.max(0, end - page.limit)
    return { rows: items.slice(start, Math.max(0, end)), more: start > 0 }
  }
  const start = place(page.after) + 1
  // A cursor that is in no list has nothing after it.
  if (page.after !== undefined && start === 0) return { rows: [], more: false }
  return { rows: items.slice(start, start + page.limit), more: start + page.limit < items.length }
}

/** The answer of a list. */
export function listOf<T>(data: T[], more: boolean): { object: 'list'; has_more: boolean; data: T[] } {
  return { object: 'list', has_more: more, data }
}

function refused(path: string, reason: string): Problem {
  return new Problem('invalid_parameter', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
