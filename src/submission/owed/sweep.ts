/**
 * Takes up what is owed for mail that came: copies to others, answers, and questions whether somebody wants copies.
 * The batch that stores the mail ends its task; so a crash at any point leaves the task, or the mail, and never both.
 */
import { describeError } from '../../base/log.ts'
import { Problem } from '../../base/problem.ts'
import { type Caller, type Context, newToken } from '../../context.ts'
import { findAccountByNumber } from '../../directory/accounts.ts'
import { claimTasks, finishTask, postponeTask, type Task } from '../../store/mail/tasks.ts'
import { ANSWER, ASK, asAnswer, asAsking, asForward, FORWARD } from '../../store/sending/owed.ts'
import type { Database } from '../../store/stores.ts'
import { sendQuestion } from './ask.ts'
import { answerBySelf } from './auto-reply.ts'
import { sendOn } from './forward.ts'
import { giveUp } from './give-up.ts'

const KINDS = [FORWARD, ANSWER, ASK]

/** Nothing is begun later in a tick: the next one follows within a minute. */
const TICK_MS = 20_000

/** The largest mail takes less; a dead invocation's is taken up again after this. */
const CLAIM_MS = 5 * 60_000

/** Counted when claimed, so that what kills its sender is let go too. With the pauses below: four days. */
const MAX_ATTEMPTS = 20
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 6 * 3_600_000

/** Takes up what is due, in every mail database, one after the other; trouble with one holds up no other. */
export async function sweepOwed(ctx: Context): Promise<void> {
  const end = ctx.now() + TICK_MS
  for (const [database, db] of ctx.stores.mail) {
    await sweepDatabase(ctx, db, end).catch((error) =>
      ctx.log('error', 'a sweep failed', { stage: 'owed', database, error: describeError(error) }),
    )
  }
}

async function sweepDatabase(ctx: Context, db: Database, end: number): Promise<void> {
  while (ctx.now() < end) {
    // One by one: a mail that kills its sender must not have the attempts of others counted with its own.
    const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: 1 }
    const [task] = await claimTasks(db, KINDS, claim)
    if (!task) return
    await takeUp(ctx, db, task)
  }
}

/** Sees one task through, or puts it off. Never rejects. */
async function takeUp(ctx: Context, db: Database, task: Task): Promise<void> {
  try {
    const account = await findAccountByNumber(ctx, task.account)
    if (!account) return void (await finishTask(db, task))
    // Whoever set it up was allowed to; whether the address still may send is asked anew.
    const caller: Caller = { ...ctx, account, access: { key: 'clock', scopes: new Set() } }
    if (task.attempts > MAX_ATTEMPTS) return await giveUp(caller, task)
    await settleTask(caller, task)
  } catch (error) {
    ctx.log('warn', 'what is owed for a mail was put off', {
      kind: task.kind,
      ref: task.ref,
      account: task.account,
      error: describeError(error),
    })
    // Where this fails too, the claim lapses.
    await postponeTask(db, task, { due: ctx.now() + pauseAfter(task, error) }).catch(() => false)
  }
}

async function settleTask(ctx: Caller, task: Task): Promise<void> {
  if (task.kind === FORWARD) return sendOn(ctx, task, asForward(task.state))
  if (task.kind === ANSWER) return answerBySelf(ctx, task, asAnswer(task.state))
  return sendQuestion(ctx, task, asAsking(task.state))
}

/** The sends of a day come back at its end, and nothing sooner would bring them. */
function pauseAfter({ attempts }: Task, error: unknown): number {
  const used = error instanceof Problem && error.code === 'daily_quota_exceeded' ? error.detail.retryAfter : undefined
  if (used !== undefined) return used * 1000
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1))
}
