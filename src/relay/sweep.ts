/** What a wake-up was lost for, what has become due, and what a dead invocation left claimed: found in the rows, once a tick. */
import type { Context } from '../context.ts'
import { inEachDatabase } from '../record/databases.ts'
import { findOwed } from '../store/mail/deliveries.ts'
import { pruneHanded } from '../store/relays/handed.ts'
import { wakeEach } from './relay.ts'

/** As many of each database a tick: the longest due first, so nothing waits for ever behind others. */
const MOST_A_TICK = 500

/** Wakes the relay for every delivery that is due or orphaned, and forgets by which ids old mail was taken. */
export async function sweepRelay(ctx: Context): Promise<void> {
  await inEachDatabase(ctx, 'relay', async (mailDb) => {
    wakeEach(ctx, await findOwed(ctx.stores, mailDb, ctx.now(), MOST_A_TICK))
  })
  await pruneHanded(ctx.stores, ctx.now())
}
