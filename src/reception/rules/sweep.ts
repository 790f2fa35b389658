/**
 * Takes runs of rules a step further. Every step may be repeated: a message that is already as the rules want it is left
 * alone, and what is left to other stages is noted in one batch with how far the run is, so it is left once.
 */
import { describeError } from '../../base/log.ts'
import { Problem } from '../../base/problem.ts'
import { type Context, newToken } from '../../context.ts'
import { findAccountByNumber } from '../../directory/accounts.ts'
import type { AskedRule } from '../../directory/receiving/rule.ts'
import { presentRules } from '../../directory/receiving/rules.ts'
import { inEachDatabase } from '../../record/databases.ts'
import type { OwedTask } from '../../store/mail/filing.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { claimTasks, finishTask, postponeTask, type Task } from '../../store/mail/tasks.ts'
import {
  nextReceived,
  REDELIVERY,
  RULE_RUN,
  type RunState,
  readRun,
  releaseRun,
  stepRun,
} from '../../store/receiving/runs.ts'
import type { AccountRef, Database } from '../../store/stores.ts'
import { deliverAgain } from '../again/deliver.ts'
import { applyTo } from './apply.ts'

/** Read together: a row is some kilobytes, and has its changes in batches of its own. */
const STEP = 50

/** Bytes of so many are read at once: an invocation has six connections that may wait. */
const AT_ONCE = 4

/** A tick ends after so long: the next one follows within a minute. */
const TICK_MS = 20_000

/** A step of fifty large messages takes seconds; a dead invocation's is taken up again after this. */
const CLAIM_MS = 3 * 60_000

/** Steps without an end to them: then a run is given up, and says so. */
const MAX_ATTEMPTS = 10
const PAUSE_MS = 60_000

/** How long the outcome of a run can be read. */
const KEPT_MS = 7 * 86_400_000

/** Takes up every run that is due, in every mail database; trouble with one holds up no other. */
export async function sweepRuleRuns(ctx: Context): Promise<void> {
  const began = ctx.now()
  const mayGoOn = () => ctx.now() - began < TICK_MS
  await inEachDatabase(ctx, 'rules', async (_mailDb, db) => {
    while (mayGoOn()) {
      const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: 1 }
      const [task] = await claimTasks(db, [RULE_RUN, REDELIVERY], claim)
      if (!task) break
      await take(ctx, db, task, mayGoOn)
    }
  })
}

/** Sees one run through, or as far as there is time. Never rejects for a fault of the run's own. */
async function take(ctx: Context, db: Database, task: Task, mayGoOn: () => boolean): Promise<void> {
  const state = readRun(task.state)
  try {
    // Its outcome was there to be read for long enough.
    if (state.status !== 'running') return void (await finishTask(db, task))
    const account = await findAccountByNumber(ctx, task.account)
    if (!account) return void (await finishTask(db, task))
    if (task.attempts > MAX_ATTEMPTS) return await end(ctx, db, task, { ...state, status: 'failed' })
    const reached = await goOn(ctx, db, task, { account, state, mayGoOn })
    if (!reached) return
    if (reached.status === 'done') return await end(ctx, db, task, reached)
    await postponeTask(db, task, { due: ctx.now(), state: reached, progress: true })
  } catch (error) {
    ctx.log('warn', 'a run of rules was put off', { run: task.ref, error: describeError(error) })
    // Where this fails too, the claim lapses.
    await releaseRun(db, task, ctx.now() + PAUSE_MS).catch(() => {})
  }
}

/** Steps until the end or until the time is up; undefined where the run is somebody else's by now. */
async function goOn(
  ctx: Context,
  db: Database,
  task: Task,
  run: { account: AccountRef; state: RunState; mayGoOn: () => boolean },
): Promise<RunState | undefined> {
  const { account, mayGoOn } = run
  // As they are now; one that was deleted since is asked no more.
  const asked = run.state.again?.rules !== false
  const rules = asked ? await presentRules({ stores: ctx.stores, account }, run.state.rules) : []
  let state = run.state
  do {
    const page = await nextReceived(ctx.stores, account, { from: state.from, to: state.to, limit: STEP })
    const { owed, told } = await step(ctx, account, rules, state, page)
    state = { ...told, from: page.at(-1)?.id ?? state.from, status: page.length < STEP ? 'done' : 'running' }
    // The end is noted by `end`, so that the run is kept from then on.
    const until = ctx.now() + CLAIM_MS
    if (!(await stepRun(db, task, { state: { ...state, status: 'running' }, until, owed }))) return undefined
    if (owed.length > 0) ctx.wake.owed(account)
  } while (state.status === 'running' && mayGoOn())
  return state
}

/** Asks and changes the messages of one page. */
async function step(
  ctx: Context,
  account: AccountRef,
  rules: readonly AskedRule[],
  state: RunState,
  page: readonly StoredMessage[],
): Promise<{ owed: OwedTask[]; told: RunState }> {
  const wanted = page.filter(({ mailbox }) => state.mailbox === undefined || mailbox.number === state.mailbox)
  const owed: OwedTask[] = []
  const told = { ...state, checked: state.checked + wanted.length }
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const some = wanted.slice(at, at + AT_ONCE)
    const done = await Promise.all(some.map((message) => one(ctx, account, rules, state, message)))
    for (const outcome of done) {
      if (outcome === 'unread') told.unread++
      else {
        if (outcome.matched) told.matched++
        if (outcome.changed) told.changed++
        owed.push(...outcome.owed)
      }
    }
  }
  return { owed, told }
}

/** By what kind of run it is. */
async function one(
  ctx: Context,
  account: AccountRef,
  rules: readonly AskedRule[],
  { again, actions }: RunState,
  message: StoredMessage,
): ReturnType<typeof applyTo> {
  if (!again) return applyTo(ctx, account, rules, actions, message)
  try {
    return { ...(await deliverAgain(ctx, account, message, { tell: again.tell, rules })), owed: [] }
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return 'unread'
    throw error
  }
}

async function end(ctx: Context, db: Database, task: Task, state: RunState): Promise<void> {
  const finishedAt = ctx.now()
  await postponeTask(db, task, { due: finishedAt + KEPT_MS, state: { ...state, finishedAt }, progress: true })
}
