/** What is to be handed over of one message, and what is known of it so far but not yet written. */
import type { RelayTarget } from '../directory/relays/next-hop.ts'
import type { Clock } from '../smtp/pipe.ts'
import type { Held } from '../store/mail/deliveries.ts'
import type { Content } from './body.ts'
import type { Judged, Outcomes } from './judge.ts'
import type { Recorder } from './recorder.ts'

/** What is to be tried of one message, and by which relays. */
export type Errand = {
  readonly load: Load
  /** Places in the message's list of recipients. */
  readonly recipients: readonly number[]
  /** Those that it has not been tried by, best first. */
  readonly hops: readonly RelayTarget[]
  readonly bounceDomain: string
}

/** One transaction, made for one relay. */
export type Job = {
  readonly load: Load
  readonly recipients: readonly number[]
  /** The reverse path. */
  readonly from: string
  /** A header field, with its line end, that goes before all others. */
  readonly marker?: string
  /** What it was made of; its first hop is the relay it was made for. */
  readonly errand: Errand
}

/** Outcomes of one message are written together, but no more are held back at a time, and none for longer: a crash would make them unknown. */
const MOST_UNWRITTEN = 25
const LONGEST_UNWRITTEN_MS = 2000

export class Load {
  readonly held: Held
  /** The whole message, where it is small enough to be kept for all of its recipients. */
  content: Promise<Content> | undefined
  private readonly recorder: Recorder
  private readonly clock: Clock
  private left: number
  private unwritten = new Map<number, Judged>()
  private cancelTimer: (() => void) | undefined

  /** `settled` are recipients that need no relay; `left` is how many others there are to hear of. */
  constructor(held: Held, given: { recorder: Recorder; clock: Clock; left: number; settled: Outcomes }) {
    this.held = held
    this.recorder = given.recorder
    this.clock = given.clock
    this.left = given.left
    for (const [index, judged] of given.settled) this.unwritten.set(index, judged)
  }

  /** Takes outcomes, each recipient's once; resolves once they are written, or at once where others of the message are awaited. */
  async judge(outcomes: Outcomes): Promise<void> {
    for (const [index, judged] of outcomes) this.unwritten.set(index, judged)
    this.left -= outcomes.size
    if (this.left === 0) this.content = undefined
    if (this.left === 0 || this.unwritten.size >= MOST_UNWRITTEN) return this.write()
    this.cancelTimer ??= this.clock.setTimer(LONGEST_UNWRITTEN_MS, () => void this.write().catch(() => undefined))
  }

  private write(): Promise<void> {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    const outcomes = this.unwritten
    this.unwritten = new Map()
    return outcomes.size === 0 && this.left > 0 ? Promise.resolve() : this.recorder.record(this.held, outcomes)
  }
}

/** The same outcome for many recipients. */
export function alike(recipients: readonly number[], judged: Judged): Outcomes {
  return new Map(recipients.map((index) => [index, judged]))
}
