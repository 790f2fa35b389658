/** What is swept in every mail database. */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import type { Database } from '../store/stores.ts'

/** Does the same in every mail database, side by side; trouble with one is logged and holds up no other. */
export async function inEachDatabase(
  ctx: Context,
  stage: string,
  work: (mailDb: string, db: Database) => Promise<void>,
): Promise<void> {
  await Promise.all(
    [...ctx.stores.mail].map(async ([database, db]) => {
      await work(database, db).catch((error) =>
        ctx.log('error', 'a sweep failed', { stage, database, error: describeError(error) }),
      )
    }),
  )
}
