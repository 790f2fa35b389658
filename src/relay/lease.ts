/** A short claim that is kept alive while we work, so that what a dead invocation held is free again within two minutes. */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import type { Clock } from '../smtp/pipe.ts'
import { extendClaims, type Held } from '../store/mail/deliveries.ts'

/** How long a claim holds from when it was made or renewed last. */
export const LEASE_MS = 90_000

/** Renewed three times within a lease, because storage may fail once or twice. A batch that ends before pays nothing for it. */
const RENEW_MS = 25_000

/** So long before the claim ends, what is still under way is broken off: nobody else may have begun it by then. */
const MARGIN_MS = 15_000

export class Lease {
  /** Aborted when the claim could not be kept: connections are closed then. */
  readonly lost: AbortSignal
  private readonly ctx: Context
  private readonly clock: Clock
  private readonly token: string
  private readonly losing = new AbortController()
  private helds: readonly Held[] = []
  private until: number
  private ended = false
  private cancel: () => void = () => undefined

  constructor(ctx: Context, clock: Clock, claim: { token: string; until: number }) {
    this.ctx = ctx
    this.clock = clock
    this.token = claim.token
    this.until = claim.until
    this.lost = this.losing.signal
  }

  /** Renews the claim on these messages until `end`. */
  keep(helds: readonly Held[]): void {
    this.helds = helds
    this.wait()
  }

  end(): void {
    this.ended = true
    this.cancel()
  }

  private wait(): void {
    this.cancel = this.clock.setTimer(RENEW_MS, () => void this.renew())
  }

  private async renew(): Promise<void> {
    const until = this.ctx.now() + LEASE_MS
    try {
      await extendClaims(this.ctx.stores, this.helds, this.token, until)
      this.until = until
    } catch (error) {
      this.ctx.log('warn', 'claims could not be renewed', { error: describeError(error) })
    }
    if (this.ended) return
    if (this.ctx.now() + RENEW_MS + MARGIN_MS > this.until) this.losing.abort()
    else this.wait()
  }
}
