/** Tells endpoints what they are behind with: on a wake-up those of some accounts, on the sweep all. */
import { toHex } from '../base/bytes.ts'
import { describeError } from '../base/log.ts'
import { type Context, newToken } from '../context.ts'
import { inEachDatabase } from '../record/databases.ts'
import { isoTime } from '../record/email-event.ts'
import { dropOldDispatches } from '../store/mail/dispatches.ts'
import { type Behind, claimRound, findBehind, finishRound, passOver, type Round } from '../store/mail/telling.ts'
import { disableWebhook } from '../store/mail/webhooks.ts'
import type { AccountRef } from '../store/stores.ts'
import type { ReadFull } from './payload.ts'
import { type Told, tellRound } from './tell.ts'

/** What dispatching needs of another stage. */
export type Needs = { readFull: ReadFull }

/** A claim outlasts the longest round: twenty events, two at a time, fifteen seconds each, and some slack. */
const LEASE_MS = 4 * 60_000

/** A sweep begins nothing after this; what is left the next one finds. */
const SWEEP_RUN_MS = 5 * 60_000

/**
 * A wake-up begins nothing after this, and has another one go on. What it began ends within the 30 seconds
 * that a Worker may still work after it has answered.
 */
const WAKE_RUN_MS = 10_000

/** A queue is kept waiting no longer than this, so that who is slow holds up no one whose wake-up comes next. */
const PATIENCE_MS = 1000

/** Events, and tries that are due, in one round: few are told twice after a crash, and who fails keeps no place long. */
const PAGE = 10
const PAGE_OF_FAILING = 2

/** Then others have their turn. */
const ROUNDS_AT_ONCE = 5

/** Nothing but failures for so long ends the calls. */
const FAILING_MS = 5 * 86_400_000

/** A try that is due before the next sweep has a wake-up of its own. */
const SWEEP_MS = 60_000

/** What one tick looks at, so that it ends in time. */
const MOST_BEHIND = 500
const MOST_STEPS = 20
const DROPPING = { endpoints: 20, rows: 500 }

/** Tells the endpoints of an account what they are behind with, until they are not. */
export async function dispatchAccount(ctx: Context, account: AccountRef, needs: Needs): Promise<void> {
  await dispatchAccounts(ctx, [account], needs)
}

/** The same for all accounts of a queue's batch: one look for each of their databases. */
export async function dispatchAccounts(ctx: Context, accounts: readonly AccountRef[], needs: Needs): Promise<void> {
  const places = Map.groupBy(accounts, (account) => account.mailDb)
  // What a database that is down is behind with, the sweep finds once it is back.
  await inEachDatabase(ctx, 'webhooks', async (mailDb) => {
    const numbers = [...new Set((places.get(mailDb) ?? []).map((account) => account.number))]
    if (numbers.length === 0) return
    const behind = await findBehind(ctx.stores, mailDb, ctx.now(), MOST_BEHIND, numbers)
    const work = workThrough(ctx, behind, needs, ctx.now() + WAKE_RUN_MS).then((left) => {
      for (const account of new Set(left.map((endpoint) => endpoint.account))) ctx.wake.webhooks(account)
    })
    if (!(await endsWithin(PATIENCE_MS, work))) ctx.later(work)
  })
}

