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
  const ref = `${row.id}.${newToken(ctx)}`
  return { account: row.account, ref, type: `domain.${what}`, data: tellDomain(ctx.config, row), at: ctx.now() }
}

/** Tells what is owed, the oldest first, one after the other, so that the history has things in their order. */
export async function sweepNews(ctx: Context): Promise<void> {
  const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: MOST_A_TICK }
  const tasks = await claimNews(ctx.stores, claim)
  for (const task of tasks.sort((a, b) => dueOf(a) - dueOf(b))) {
    await tell(ctx, task).catch(async (error) => {
      ctx.log('warn', 'telling of a domain was put off', { task: task.ref, error: describeError(error) })
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (task.attempts - 1))
      // Where this fails too, the claim lapses.
      await postponeTask(ctx.stores.directory, task, { due: ctx.now() + pause }).catch(() => false)
    })
  }
}

async function tell(ctx: Context, task: Task): Promise<void> {
  const row = await findAccountRowByNumber(ctx.stores, task.account)
  const account = row && refOf(row)
  const claim = { token: newToken(ctx), until: ctx.now() + CLAIM_MS }
  const told = account && (await tellNews(ctx.stores, account, task, claim))
  await finishTask(ctx.stores.directory, task)
  if (account && told && told.listeners > 0) ctx.wake.webhooks(account)
}

/** RETURNING promises no order. */
function dueOf(task: Task): number {
  const { state } = task
  return typeof state === 'object' && state !== null && 'at' in state ? Number(state.at) : 0
}
