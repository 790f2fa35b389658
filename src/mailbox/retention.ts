/** Mail that is kept for a time is deleted for good when that is over: Trash and Junk, and all of a direction where the account says so. */
import { describeError } from '../base/log.ts'
import { type Context, newToken } from '../context.ts'
import { retentionOf } from '../record/retention.ts'
import { findAccountRowByNumber, refOf } from '../store/directory/accounts.ts'
import { removeMessages } from '../store/mail/keeping.ts'
import { JUNK, RECEIVED, SENT, TRASH } from '../store/mail/shapes.ts'
import { claimTasks, finishTask, postponeTask, type Task } from '../store/mail/tasks.ts'
import { findOldest, type Kept, RETENTION } from '../store/mailbox/retention.ts'
import { deleteRaw } from '../store/objects.ts'
import type { AccountRef } from '../store/stores.ts'

const DAY = 86_400_000

/** Nothing that is kept for days is missed by an hour. */
const SOONEST = 3_600_000

/** Longer than a tick's work takes. */
const CLAIM = 5 * 60_000

const ACCOUNTS_A_TICK = 10

/** Deleted by one batch, and how many batches an account has in a tick. */
const STEP = 500
const STEPS_A_TICK = 4

type Rule = Kept & { days: number }

/** One tick's share: an account is looked at when its oldest such message is due, and no sooner. */
export async function sweepRetention(ctx: Context): Promise<void> {
  const now = ctx.now()
  const claim = { token: newToken(ctx), now, until: now + CLAIM, limit: ACCOUNTS_A_TICK }
  for (const task of await claimTasks(ctx.stores.directory, [RETENTION], claim)) {
    // Its claim lapses, and it is tried again; the others go on.
    await lookAt(ctx, task).catch((error) =>
      ctx.log('error', 'removing old mail failed', { account: task.ref, error: describeError(error) }),
    )
  }
}

async function lookAt(ctx: Context, task: Task): Promise<void> {
  const db = ctx.stores.directory
  const row = await findAccountRowByNumber(ctx.stores, Number(task.ref))
  const rules = row && row.state !== 'closing' ? rulesOf(row.settings) : []
  if (!row || rules.length === 0) {
    await finishTask(db, task)
    return
  }
  if (row.state !== 'active') {
    await postponeTask(db, task, { due: ctx.now() + SOONEST, progress: true })
    return
  }
  const dues: number[] = []
  for (const rule of rules) dues.push(await removeOld(ctx, refOf(row), rule))
  await postponeTask(db, task, { due: Math.min(...dues), progress: true })
}

/** Deletes what is over its time; answers when to look again. */
async function removeOld(ctx: Context, account: AccountRef, rule: Rule): Promise<number> {
  const now = ctx.now()
  for (let steps = 0; steps < STEPS_A_TICK; steps++) {
    const oldest = await findOldest(ctx.stores, account, rule, STEP)
    // What is still being delivered stays until it is settled.
    const over = oldest.filter(({ since, due }) => due === null && since <= now - rule.days * DAY)
    if (over.length === 0) {
      const next = oldest.find(({ due }) => due === null)
      return Math.max(now + SOONEST, next ? next.since + rule.days * DAY : now + rule.days * DAY)
    }
    const removed = await removeMessages(ctx.stores, account, over, { now, token: newToken(ctx) })
    // One of them was changed meanwhile, or the account is: the next tick looks again.
    if (!removed) return now
    if (removed.listeners > 0) ctx.wake.webhooks(account)
    ctx.later(
      deleteRaw(
        ctx.stores,
        over.map(({ rawKey }) => rawKey),
      ),
    )
    ctx.log('info', 'old mail removed', { account: account.id, count: over.length })
  }
  return now
}

function rulesOf(settings: string | null): Rule[] {
  const { trash_days, junk_days, received_days, sent_days } = retentionOf(settings)
  const rule = (kept: Kept, days: number | null): Rule[] => (days === null ? [] : [{ ...kept, days }])
  return [
    ...rule({ mailbox: TRASH }, trash_days),
    ...rule({ mailbox: JUNK }, junk_days),
    ...rule({ direction: RECEIVED }, received_days),
    ...rule({ direction: SENT }, sent_days),
  ]
}