async function endsWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(late.resolve, ms, false)
  try {
    return await Promise.race([work.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Finds what lost wake-ups and due tries left behind, passes over what nobody asked for, and forgets what is old. */
export async function sweepWebhooks(ctx: Context, needs: Needs): Promise<void> {
  const behind: Behind[] = []
  await inEachDatabase(ctx, 'webhooks', async (mailDb, db) => {
    for (let step = 0; step < MOST_STEPS && (await passOver(db, ctx.now(), MOST_BEHIND)) > 0; step++);
    behind.push(...(await findBehind(ctx.stores, mailDb, ctx.now(), MOST_BEHIND)))
  })
  // All of them in the same lanes: a Worker waits for six answers, however many databases there are.
  await workThrough(ctx, behind, needs, ctx.now() + SWEEP_RUN_MS)
  await inEachDatabase(
    ctx,
    'old dispatches',
    async (_mailDb, db) => void (await dropOldDispatches(db, ctx.now(), DROPPING)),
  )
}

/**
 * Three lanes, because a Worker waits for six answers at most and each endpoint has two: one for those that answer,
 * one for those that failed last, and one that helps both. So one that is slow or dead holds up no other.
 * Answers what is left when time is up.
 */
async function workThrough(
  ctx: Context,
  behind: readonly Behind[],
  needs: Needs,
  stop: number,
): Promise<readonly Behind[]> {
  const healthy = behind.filter((endpoint) => !endpoint.failing)
  const failing = shuffled(
    ctx,
    behind.filter((endpoint) => endpoint.failing),
  )
  const lane = async (...queues: Behind[][]) => {
    while (ctx.now() < stop) {
      const endpoint = queues.find((queue) => queue.length > 0)?.shift()
      if (!endpoint) return
      const left = await turnOf(ctx, endpoint, needs, stop)
      if (left) (left.failing ? failing : healthy).push(left)
    }
  }
  while (healthy.length + failing.length > 0 && ctx.now() < stop) {
    await Promise.all([lane(healthy), lane(healthy, failing), lane(failing)])
  }
  return [...healthy, ...failing]
}

/** Each time in another order, so that among several that are dead none is always before one that is not. */
function shuffled(ctx: Context, endpoints: Behind[]): Behind[] {
  const places = new Map(endpoints.map((endpoint) => [endpoint, toHex(ctx.random(4))]))
  return endpoints.sort((a, b) => ((places.get(a) ?? '') < (places.get(b) ?? '') ? -1 : 1))
}

/** Some rounds of one endpoint; answers it where there may be more to do. An error is its own: the claim lapses, the sweep finds it. */
async function turnOf(ctx: Context, endpoint: Behind, needs: Needs, stop: number): Promise<Behind | undefined> {
  const { account, webhook } = endpoint
  try {
    let round = await claimRound(ctx.stores, claimOf(ctx, endpoint))
    for (let turn = 1; round; turn++) {
      const told = await tellRound(ctx, round, needs.readFull, stop)
      const failingSince = blame(ctx, round, told)
      const broke = failingSince !== null && !endpoint.failing
      const over = told.gone || (told.failed > 0 && isLong(ctx, failingSince))
      const goesOn = !broke && !over && turn < ROUNDS_AT_ONCE && ctx.now() < stop
      const next = goesOn ? claimOf(ctx, endpoint) : undefined
      const done: Round = round
      round = await finishRound(ctx.stores, done, told.outcomes, failingSince, ctx.now(), next)
      wakeForDue(ctx, account, told)
      if (over) await disable(ctx, done, told.gone ? 'gone' : 'failing', failingSince)
      else if (!goesOn) return { account, webhook, failing: failingSince !== null }
    }
  } catch (error) {
    ctx.log('error', 'telling an endpoint failed', { account: account.id, webhook, error: describeError(error) })
  }
  return undefined
}

function claimOf(ctx: Context, { account, webhook, failing }: Behind) {
  const now = ctx.now()
  return { account, webhook, now, token: newToken(ctx), until: now + LEASE_MS, page: failing ? PAGE_OF_FAILING : PAGE }
}

/** Since when the endpoint has nothing but failures. */
function blame(ctx: Context, round: Round, told: Told): number | null {
  if (told.succeeded > 0) return null
  return round.failingSince ?? (told.failed > 0 ? ctx.now() : null)
}

function isLong(ctx: Context, failingSince: number | null): boolean {
  return failingSince !== null && ctx.now() - failingSince >= FAILING_MS
}

function wakeForDue(ctx: Context, account: AccountRef, told: Told): void {
  const dues = told.outcomes.flatMap(({ due }) => (due === null ? [] : [due]))
  const wait = Math.min(...dues) - ctx.now()
  if (wait < SWEEP_MS) ctx.wake.webhooks(account, Math.max(0, Math.ceil(wait / 1000)))
}

async function disable(ctx: Context, round: Round, reason: 'gone' | 'failing', since: number | null): Promise<void> {
  const data = {
    webhook_id: round.webhook,
    endpoint: round.url,
    reason: reason === 'gone' ? 'It answered 410 Gone.' : 'Nothing but failures came for five days.',
    failing_since: since === null ? null : isoTime(since),
  }
  const change = { token: newToken(ctx), now: ctx.now(), event: { type: 'webhook.disabled', data } }
  const changed = await disableWebhook(ctx.stores, round.account, round.webhook, change)
  if (changed && changed.listeners > 0) ctx.wake.webhooks(round.account)
}
