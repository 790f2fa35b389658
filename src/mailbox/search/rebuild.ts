/** The operator's command to make an account's search index anew. Nothing of the mail is touched. */
import type { Context } from '../../context.ts'
import { findAccount } from '../../directory/accounts.ts'
import { indexOf } from '../../store/search/words.ts'
import { rebuildSearch } from './sweep.ts'

/** @throws Problem not_found (account), service_unavailable where no index is bound. */
export async function rebuild(ctx: Context, accountId: string) {
  const account = await findAccount(ctx, accountId)
  await rebuildSearch(ctx, indexOf(ctx.stores, account), account)
  return { object: 'search_rebuild' as const, account: accountId, started: true as const }
}
