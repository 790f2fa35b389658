/** What is swept up behind mail at rest: mail that was to be kept for a time, raw objects that no row names, and answers kept longer than they are good for. */
import { type Context, newToken } from '../context.ts'
import { inEachDatabase } from '../record/databases.ts'
import { dropOldAnswers } from '../store/idempotency.ts'
import { runBatch } from '../store/mail/change.ts'
import { addTask, claimTasks, postponeTask } from '../store/mail/tasks.ts'
import { deleteRaw } from '../store/objects.ts'
import { findOrphans } from '../store/orphans.ts'
import { sweepRetention } from './retention.ts'

/** An object's row comes within seconds; a day leaves room for any trouble. */
const OLD_ENOUGH = 86_400_000

/** All raw mail is looked through once a day. */
const EVERY = 86_400_000

/** A listing of 1,000 objects is billed like a write: a tick does five, so a bucket of millions is done within the day. */
const PAGES_A_TICK = 5

/** Longer than a tick's work takes. */
const CLAIM = 5 * 60_000

/** Rows removed a tick and database. */
const MAX_DROPPED = 1000

const KIND = 'orphans'

/** One tick's share. */
export async function sweepMailbox(ctx: Context): Promise<void> {
  await Promise.all([
    sweepOrphans(ctx),
    inEachDatabase(ctx, 'old answers', async (_mailDb, db) => void (await dropOldAnswers(db, ctx.now(), MAX_DROPPED))),
    sweepRetention(ctx),
  ])
}

async function sweepOrphans(ctx: Context): Promise<void> {
  const db = ctx.stores.directory
  const now = ctx.now()
  await runBatch(db, [addTask({ kind: KIND, account: 0, ref: 'raw', due: now, state: {} })])
  const [task] = await claimTasks(db, [KIND], { token: newToken(ctx), now, until: now + CLAIM, limit: 1 })
  if (!task) return
  let cursor = cursorOf(task.state)
  for (let pages = 0; pages < PAGES_A_TICK; pages++) {
    const page = await findOrphans(ctx.stores, now - OLD_ENOUGH, cursor)
    await deleteRaw(ctx.stores, page.orphans)
    if (page.orphans.length > 0) ctx.log('info', 'orphans removed', { count: page.orphans.length })
    cursor = page.cursor
    if (cursor === undefined) break
  }
  const due = cursor === undefined ? now + EVERY : now
  await postponeTask(db, task, { due, state: cursor === undefined ? {} : { cursor }, progress: true })
}

function cursorOf(state: unknown): string | undefined {
  if (typeof state !== 'object' || state === null || !('cursor' in state)) return undefined
  return typeof state.cursor === 'string' ? state.cursor : undefined
}
