/** What a relay allows, over all isolates: turns reserved in its row, many at a time, and connections held there while they stand. */
import { describeError } from '../../base/log.ts'
import { type Context, newToken } from '../../context.ts'
import type { RelayTarget } from '../../directory/relays/next-hop.ts'
import type { Clock } from '../../smtp/pipe.ts'
import { holdConnections, releaseConnections, reserveTurns } from '../../store/relays/health.ts'
import { pause } from './connection.ts'

/** Turns are taken so far ahead: past a minute the sweep brings what had none, so that none is left unused between. */
const AHEAD_MS = 75_000

/** What is held lapses after so long where an invocation died, and is renewed well before. */
const HOLD_MS = 60_000
const RENEW_MS = 20_000

/** Others may need so long for their batch; asked for so often. */
const WAIT_MS = 60_000
const ASK_EVERY_MS = 1000

/** A connection is opened so long before its first turn, and not left idle for longer. */
const OPENING_MS = 2000

/** Where storage does not say, nothing is sent. */
const STORE_REST_MS = 10_000

function noTurns(now: number): { first: number; count: number } {
  return { first: now + STORE_REST_MS, count: 0 }
}

export class Pace {
  private readonly ctx: Context
  private readonly clock: Clock
  private readonly target: RelayTarget
  private readonly holder: string
  private next = 0
  private left = 0
  private held = 0
  private asking: Promise<unknown> = Promise.resolve()
  private cancel: (() => void) | undefined

  constructor(ctx: Context, clock: Clock, target: RelayTarget) {
    this.ctx = ctx
    this.clock = clock
    this.target = target
    this.holder = newToken(ctx)
  }

  /** Waits until a connection is worth opening for so many recipients, and `further` ones. Answers when that would be where it is too far ahead. */
  async near(recipients: number, further: number): Promise<{ due: number } | undefined> {
    const turn = await this.reserved(recipients, further)
    if (turn && 'at' in turn) await pause(this.clock, turn.at - this.ctx.now() - OPENING_MS)
    return turn && 'due' in turn ? turn : undefined
  }

  /**
   * Waits for the turn of so many recipients, where there is a rate; `further` are reserved in the same write. Answers when their turn
   * would be where that is too far ahead to be waited for.
   */
  async turn(recipients: number, further: number): Promise<{ due: number } | undefined> {
    const turn = await this.reserved(recipients, further, recipients)
    if (turn && 'at' in turn && turn.at > this.ctx.now()) await pause(this.clock, turn.at - this.ctx.now())
    return turn && 'due' in turn ? turn : undefined
  }

  /** Has turns for so many, of which some are used up; one after the other, because several connections share what is reserved. */
  private reserved(
    recipients: number,
    further: number,
    used = 0,
  ): Promise<{ at: number } | { due: number } | undefined> {
    const { key, interval } = this.target
    if (!key || interval === undefined) return Promise.resolve(undefined)
    const mine = this.asking.then(async (): Promise<{ at: number } | { due: number }> => {
      if (this.left < recipients) {
        const now = this.ctx.now()
        const wanted = { now, count: recipients + further, least: recipients, interval, horizon: now + AHEAD_MS }
        const turns = await reserveTurns(this.ctx.stores, key, wanted).catch(() => noTurns(now))
        this.next = turns?.first ?? now
        // Of a relay that was deleted meanwhile nobody counts any more.
        this.left = turns?.count ?? wanted.count
        if (this.left < recipients) return { due: this.next }
      }
      const at = this.next
      this.next += used * interval
      this.left -= used
      return { at }
    })
    this.asking = mine
    return mine
  }

  /** How many connections may be opened: `most` where the relay allows any, else as many as are wanted and get free within a minute. */
  async hold(wanted: number, most: number, goOn: () => boolean): Promise<number> {
    const { key, maxConnections } = this.target
    if (!key || maxConnections === null) return most
    for (let waited = 0; goOn() && waited < WAIT_MS; waited += ASK_EVERY_MS) {
      this.held = await this.ask(wanted)
      if (this.held > 0) break
      await pause(this.clock, ASK_EVERY_MS)
    }
    if (this.held > 0) this.keep()
    return this.held
  }

  async close(): Promise<void> {
    this.cancel?.()
    if (this.held === 0 || !this.target.key) return
    this.held = 0
    await releaseConnections(this.ctx.stores, this.target.key, this.holder).catch((error) =>
      this.ctx.log('warn', 'connections could not be given back', { error: describeError(error) }),
    )
  }

  private async ask(count: number): Promise<number> {
    const { key, maxConnections } = this.target
    if (!key || maxConnections === null) return count
    const now = this.ctx.now()
    const wanted = { holder: this.holder, count, most: maxConnections, now, until: now + HOLD_MS }
    return holdConnections(this.ctx.stores, key, wanted).catch(() => 0)
  }

  private keep(): void {
    this.cancel = this.clock.setTimer(RENEW_MS, () => {
      void this.ask(this.held)
      this.keep()
    })
  }
}
