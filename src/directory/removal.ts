/** Deleting an account: closed at once, then emptied in bounded steps that survive a crash between any two of them. */
import { describeError } from '../base/log.ts'
import { notFound } from '../base/problem.ts'
import { type Context, newToken } from '../context.ts'
import { findAccountRow, refOf } from '../store/directory/accounts.ts'
import { closeAccount, DELETE_ACCOUNT, removeAccount, removeSome, STEPS } from '../store/directory/closing.ts'
import { advanceTask, claimTasks, finishTask, postponeTask, type Task } from '../store/mail/tasks.ts'
import { beingMoved, settle } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'
import { forgetKeysOf } from './access.ts'
import { forgetRelays } from './relays/next-hop.ts'
import { forgetSenders } from './senders.ts'

/** Where a removal stands: every step is done twice, the second time a day later. */
type Standing = { round: 1 | 2; step: number }

/** What was on its way into R2 when the account closed is there by then; the sweep of orphans looks no further either. */
const AGAIN_MS = 86_400_000

/** Longer than all the steps of one tick take. */
const CLAIM_MS = 5 * 60_000

/** Steps in one tick over all accounts: some thousand rows, well within what one invocation may ask of D1. */
const STEPS_PER_TICK = 40

const ACCOUNTS_PER_TICK = 4

/** Closes an account: its keys stop, nothing can come in; what it has is removed by the sweep. @throws Problem not_found; service_unavailable while it is being moved. */
export async function deleteAccount(ctx: Context, id: string) {
  const row = await findAccountRow(ctx.stores, id)
  if (row?.state === 'opening' || row?.state === 'moving') throw beingMoved()
  if (row?.state !== 'active') throw notFound('Account')
  const begin: Standing = { round: 1, step: 0 }
  const closed = await settle(
    () => closeAccount(ctx.stores, refOf(row), ctx.now(), begin),
    async () => ((await findAccountRow(ctx.stores, id))?.state === 'active' ? undefined : true),
  )
  forgetKeysOf(row.number)
  forgetSenders()
  forgetRelays()
  if (!closed) throw notFound('Account')
  ctx.later(sweepRemovals(ctx))
  return { object: 'account' as const, id, deleted: true as const }
}

/** Goes on with the removals that are due, a bounded amount of each. */
export async function sweepRemovals(ctx: Context): Promise<void> {
  const now = ctx.now()
  const claim = { token: newToken(ctx), now, until: now + CLAIM_MS, limit: ACCOUNTS_PER_TICK }
  const tasks = await claimTasks(ctx.stores.directory, [DELETE_ACCOUNT], claim)
  for (const task of tasks) {
    // Its claim lapses, and it is taken up again where it stood; the others go on.
    await goOn(ctx, task, Math.floor(STEPS_PER_TICK / tasks.length)).catch((error) =>
      ctx.log('error', 'removing an account failed', { account: task.ref, error: describeError(error) }),
    )
  }
}

async function goOn(ctx: Context, task: Task, most: number): Promise<void> {
  const row = await findAccountRow(ctx.stores, task.ref)
  if (!row) {
    await finishTask(ctx.stores.directory, task)
    return
  }
  const { round, step: begun } = asStanding(task.state)
  let step = begun
  const account: AccountRef = refOf(row)
  for (let taken = 0; taken < most; taken++) {
    const next = STEPS[step]
    if (next === undefined) {
      if (round === 2) return removeAccount(ctx.stores, account, task)
      const later: Standing = { round: 2, step: 0 }
      await postponeTask(ctx.stores.directory, task, { due: ctx.now() + AGAIN_MS, state: later, progress: true })
      return
    }
    if (!(await removeSome(ctx.stores, account, next, ctx.now()))) continue
    step++
    const standing: Standing = { round, step }
    const ours = await advanceTask(ctx.stores.directory, task, { state: standing, until: ctx.now() + CLAIM_MS })
    if (!ours) return
  }
  const standing: Standing = { round, step }
  await postponeTask(ctx.stores.directory, task, { due: ctx.now(), state: standing, progress: true })
}

/** Only a Standing is ever written there. */
function asStanding(state: unknown): Standing {
  return state as Standing
}
