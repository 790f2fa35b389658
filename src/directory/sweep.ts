/** What the directory owes: removals, look-ups of domains, and news of them. */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import { sweepChecks } from './domains/check.ts'
import { sweepNews } from './domains/news.ts'
import { sweepRemovals } from './removal.ts'

/** Goes on with all of it, a bounded amount of each; trouble with one holds up no other. */
export async function sweepDirectory(ctx: Context): Promise<void> {
  const guarded = (what: string, sweep: (ctx: Context) => Promise<void>) =>
    sweep(ctx).catch((error) => ctx.log('error', 'a sweep failed', { stage: what, error: describeError(error) }))
  await Promise.all([guarded('removals', sweepRemovals), guarded('checks', sweepChecks)])
  await guarded('news', sweepNews)
}
