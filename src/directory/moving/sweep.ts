/** What is owed to accounts that are made in, moved between and cleared out of mail databases. */
import { describeError } from '../../base/log.ts'
import { type Context, newToken } from '../../context.ts'
import { findAccountRowByNumber, refOf } from '../../store/directory/accounts.ts'
import { advanceTask, claimTasks, finishTask, postponeTask, restTask, type Task } from '../../store/mail/tasks.ts'
import { forgetSome } from '../../store/search/words.ts'
import { dropPage } from '../../store/shards/copy.ts'
import { asClearing, asMove, CLEAR_SHARD, findMove, MOVE_ACCOUNT } from '../../store/shards/moving.ts'
import { asOpening, OPEN_ACCOUNT, openAccount } from '../../store/shards/opening.ts'
import { MOVED_TABLES } from '../../store/shards/tables.ts'
import { type AccountRef, INSTANCE, searchOf } from '../../store/stores.ts'
import { CLAIM_MS, type Next, takeBack, takeStep } from './steps.ts'

/** Pages in one go: some three statements each, and an invocation may ask D1 a thousand. */
const PAGES = 250

const AT_ONCE = 4

/** Trouble this often in a row, and the account is better off open where it was. */
const MOST_ATTEMPTS = 8

const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 5 * 60_000

/** Goes on with what is due, a bounded amount; trouble with one holds up no other. */
export async function sweepMoving(ctx: Context): Promise<void> {
  let left = PAGES
  const spend = () => left-- > 0
  // Each kind for itself: what waits for a database that is down must not stand before an account that waits to be opened.
  for (const kind of [OPEN_ACCOUNT, MOVE_ACCOUNT, CLEAR_SHARD]) {
    const now = ctx.now()
    const claim = { token: newToken(ctx), now, until: now + CLAIM_MS, limit: AT_ONCE }
    for (const task of await claimTasks(ctx.stores.directory, [kind], claim)) {
      await goOn(ctx, task, spend).catch((error) => putOff(ctx, task, error))
    }
  }
}

async function goOn(ctx: Context, task: Task, spend: () => boolean): Promise<void> {
  if (task.kind === CLEAR_SHARD) return clear(ctx, task, spend)
  const row = await findAccountRowByNumber(ctx.stores, task.account)
  if (!row) return void (await finishTask(ctx.stores.directory, task))
  if (task.kind === OPEN_ACCOUNT) return openAccount(ctx.stores, row, asOpening(task.state))
  const next = await takeSteps(ctx, refOf(row), task, spend)
  if (typeof next === 'string') return
  await postponeTask(ctx.stores.directory, task, { due: next.due, state: next.move, progress: true })
  // There is more to do at once: the next minute is not waited for.
  if (next.due <= ctx.now()) ctx.wake.owed(INSTANCE)
}

/** Steps, each noted before the next, until one has to wait or the pages are spent. */
async function takeSteps(ctx: Context, account: AccountRef, task: Task, spend: () => boolean): Promise<Next> {
  for (let move = asMove(task.state); ; ) {
    const next = await takeStep(ctx, account, task, move, spend)
    if (typeof next === 'string' || next.due > ctx.now() || !spend()) return next
    const noted = { state: next.move, until: ctx.now() + CLAIM_MS }
    if (!(await advanceTask(ctx.stores.directory, task, noted))) return 'lost'
    move = next.move
  }
}

/** Removes what a database has of an account that is elsewhere; of one that has come back, nothing. */
async function clear(ctx: Context, task: Task, spend: () => boolean): Promise<void> {
  const { database, table: begun } = asClearing(task.state)
  const row = await findAccountRowByNumber(ctx.stores, task.account)
  const db = ctx.stores.mail.get(database)
  if (!db || row?.mailDb === database) return void (await finishTask(ctx.stores.directory, task))
  let at = begun
  for (let table = MOVED_TABLES[at]; table !== undefined && spend(); table = MOVED_TABLES[at]) {
    if (await dropPage(db, { table, account: task.account, now: ctx.now() })) at++
  }
  const index = searchOf(ctx.stores, { mailDb: database })
  // One index may serve several databases: then what was found there is found there still.
  const wordless = index === undefined || (row && index === searchOf(ctx.stores, row))
  if (at >= MOVED_TABLES.length && (wordless || (await forgetSome(index, task.account)))) {
    await finishTask(ctx.stores.directory, task)
    return
  }
  const state = { database, table: at }
  await postponeTask(ctx.stores.directory, task, { due: ctx.now(), state, progress: true })
}

async function putOff(ctx: Context, task: Task, error: unknown): Promise<void> {
  ctx.log('warn', 'moving was put off', { kind: task.kind, task: task.ref, error: describeError(error) })
  if (task.kind === MOVE_ACCOUNT && task.attempts >= MOST_ATTEMPTS && (await givenUp(ctx, task))) return
  const due = ctx.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, task.attempts - 1))
  // Where this fails too, the claim lapses.
  await restTask(ctx.stores.directory, task, due).catch(() => false)
}

/** Opens the account where it was, if that can still be done. */
async function givenUp(ctx: Context, task: Task): Promise<boolean> {
  const row = await findAccountRowByNumber(ctx.stores, task.account).catch(() => undefined)
  const move = row && (await findMove(ctx.stores, row).catch(() => undefined))
  if (!row || !move || row.mailDb !== move.from) return false
  const end = await takeBack(ctx, refOf(row), task, move).catch(() => undefined)
  return end === 'over'
}
