/**
 * Who gets what: each errand goes to the best of its relays that can be used, and from one that fails to the next, within the
 * same attempt. What a relay may have taken, or has judged, never moves on.
 */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import type { RelayTarget } from '../directory/relays/next-hop.ts'
import type { StoredReply } from '../store/mail/shapes.ts'
import type { Gate } from './gate.ts'
import { Health } from './health.ts'
import type { Judged } from './judge.ts'
import { alike, type Errand, type Job } from './load.ts'
import { jobsFor } from './plan.ts'
import type { Recorder } from './recorder.ts'
import { CloudflareStation } from './station/cloudflare.ts'
import { SmtpStation } from './station/smtp.ts'

/** What the work of one batch is held to. */
export type Bounds = {
  /** Whether there is time enough left under the claim for the longest transaction. */
  mayBegin(): boolean
  /** All connections of the batch go through it. */
  gate: Gate
  recorder: Recorder
  /** Aborted when the claim could not be kept: what is under way is broken off. */
  lost: AbortSignal
}

/** One relay of a batch, and what waits for it. */
export type Station = {
  add(jobs: Job[]): void
  /** Resolves when nothing more is done for what was added so far. Never rejects. */
  rest(): Promise<void>
  /** Gives back what it holds, and takes out what was never begun. */
  close(): Promise<Job[]>
}

/** What a station tells of its relay and of mail that it could not hand over. */
export type Outlet = {
  /** The mail was not taken here, and nobody has judged it: the next relay gets it, and where there is none this is what becomes of it. */
  passOn(errands: readonly Errand[], otherwise: Judged): Promise<void>
  /** Nothing more can be handed over here in this batch. */
  failed(target: RelayTarget, reply: StoredReply): Promise<void>
  worked(target: RelayTarget): Promise<void>
}

export class Dispatch implements Outlet {
  private readonly ctx: Context
  private readonly bounds: Bounds
  private readonly health: Health
  private readonly stations = new Map<string, Station>()
  /** Relays that failed in this batch. */
  private readonly down = new Set<string>()
  /** How often something was added to a station. */
  private added = 0

  constructor(ctx: Context, bounds: Bounds) {
    this.ctx = ctx
    this.bounds = bounds
    this.health = new Health(ctx)
  }

  /** Tries every errand; resolves when the outcome of each is written or known not to be. Never rejects. */
  async run(errands: readonly Errand[]): Promise<void> {
    await this.send(errands)
    // A station that fails adds to others, also to such as had come to rest.
    for (let rested = -1; rested !== this.added; ) {
      rested = this.added
      for (const station of [...this.stations.values()]) await station.rest()
    }
    const left = await Promise.all([...this.stations.values()].map((station) => station.close()))
    // What was not begun was no attempt.
    await Promise.all(left.flat().map(({ load, recipients }) => this.judge(load, recipients, { kind: 'released' })))
  }

  async passOn(errands: readonly Errand[], otherwise: Judged): Promise<void> {
    const onward = errands.map((errand) => ({ ...errand, hops: errand.hops.slice(1) }))
    await this.send(onward, otherwise)
  }

  async failed(target: RelayTarget, reply: StoredReply): Promise<void> {
    this.down.add(nameOf(target))
    await this.health.failed(target, reply)
  }

  worked(target: RelayTarget): Promise<void> {
    return this.health.worked(target)
  }

  private async send(errands: readonly Errand[], otherwise?: Judged): Promise<void> {
    const sent = await Promise.all(
      errands.map(async (errand) => {
        const hops = await this.usable(errand.hops)
        const [target] = hops
        if (target) return { target, jobs: await jobsFor(this.ctx, target, { ...errand, hops }) }
        await this.judge(errand.load, errand.recipients, otherwise ?? this.health.waitFor(errand.hops))
        return undefined
      }),
    )
    // All at once, so that a station sees how much there is.
    const stations = Map.groupBy(
      sent.filter((one) => one !== undefined),
      ({ target }) => this.stationFor(target),
    )
    for (const [station, some] of stations) {
      this.added++
      station.add(some.flatMap(({ jobs }) => jobs))
    }
  }

  /** The hops from the first one on that can be used now. */
  private async usable(hops: readonly RelayTarget[]): Promise<readonly RelayTarget[]> {
    for (const [at, target] of hops.entries()) {
      if (!this.down.has(nameOf(target)) && (await this.health.mayTry(target))) return hops.slice(at)
    }
    return []
  }

  private stationFor(target: RelayTarget): Station {
    const name = nameOf(target)
    const known = this.stations.get(name)
    if (known) return known
    const station =
      target.kind === 'smtp'
        ? new SmtpStation(this.ctx, target, this.bounds, this)
        : new CloudflareStation(this.ctx, target, this.bounds, this)
    this.stations.set(name, station)
    return station
  }

  private async judge(load: Errand['load'], recipients: readonly number[], judged: Judged): Promise<void> {
    await load
      .judge(alike(recipients, judged))
      .catch((error) => this.ctx.log('warn', 'an outcome could not be written', { error: describeError(error) }))
  }
}

/** What is the same relay: a row, or RELAY_URL. */
export function nameOf({ id, key }: RelayTarget): string {
  return `${key?.account ?? ''} ${id}`
}
