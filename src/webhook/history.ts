/** What an endpoint was told: shown, with every attempt, and told again. */
import { notFound, Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import { isoTime } from '../record/email-event.ts'
import { cutPage, listOf } from '../record/page.ts'
import { type DispatchRow, findDispatch, listDispatches, replayOne, replayRange } from '../store/mail/dispatches.ts'
import { findEvent } from '../store/mail/events.ts'
import type { WebhookRow } from '../store/mail/webhooks.ts'
import { findWebhook } from './endpoints.ts'
import { eventId, seqOf, thinPayload } from './payload.ts'

/** One call's share, so that it ends in time; the answer says where to go on. */
const MOST_REPLAYED = 1000

type Query = { limit: number; after?: string; before?: string }

/** What the endpoint was told, newest first. @throws Problem not_found, invalid_parameter. */
export async function listTold(ctx: Caller, webhook: string, query: Query) {
  await findWebhook(ctx, webhook)
  const page = {
    limit: query.limit,
    after: cursor(webhook, query.after, 'after'),
    before: cursor(webhook, query.before, 'before'),
  }
  const rows = await listDispatches(ctx.stores, ctx.account, webhook, page)
  const shown = rows.slice(0, query.limit)
  const newestFirst = page.before === undefined ? shown : shown.reverse()
  return listOf(
    newestFirst.map((row) => summary(ctx, webhook, row)),
    rows.length > query.limit,
  )
}

/** One event that the endpoint was told. @throws Problem not_found. */
export async function getTold(ctx: Caller, id: string, event: string) {
  const { webhook, row, payload } = await findTold(ctx, id, event)
  const waits = row.status === 'pending' && row.due !== null && webhook.status === 'enabled' && !isBeingTried(ctx, row)
  return {
    object: 'webhook_event' as const,
    ...summary(ctx, id, row),
    next_attempt_at: waits ? isoTime(row.due ?? 0) : null,
    payload,
  }
}

/** Every attempt to tell an event, newest first. @throws Problem not_found. */
export async function listAttempts(ctx: Caller, id: string, event: string, query: Query) {
  const { row } = await findTold(ctx, id, event)
  const attempts = [...row.attempts].reverse().map((attempt) => ({
    id: attempt.id,
    http_status_code: attempt.status ?? 0,
    response: attempt.response ?? (isBeingTried(ctx, row, attempt) ? 'It is being made.' : 'Its outcome is not known.'),
    sent_at: isoTime(attempt.at),
  }))
  const { rows, more } = cutPage(attempts, query)
  return listOf(rows, more)
}

/** Tells an event again, also one that the endpoint did not ask for. @throws Problem not_found, validation_error. */
export async function replayEvent(ctx: Caller, id: string, event: string) {
  const webhook = await findEnabled(ctx, id)
  const seq = seqOf(id, event)
  if (seq === undefined || !(await findEvent(ctx.stores, ctx.account, seq))) throw notFound('Webhook event')
  await replayOne(ctx.stores, ctx.account, webhook.id, seq, ctx.now())
  ctx.wake.webhooks(ctx.account)
  return { object: 'webhook_event' as const, id: event }
}

/** Tells a range of events again, those that the endpoint asks for. @throws Problem not_found, validation_error. */
export async function replayEvents(
  ctx: Caller,
  id: string,
  { after_seq, until_seq }: { after_seq: number; until_seq?: number | null },
) {
  const webhook = await findEnabled(ctx, id)
  const range = { afterSeq: after_seq, untilSeq: until_seq ?? undefined, now: ctx.now(), limit: MOST_REPLAYED }
  const { replayed, doneTo, more } = await replayRange(ctx.stores, ctx.account, webhook.id, range)
  if (replayed > 0) ctx.wake.webhooks(ctx.account)
  return { object: 'webhook' as const, id, replayed, has_more: more, next_after_seq: doneTo }
}

async function findTold(ctx: Caller, id: string, event: string) {
  const webhook = await findWebhook(ctx, id)
  const seq = seqOf(id, event)
  const row = seq === undefined ? undefined : await findDispatch(ctx.stores, ctx.account, id, seq)
  const told = row && (await findEvent(ctx.stores, ctx.account, row.seq))
  if (!row || !told) throw notFound('Webhook event')
  return { webhook, row, payload: thinPayload(told) }
}

async function findEnabled(ctx: Caller, id: string): Promise<WebhookRow> {
  const webhook = await findWebhook(ctx, id)
  if (webhook.status === 'enabled') return webhook
  throw new Problem('validation_error', 'The webhook is disabled.', {
    fix: 'Enable it first: PATCH /webhooks/:id with {"status":"enabled"}.',
  })
}

function summary(ctx: Caller, webhook: string, row: DispatchRow) {
  return {
    id: eventId(webhook, row.seq),
    type: row.type,
    created_at: isoTime(row.createdAt),
    status: isBeingTried(ctx, row) ? ('attempting' as const) : row.status,
  }
}

/** While an attempt is being made, `due` says when it counts as lost. */
function isBeingTried(ctx: Caller, row: DispatchRow, attempt = row.attempts.at(-1)): boolean {
  const isLast = attempt !== undefined && attempt === row.attempts.at(-1)
  return isLast && row.status === 'pending' && attempt.status === undefined && (row.due ?? 0) > ctx.now()
}

function cursor(webhook: string, id: string | undefined, path: string): number | undefined {
  if (id === undefined) return undefined
  const seq = seqOf(webhook, id)
  if (seq !== undefined) return seq
  const reason = 'is not an event id of this webhook'
  throw new Problem('invalid_parameter', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
