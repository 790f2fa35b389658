/**
 * Whether a relay is worth trying. One that fails is left alone for a while, then tried by one batch, and left alone for longer where
 * that fails too: so a dead first relay costs each of them no time-out. Rows are written only where something turns.
 */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import { forgetRelays, type RelayTarget } from '../directory/relays/next-hop.ts'
import type { StoredReply } from '../store/mail/shapes.ts'
import { claimTrial, markFailing, markWorking } from '../store/relays/health.ts'
import type { Judged } from './judge.ts'

/** Left alone so long after the first failure, and twice as long after each further one. */
const FIRST_REST_MS = 15_000
const LONGEST_REST_MS = 5 * 60_000

/** The trial is over by then: a connection takes 90 seconds at the most. */
const TRIAL_MS = 100_000

/** When it took mail last is written no oftener. */
const SUCCESS_EVERY_MS = 10 * 60_000

const MAX_ERROR = 300

export class Health {
  private readonly ctx: Context
  private readonly trials = new Map<string, Promise<boolean>>()
  private readonly told = new Set<string>()

  constructor(ctx: Context) {
    this.ctx = ctx
  }

  /** Whether mail may be given to it: it works, or this batch has its trial. */
  mayTry(target: RelayTarget): Promise<boolean> {
    const { since, retryAt = 0 } = target.health
    if (!target.key || since === undefined) return Promise.resolve(true)
    if (this.ctx.now() < retryAt) return Promise.resolve(false)
    const name = `${target.key.account} ${target.id}`
    const trial = this.trials.get(name) ?? this.claim(target)
    this.trials.set(name, trial)
    return trial
  }

  /** What becomes of mail all of whose relays are left alone: it waits, and that is no attempt. */
  waitFor(targets: readonly RelayTarget[]): Judged {
    const now = this.ctx.now()
    const times = targets.map(({ health }) => health.retryAt ?? 0).filter((at) => at > now)
    const error = targets.find(({ health }) => health.error)?.health.error ?? 'it could not be reached'
    return {
      kind: 'postponed',
      // A trial that another has taken is over soon.
      due: times.length > 0 ? Math.min(...times) : now + FIRST_REST_MS,
      reply: { code: 451, enhanced: '4.4.1', text: `the relay fails, and is tried again soon: ${error}` },
    }
  }

  async failed(target: RelayTarget, { code, enhanced, text }: StoredReply): Promise<void> {
    const { key, health } = target
    if (!key) return
    const now = this.ctx.now()
    const rest = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(health.failures ?? 0, 10))
    const error = [code, enhanced, text].filter(Boolean).join(' ').slice(0, MAX_ERROR).toWellFormed()
    await this.write('failing', target, () =>
      markFailing(this.ctx.stores, key, health, { now, retryAt: now + rest, error }),
    )
  }

  async worked(target: RelayTarget): Promise<void> {
    const { key, health } = target
    // One connection may go on while the relay takes no further one.
    if (!key || this.told.has(nameOf('failing', target))) return
    const now = this.ctx.now()
    if (health.since === undefined && now - (health.okAt ?? 0) < SUCCESS_EVERY_MS) return
    await this.write('working', target, () => markWorking(this.ctx.stores, key, now))
  }

  private async claim(target: RelayTarget): Promise<boolean> {
    if (!target.key) return true
    const until = this.ctx.now() + TRIAL_MS
    // Where storage does not say, mail is worth more than the time of a dead relay.
    return claimTrial(this.ctx.stores, target.key, target.health, until).catch(() => true)
  }

  /** Once a batch each; its failure harms nobody. */
  private async write(as: string, target: RelayTarget, write: () => Promise<boolean>): Promise<void> {
    const name = nameOf(as, target)
    if (this.told.has(name)) return
    this.told.add(name)
    await write().catch((error) =>
      this.ctx.log('warn', 'the health of a relay could not be written', {
        relay: target.id,
        error: describeError(error),
      }),
    )
    forgetRelays()
  }
}

function nameOf(as: string, { id, key }: RelayTarget): string {
  return `${as} ${key?.account} ${id}`
}
