/** What a stored key may do. */
import { ACCOUNT_SCOPES } from '../contract/route.ts'

/** Stands in a row for all that an account's keys can do, so that a key with full access has what is added later, too. */
export const EVERY_SCOPE = '*'

/** The scopes that a row's words stand for. */
export function granted(scopes: readonly string[]): readonly string[] {
  return scopes.includes(EVERY_SCOPE) ? ACCOUNT_SCOPES : scopes
}
