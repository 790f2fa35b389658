/** Verification: looks a domain up when somebody asks for it, and again and again as long as there is something to learn. */
import { describeError } from '../../base/log.ts'
import { notFound } from '../../base/problem.ts'
import { type Caller, type Context, newToken } from '../../context.ts'
import { CHECK_DOMAIN, claimCheck, isTaken, recordCheck } from '../../store/directory/domain-checks.ts'
import { changeDomain, type DomainRow, findDomain, verifyAtOnce } from '../../store/directory/domains.ts'
import { claimTasks, finishTask, postponeTask, type Task } from '../../store/mail/tasks.ts'
import { forgetSenders } from '../senders.ts'
import { judgeCheck, type Standing, TAKEN, WINDOW_MS } from './judge.ts'
import { lookUp } from './look-up.ts'
import { newsOf, sweepNews } from './news.ts'
import { expectationsOf } from './records.ts'
import { readChecks } from './stored.ts'

/** Eight look-ups of five seconds at most go side by side. */
const CLAIM_MS = 2 * 60_000

/** Whoever asks again and again costs the resolver no more than this. */
const REST_MS = 1000

/** Claimed together, and looked up two at a time: an invocation has six connections that may wait. */
const GROUP = 10
const AT_ONCE = 2
const TICK_MS = 20_000

const PAUSE_MS = 10 * 60_000

/** Others may change the row while it is judged; whoever loses this often is tried again later. */
const MAX_RACES = 3

/** A local copy asks no DNS unless it was given a resolver; and even then its operator needs no proof of its own. */
export function verifiesAtOnce(ctx: Caller): boolean {
  return !ctx.config.checksDomains || (ctx.config.local && ctx.access.key === 'operator')
}

/**
 * Looks the domain up now, and has it looked up again until its records are there or three days are over. What was found
 * stands with each record. @throws Problem not_found.
 */
export async function verifyDomain(ctx: Caller, id: string) {
  const row = await findDomain(ctx.stores, ctx.account.number, id)
  if (!row) throw notFound('Domain')
  if (verifiesAtOnce(ctx)) await takeAtOnce(ctx, row)
  else if (ctx.now() - (readChecks(row)?.at ?? 0) >= REST_MS) await checkDomain(ctx, row)
  return { object: 'domain' as const, id }
}

async function takeAtOnce(ctx: Caller, row: DomainRow): Promise<void> {
  if (row.status === 'verified') return
  const after: DomainRow = { ...row, status: 'verified', verifiedAt: row.verifiedAt ?? ctx.now(), checks: null }
  if (!(await verifyAtOnce(ctx.stores, row, after, newsOf(ctx, 'updated', after)))) {
    const checks = JSON.stringify({ at: ctx.now(), records: { ownership: TAKEN } })
    const refused: DomainRow = { ...row, status: 'pending', checks }
    await changeDomain(ctx.stores, row, refused, newsOf(ctx, 'updated', refused))
  }
  forgetSenders()
  ctx.later(sweepNews(ctx))
}

/** Owes a check and makes it. Trouble is logged, not thrown: the check stays owed. */
export async function checkDomain(ctx: Context, row: DomainRow): Promise<void> {
  const now = ctx.now()
  const begin: Standing = { until: now + WINDOW_MS, tries: 0, badSince: null }
  const task = await claimCheck(ctx.stores, row, { token: newToken(ctx), now, until: now + CLAIM_MS }, begin)
  if (!task) return
  await take(ctx, task)
  ctx.later(sweepNews(ctx))
}

/** Makes the checks that are due; trouble with one holds up no other. */
export async function sweepChecks(ctx: Context): Promise<void> {
  const began = ctx.now()
  while (ctx.now() - began < TICK_MS) {
    const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: GROUP }
    const tasks = await claimTasks(ctx.stores.directory, [CHECK_DOMAIN], claim)
    for (let at = 0; at < tasks.length; at += AT_ONCE) {
      await Promise.all(tasks.slice(at, at + AT_ONCE).map((task) => take(ctx, task)))
    }
    if (tasks.length < GROUP) return
  }
}

/** Sees one task through, or puts it off. Never rejects. */
async function take(ctx: Context, task: Task): Promise<void> {
  try {
    if (await check(ctx, task)) return
    ctx.log('info', 'a domain kept changing while it was checked', { domain: task.ref })
  } catch (error) {
    ctx.log('warn', 'a domain could not be checked', { domain: task.ref, error: describeError(error) })
  }
  // Where this fails too, the claim lapses.
  await postponeTask(ctx.stores.directory, task, { due: ctx.now() + PAUSE_MS }).catch(() => false)
}

/** One look at the DNS, judged against the row as it is when that is over. */
async function check(ctx: Context, task: Task): Promise<boolean> {
  let row = await findDomain(ctx.stores, task.account, task.ref)
  const found = row && (await lookUp(ctx, row.name, expectationsOf(ctx.config, row)))
  for (let race = 0; race < MAX_RACES; race++) {
    if (!row || !found) {
      await finishTask(ctx.stores.directory, task)
      return true
    }
    const taken = row.verifiedAt === null && (await isTaken(ctx.stores, row))
    const of = { now: ctx.now(), taken, randomUnit: (ctx.random(1)[0] ?? 0) / 256 }
    const { row: after, next } = judgeCheck(ctx.config, row, found, asStanding(task.state), of)
    const differs = after.status !== row.status || after.otherKey !== row.otherKey
    const news = differs ? newsOf(ctx, 'updated', after) : undefined
    if (await recordCheck(ctx.stores, task, { before: row, after, next, news })) {
      if (differs) forgetSenders()
      return true
    }
    row = await findDomain(ctx.stores, task.account, task.ref)
  }
  return false
}

/** Only a Standing is ever written there. */
function asStanding(state: unknown): Standing {
  return state as Standing
}
