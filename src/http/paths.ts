/** Paths: one form of each, the order in which routes are tried, and what is told of those that are not served. */
import { Problem } from '../base/problem.ts'

/** Resend resources that we have no like of: their callers are told so, rather than left to wonder about a path. */
const UNSERVED =
  /^\/(broadcasts|automations|audiences|contacts|contact-properties|topics|segments|events-definitions|logs|oauth|inboxes|usage|emails\/[^/]+\/share)(\/|$)/

/** Those of its paths that would be taken for an id where we have no route for them. */
const UNSERVED_WORDS = ['/emails/batch', '/emails/metrics', '/domains/claim']

/** The words to be refused by name, out of which routes may have come to serve some. */
export function unservedPaths(served: readonly string[]): string[] {
  return UNSERVED_WORDS.filter((path) => !served.includes(path))
}

/** The refusal of a path that no route has. */
export function unknownPath(path: string): Problem {
  if (UNSERVED.test(path) || UNSERVED_WORDS.includes(path)) {
    return new Problem('not_found', 'This resource is not served by this mail service.', {
      fix: 'GET /openapi.json lists every route.',
    })
  }
  return new Problem('not_found', 'There is no such route.', {
    fix: 'GET /docs shows every route, /openapi.json the same for programs.',
  })
}

/** A base URL that ends in a slash doubles the first one; both forms are one path, with a slash at the end or without. */
export function plainPath(request: Request): string {
  const { pathname } = new URL(request.url)
  const path = pathname.replace(/^\/+/, '/')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** Fixed segments before parameters, so that /emails/receiving is not taken for an id. */
export function bySpecificity(a: string, b: string): number {
  const rank = (path: string) => path.split('/').map((step) => (step.startsWith(':') ? '1' : '0'))
  const [left, right] = [rank(a), rank(b)]
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = (left[at] ?? '').localeCompare(right[at] ?? '')
    if (order !== 0) return order
  }
  return right.length - left.length
}
