/** Writes outcomes: what comes in while one write is under way goes together in the next, one round trip for many messages. */
import { describeError } from '../base/log.ts'
import { type Context, newToken } from '../context.ts'
import { newSuppression, storedKey } from '../record/suppression.ts'
import { giveBack, type Held, rereadHeld, type Settling, settleDeliveries } from '../store/mail/deliveries.ts'
import { type Database, mailOf } from '../store/stores.ts'
import { type Judged, type Outcomes, type Patience, type Settled, settleRecipients } from './judge.ts'

/** One batch holds as many messages: each is some four statements, and a batch has 30 seconds in all. */
const MOST_TOGETHER = 20

/** Storage that fails after these waits, too, has failed: the claim lapses then, and the outcome stays unknown. */
const PAUSES_MS = [0, 100]

/** Endpoints are woken at most so often, because each wake-up has its price. */
const WAKE_EVERY_MS = 2000

type Waiting = { held: Held; outcomes: Map<number, Judged>; done: PromiseWithResolvers<void>[] }

export class Recorder {
  private readonly ctx: Context
  private readonly patience: Patience
  private readonly queues = new Map<Database, { waiting: Map<Held, Waiting>; running: boolean }>()
  /** Messages whose claim is no longer ours. */
  private readonly lost = new Set<Held>()
  private readonly woken = new Map<number, { at: number; again: boolean; held: Held }>()

  private statements = 0

  constructor(ctx: Context) {
    this.ctx = ctx
    const chance = () => (new DataView(ctx.random(4).buffer).getUint32(0) >>> 0) / 2 ** 32
    const giveUpMs = ctx.config.GIVE_UP_HOURS * 3_600_000
    this.patience = {
      get now() {
        return ctx.now()
      },
      giveUpMs,
      randomUnit: chance,
    }
  }

  /** Resolves once the outcomes are in the row; rejects where storage does not take them. */
  record(held: Held, outcomes: Outcomes): Promise<void> {
    const db = mailOf(this.ctx.stores, held.account)
    const queue = this.queues.get(db) ?? { waiting: new Map<Held, Waiting>(), running: false }
    this.queues.set(db, queue)
    const waiting = queue.waiting.get(held) ?? { held, outcomes: new Map<number, Judged>(), done: [] }
    queue.waiting.set(held, waiting)
    for (const [index, judged] of outcomes) waiting.outcomes.set(index, judged)
    const done = Promise.withResolvers<void>()
    waiting.done.push(done)
    if (!queue.running) void this.drain(db, queue)
    return done.promise
  }

  /** How many SQL statements were written so far: an invocation may make so many and no more. */
  get spent(): number {
    return this.statements
  }

  /** Statements that others wrote for the same mail. */
  count(statements: number): void {
    this.statements += statements
  }

  /** Whether the claim lapsed while we held it: nothing of it may be tried any more. */
  isLost(held: Held): boolean {
    return this.lost.has(held)
  }

  /** Wakes the endpoints whose accounts had events since they were woken last. */
  close(): void {
    for (const { again, held } of this.woken.values()) if (again) this.ctx.wake.webhooks(held.account)
    this.woken.clear()
  }

  private async drain(db: Database, queue: { waiting: Map<Held, Waiting>; running: boolean }): Promise<void> {
    queue.running = true
    while (queue.waiting.size > 0) {
      const together = [...queue.waiting.values()].slice(0, MOST_TOGETHER)
      for (const { held } of together) queue.waiting.delete(held)
      await this.write(db, together)
    }
    queue.running = false
  }

  /** Never rejects: each of the waiting hears of its own. */
  private async write(db: Database, together: Waiting[]): Promise<void> {
    let left = await this.attempt(db, together)
    for (const pause of PAUSES_MS) {
      if (left.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, pause))
      // After an error it is open what was written, and a row that has moved is decided upon anew.
      const mine = await this.reread(db, left)
      left = []
      // One row that cannot be written must not hold up the others for ever: from now on each goes by itself.
      for (const one of mine) left.push(...(await this.attempt(db, [one])))
    }
    for (const { done } of left) for (const each of done) each.reject(new Error('outcomes could not be written'))
  }

  /** One try; answers which are not known to be written. */
  private async attempt(db: Database, waiting: Waiting[]): Promise<Waiting[]> {
    const plans = waiting.map((one) => ({ one, settled: settleRecipients(one.held, one.outcomes, this.patience) }))
    const loud = plans.filter(({ settled }) => settled.visible)
    const quiet = plans.filter(({ settled }) => !settled.visible)
    // Counters, the message, each event, and two for those who are dead; a claim given back is one.
    for (const { settled } of plans) {
      const { events, dead } = settled
      this.statements += settled.visible ? 2 + events.length + (dead.length > 0 ? 2 : 0) : 1
    }
    try {
      const changes = await settleDeliveries(
        db,
        this.patience.now,
        loud.map(({ one, settled }) => ({
          ...asSettling(one.held, settled),
          token: newToken(this.ctx),
          events: settled.events,
          suppressions: settled.dead.map((address) =>
            newSuppression(this.ctx, storedKey(address), 'bounce', one.held.id),
          ),
        })),
      )
      const given = await giveBack(
        db,
        quiet.map(({ one, settled }) => asSettling(one.held, settled)),
      )
      const left: Waiting[] = []
      for (const [at, { one, settled }] of loud.entries()) {
        const change = changes[at]
        if (!change) left.push(one)
        else this.written(one, settled, settled.events.length > 0 && change.listeners > 0)
      }
      for (const [at, { one, settled }] of quiet.entries()) {
        if (given[at]) this.written(one, settled, false)
        else left.push(one)
      }
      return left
    } catch (error) {
      this.ctx.log('warn', 'a write of outcomes failed', { messages: waiting.length, error: describeError(error) })
      return waiting
    }
  }

  /** Those that are still ours, as they are now; all of them where storage does not say. */
  private async reread(db: Database, waiting: Waiting[]): Promise<Waiting[]> {
    const helds = waiting.map(({ held }) => held)
    const rows = await rereadHeld(db, helds).catch(() => undefined)
    if (!rows) return waiting
    return waiting.filter((one, at) => {
      const row = rows[at]
      if (row && row.listeners > 0) this.wake(one.held)
      if (row?.ours) return true
      // Written by us after all, its acknowledgement lost; or lapsed and taken over. Nothing is left to do either way.
      this.lost.add(one.held)
      for (const each of one.done) each.resolve()
      return false
    })
  }

  private written({ held, done }: Waiting, settled: Settled, wake: boolean): void {
    held.recipients = settled.recipients
    held.stored = JSON.stringify(settled.recipients)
    if (wake) this.wake(held)
    for (const each of done) each.resolve()
  }

  private wake(held: Held): void {
    const now = this.ctx.now()
    const last = this.woken.get(held.account.number)
    if (last && now - last.at < WAKE_EVERY_MS) {
      last.again = true
      return
    }
    this.woken.set(held.account.number, { at: now, again: false, held })
    this.ctx.wake.webhooks(held.account)
  }
}

function asSettling(held: Held, settled: Settled): Settling {
  const { recipients, lastEvent, relay, release } = settled
  return {
    held,
    recipients,
    stored: JSON.stringify(recipients),
    lastEvent,
    ...(relay === undefined ? {} : { relay }),
    ...(release ? { release } : {}),
  }
}
