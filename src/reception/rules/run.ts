/** Rules run over stored mail: asked for once, done in steps by the sweep. */

import { uuidv7 } from '../../base/id.ts'
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, newId } from '../../context.ts'
import type { RuleRun, RunRulesBody } from '../../contract/rules/routes.ts'
import { askedRules } from '../../directory/receiving/rules.ts'
import { keeping, recall } from '../../record/once.ts'
import type { Once } from '../../store/idempotency.ts'
import { findMailbox } from '../../store/mail/boxes.ts'
import { addRun, findRun, MAX_RUNS, RULE_RUN, type RunKind, type RunState } from '../../store/receiving/runs.ts'
import { settle } from '../../store/settle.ts'
import { mailOf } from '../../store/stores.ts'
import { progressOf } from '../progress.ts'

/** Owes a run; it begins at once. @throws Problem not_found (rule), validation_error, rate_limit_exceeded. */
export async function runRules(ctx: Caller, body: RunRulesBody, once?: Once): Promise<RuleRun> {
  return oweRun(ctx, { kind: RULE_RUN, state: () => newState(ctx, body), show: showRun, once })
}

/** The same for a run of any kind, answered as `show` tells it. */
export async function oweRun<T>(
  ctx: Caller,
  run: {
    kind: RunKind
    state: () => Promise<RunState>
    show: (id: string, state: RunState) => T
    once: Once | undefined
  },
): Promise<T> {
  const { stores, account } = ctx
  const { kind, show, once } = run
  const known = await recalled<T>(ctx, once)
  if (known) return known
  const id = newId(ctx)
  const state = await run.state()
  const answer = show(id, state)
  const kept = await keeping(ctx, account.number, once, 201, answer)
  const added = await settle(
    () => addRun(stores, account, { kind, id, state, now: state.createdAt, ...(kept ? { keeping: kept } : {}) }),
    async () => (await findRun(stores, account, { kind, id })) !== undefined || undefined,
  )
  if (!added) {
    const winner = await recalled<T>(ctx, once)
    if (winner) return winner
    throw new Problem('rate_limit_exceeded', `At most ${MAX_RUNS} runs go on at a time.`, { retryAfter: 60 })
  }
  ctx.wake.owed(account)
  return answer
}

/** @throws Problem not_found. */
export async function getRuleRun(ctx: Caller, id: string): Promise<RuleRun> {
  const state = await findRun(ctx.stores, ctx.account, { kind: RULE_RUN, id })
  if (!state) throw notFound('Run')
  return showRun(id, state)
}

/** A run as it begins. @throws Problem not_found (rule), validation_error. */
export async function newState(ctx: Caller, body: RunRulesBody): Promise<RunState> {
  const now = ctx.now()
  const { mailbox, after, before, rules, actions } = body
  if (rules) await askedRules(ctx, rules)
  const box = mailbox === undefined ? undefined : await findMailbox(ctx.stores, ctx.account, mailbox)
  if (mailbox !== undefined && !box) {
    const fields = [{ path: 'mailbox', reason: 'there is no such mailbox' }]
    throw new Problem('validation_error', 'Invalid `mailbox`: there is no such mailbox', { fields })
  }
  // Ids sort by time: what comes from now on is asked when it comes.
  const from = Math.max(0, after ? Date.parse(after) - 1 : 0)
  const to = Math.max(0, before ? Math.min(Date.parse(before) - 1, now) : now)
  return {
    status: 'running',
    from: after ? uuidv7(from, new Uint8Array(10).fill(0xff)) : '',
    to: uuidv7(to, new Uint8Array(10).fill(0xff)),
    ...(box ? { mailbox: box.number } : {}),
    ...(rules ? { rules } : {}),
    actions,
    checked: 0,
    matched: 0,
    changed: 0,
    unread: 0,
    createdAt: now,
  }
}

async function recalled<T>(ctx: Caller, once: Once | undefined): Promise<T | undefined> {
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  return known === undefined ? undefined : asAnswer<T>(known)
}

/** What was kept under this account, method and path is what the same verb answered. */
function asAnswer<T>(kept: unknown): T {
  return kept as T
}

function showRun(id: string, state: RunState): RuleRun {
  return { object: 'rule_run', ...progressOf(id, state) }
}
