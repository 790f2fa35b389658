/** Re-delivery of a range: asked for once, done in steps by the sweep, as a run of rules is. */
import { notFound } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { RedeliverMany, Redelivery } from '../../contract/mailbox/redelivery.ts'
import type { Once } from '../../store/idempotency.ts'
import { findRun, REDELIVERY, type RunState } from '../../store/receiving/runs.ts'
import { progressOf } from '../progress.ts'
import { newState, oweRun } from '../rules/run.ts'

/** Owes it; it begins at once. @throws Problem validation_error, rate_limit_exceeded. */
export async function redeliverMany(ctx: Caller, body: RedeliverMany, once?: Once): Promise<Redelivery> {
  const { tell, rules, ...range } = body
  const state = async () => ({ ...(await newState(ctx, { ...range, actions: [] })), again: { tell, rules } })
  return oweRun(ctx, { kind: REDELIVERY, state, show, once })
}

/** @throws Problem not_found. */
export async function getRedelivery(ctx: Caller, id: string): Promise<Redelivery> {
  const state = await findRun(ctx.stores, ctx.account, { kind: REDELIVERY, id })
  if (!state) throw notFound('Redelivery')
  return show(id, state)
}

function show(id: string, state: RunState): Redelivery {
  return { object: 'redelivery', ...progressOf(id, state) }
}
