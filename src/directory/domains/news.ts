/** Tells listeners what happened to a domain. */
import { describeError } from '../../base/log.ts'
import { type Context, newToken } from '../../context.ts'
import { findAccountRowByNumber, refOf } from '../../store/directory/accounts.ts'
import { claimNews, type DomainNews, tellNews } from '../../store/directory/domain-news.ts'
import type { DomainRow } from '../../store/directory/domains.ts'
import { finishTask, postponeTask, type Task } from '../../store/mail/tasks.ts'
import { tellDomain } from './view.ts'

/** What one tick tells at most; the next follows within a minute. */
const MOST_A_TICK = 50

const CLAIM_MS = 2 * 60_000

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 6 * 3_600_000

/** The news that a domain is as the row says now. */
export function newsOf(ctx: Context, what: 'created' | 'updated' | 'deleted', row: DomainRow): DomainNews {
  const data = tellDomain(ctx.config, row)
  return { account: row.account, domain: row.id, type: `domain.${what}`, data, at: ctx.now() }
}

/** Tells what is owed, each domain's news in their order. */
export async function sweepNews(ctx: Context): Promise<void> {
  for (let left = MOST_A_TICK; left > 0; ) {
    const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: left }
    const tasks = await claimNews(ctx.stores, claim)
    for (const task of tasks) await tellOrPostpone(ctx, task)
    if (tasks.length === 0) return
    left -= tasks.length
  }
}

async function tellOrPostpone(ctx: Context, task: Task): Promise<void> {
  await tell(ctx, task).catch(async (error) => {
    ctx.log('warn', 'telling of a domain was put off', { task: task.ref, error: describeError(error) })
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (task.attempts - 1))
    // Where this fails too, the claim lapses.
    await postponeTask(ctx.stores.directory, task, { due: ctx.now() + pause }).catch(() => false)
  })
}

async function tell(ctx: Context, task: Task): Promise<void> {
  const row = await findAccountRowByNumber(ctx.stores, task.account)
  const account = row && refOf(row)
  const claim = { token: newToken(ctx), until: ctx.now() + CLAIM_MS }
  const told = account && (await tellNews(ctx.stores, account, task, claim))
  await finishTask(ctx.stores.directory, task)
  if (account && told && told.listeners > 0) ctx.wake.webhooks(account)
}
