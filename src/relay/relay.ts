/** Mail leaves: claim what is due, choose each message's next hop, hand over, write down what became of it. */
import { type Context, newToken } from '../context.ts'
import { longestTransaction } from '../smtp/pipe.ts'
import { claimDeliveries, type Held } from '../store/mail/deliveries.ts'
import type { AccountRef } from '../store/stores.ts'
import { Dispatch } from './dispatch.ts'
import { Gate } from './gate.ts'
import { LEASE_MS, Lease } from './lease.ts'
import { plan } from './plan.ts'
import { Recorder } from './recorder.ts'
import { clockOf } from './station/connection.ts'

/** What a queue brings: messages of an account that have a delivery due. */
export type RelayWakeUp = { account: AccountRef; messages?: string[] }

/** So many messages are claimed at once: some four statements each, and D1 allows an invocation a thousand. */
const MOST_MESSAGES = 100

/** Past so many statements nothing more is begun, so that what is under way, and giving back the rest, stays within that thousand. */
const MOST_STATEMENTS = 500

/** A consumer lives fifteen minutes; nothing is begun that might not end before. */
const LIFE_MS = 14 * 60_000

/** The platform lets an invocation have six connections, and the stores need some of them. */
const MOST_CONNECTIONS = 4

/**
 * Delivers what is due of these messages. Resolves when every outcome is written, or left to be found by the sweep;
 * throws only where nothing could be claimed in some database, and then the wake-ups may be repeated.
 */
export async function relayBatch(ctx: Context, wakeUps: readonly RelayWakeUp[]): Promise<void> {
  const end = ctx.now() + LIFE_MS
  const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + LEASE_MS }
  const databases = Map.groupBy(takeFirst(ctx, wakeUps), ({ account }) => account.mailDb)
  const claims = await Promise.allSettled(
    [...databases.values()].map((some) => claimDeliveries(ctx.stores, some, claim)),
  )
  const helds = claims.flatMap((answer): Held[] => (answer.status === 'fulfilled' ? answer.value : []))

  const lease = new Lease(ctx, clockOf(ctx), claim)
  lease.keep(helds)
  try {
    await relayAll(ctx, helds, lease, end)
  } finally {
    lease.end()
  }

  const failed = claims.find((answer) => answer.status === 'rejected')
  if (failed) throw failed.reason
}

async function relayAll(ctx: Context, helds: Held[], lease: Lease, end: number): Promise<void> {
  const recorder = new Recorder(ctx)
  const errands = await plan(ctx, helds, recorder)
  const gate = new Gate(MOST_CONNECTIONS)
  const mayBegin = () =>
    !lease.lost.aborted && ctx.now() + longestTransaction() <= end && recorder.spent < MOST_STATEMENTS
  const bounds = { mayBegin, gate, recorder, lost: lease.lost }
  await new Dispatch(ctx, bounds).run(errands)
  recorder.close()
}

/** Wakes for messages of any accounts, so many at a time as are claimed at once. */
export function wakeEach(ctx: Context, owed: readonly { account: AccountRef; id: string }[]): void {
  for (const some of Map.groupBy(owed, ({ account }) => account.number).values()) {
    for (let at = 0; at < some.length; at += MOST_MESSAGES) {
      const page = some.slice(at, at + MOST_MESSAGES)
      const ids = page.map(({ id }) => id)
      if (page[0]) ctx.wake.relay(page[0].account, ids)
    }
  }
}

/** The first messages, each once; for the others a wake-up of their own. */
function takeFirst(ctx: Context, wakeUps: readonly RelayWakeUp[]): { account: AccountRef; id: string }[] {
  const named = wakeUps.flatMap(({ account, messages = [] }) => messages.map((id) => ({ account, id })))
  const once = new Map(named.map((one) => [`${one.account.number} ${one.id}`, one]))
  const wanted = [...once.values()]
  wakeEach(ctx, wanted.splice(MOST_MESSAGES))
  return wanted
}
