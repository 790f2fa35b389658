/** Hands messages to one server, over as few connections as do. */
import { describeError } from '../../base/log.ts'
import type { Context } from '../../context.ts'
import type { SmtpTarget } from '../../directory/relays/next-hop.ts'
import type { RecipientOutcome, Transaction } from '../../smtp/envelope.ts'
import type { Clock } from '../../smtp/pipe.ts'
import type { Session } from '../../smtp/session.ts'
import type { StoredReply } from '../../store/mail/shapes.ts'
import type { Content } from '../body.ts'
import type { Bounds, Outlet, Station } from '../dispatch.ts'
import type { Judged } from '../judge.ts'
import { alike, type Job } from '../load.ts'
import { clockOf, connectTo, pause, whyNoSession } from './connection.ts'
import { fetchContent, prefetch } from './fetch.ts'
import { judge, kept, movesOn } from './judge-reply.ts'
import { Pace } from './pace.ts'
import { fell, isServing, stands } from './standing.ts'

/** What a batch may open to one server. */
const MOST_LANES = 2

/**
 * From so many transactions on a second connection pays: to open one costs some six round trips, and a message by DATA costs
 * one, as its body has to wait for the 354. By BDAT it costs a fraction of that.
 */
const LARGE_GROUP = 12
const LARGE_CHUNKED_GROUP = 50

/** A relay that ends a connection after some messages is connected to again, but not for ever in one go. */
const MOST_SESSIONS = 20

/** Connections in a row that broke and settled nothing: then the relay wants no more now. Where another could do it, one is enough. */
const MOST_FRUITLESS = 3

/** A server that serves another batch of ours and takes no further connection is asked again so often, and for so long. */
const BUSY_PAUSE_MS = 1000
const MOST_BUSY_MS = 30_000
const BUSY_REST_MS = 10_000

export class SmtpStation implements Station {
  private readonly ctx: Context
  private readonly target: SmtpTarget
  private readonly bounds: Bounds
  private readonly outlet: Outlet
  private readonly clock: Clock
  private readonly pace: Pace
  private readonly server: string
  private readonly queue: Job[] = []
  private readonly lanes = new Set<Promise<void>>()
  private most: Promise<number> | undefined
  /** No further connection is opened: the server wants none. */
  private enough = false
  /** Something of ours broke: what is left is given back. */
  private stopped = false
  private open = 0
  private sessions = 0
  private fruitless = 0

  constructor(ctx: Context, target: SmtpTarget, bounds: Bounds, outlet: Outlet) {
    this.ctx = ctx
    this.target = target
    this.bounds = bounds
    this.outlet = outlet
    this.clock = clockOf(ctx)
    this.pace = new Pace(ctx, this.clock, target)
    this.server = JSON.stringify([target.host, target.port, target.auth?.user])
  }

  add(jobs: Job[]): void {
    this.queue.push(...jobs)
    if (this.lanes.size === 0) this.begin()
  }

  async rest(): Promise<void> {
    while (this.lanes.size > 0) await Promise.race(this.lanes)
  }

  async close(): Promise<Job[]> {
    await this.pace.close()
    return this.queue.splice(0)
  }

  private begin(): void {
    const lane = this.run()
      .catch((error) => {
        this.stopped = true
        this.ctx.log('error', 'handing over to a relay stopped', {
          relay: this.target.id,
          error: describeError(error),
        })
      })
      .finally(() => {
        this.lanes.delete(lane)
        // What was added while the last connection was being closed.
        if (this.lanes.size === 0 && this.queue.length > 0 && this.mayConnect()) this.begin()
      })
    this.lanes.add(lane)
  }

  private async run(): Promise<void> {
    // Waited for outside of the gate, so that nobody else is held up.
    const wanted = this.queue.length > LARGE_GROUP ? MOST_LANES : 1
    this.most ??= this.pace.hold(wanted, MOST_LANES, () => this.bounds.mayBegin())
    const most = await this.most
    if (most === 0) {
      this.most = undefined
      return this.postpone(this.ctx.now() + BUSY_REST_MS)
    }
    const first = this.queue[0]?.recipients.length ?? 1
    const later = await this.pace.near(first, Math.max(0, this.waiting() - first))
    if (later) return this.postpone(later.due)
    await this.bounds.gate.pass(() => this.lane(most))
  }

  /** One connection after the other, until nothing is left, or there is no more sense or time in it. */
  private async lane(most: number): Promise<void> {
    while (this.queue.length > 0 && this.mayConnect()) {
      this.sessions++
      const session = await this.connect()
      if (session === 'busy') return this.postpone(this.ctx.now() + BUSY_REST_MS)
      if ('code' in session) {
        this.enough = true
        // Where another connection stands, this relay just wants no second one.
        if (this.open === 0) await this.fail(session)
        return
      }
      const end = await this.serve(session, most)
      this.fruitless = end.settled > 0 || !end.closed ? 0 : this.fruitless + 1
      const others = this.queue.every(({ errand }) => errand.hops.length > 1)
      if (end.closed && this.fruitless >= (others ? 1 : MOST_FRUITLESS)) await this.fail(end.closed)
    }
  }

  private mayConnect(): boolean {
    return !this.stopped && this.sessions < MOST_SESSIONS && this.bounds.mayBegin()
  }

  /** A session, why there is none, or that the server is busy with another batch of ours. */
  private async connect(): Promise<Session | StoredReply | 'busy'> {
    const since = this.ctx.now()
    for (let waited = 0; ; waited += BUSY_PAUSE_MS) {
      const session = await connectTo(this.ctx, this.target).catch((error: unknown) => whyNoSession(error, this.target))
      if (!('code' in session) || this.open > 0 || !isServing(this.server, this.ctx.now())) return session
      if (Math.max(waited, this.ctx.now() - since) >= MOST_BUSY_MS || !this.bounds.mayBegin()) return 'busy'
      await pause(this.clock, BUSY_PAUSE_MS)
    }
  }

  /** Where much is waiting, opens a second connection beside one over which mail went: a relay that is of no use is asked once. */
  private grow(session: Session, most: number): void {
    const { pipelining, chunking } = session.extensions
    const large = pipelining && chunking ? LARGE_CHUNKED_GROUP : LARGE_GROUP
    if (this.queue.length > large && this.lanes.size < most && !this.enough) this.begin()
  }

  private async serve(session: Session, most: number): Promise<{ settled: number; closed?: StoredReply }> {
    const running = new Map<Transaction, { job: Job; content: Content }>()
    let settled = 0
    const breakOff = () => session.close()
    this.bounds.lost.addEventListener('abort', breakOff)
    this.open++
    stands(this.server, session, this.ctx.now())
    try {
      const end = await session.run(
        () => this.next(session, running),
        async (transaction, outcomes) => {
          stands(this.server, session, this.ctx.now())
          const run = running.get(transaction)
          running.delete(transaction)
          run?.content.discard()
          if (!run) return
          const count = await this.report(run.job, outcomes)
          settled += count
          if (count > 0) this.grow(session, most)
        },
      )
      if (end.kind === 'closed') {
        const broke = { code: 421, enhanced: '4.4.2', text: `the connection broke: ${end.reason}` }
        return { settled, closed: end.reply && end.reply.code >= 400 ? kept(end.reply) : broke }
      }
      await session.quit()
      return { settled }
    } finally {
      this.bounds.lost.removeEventListener('abort', breakOff)
      this.open--
      fell(this.server, session)
      session.close()
    }
  }

  private async next(
    session: Session,
    running: Map<Transaction, { job: Job; content: Content }>,
  ): Promise<Transaction | undefined> {
    for (;;) {
      const job = this.bounds.mayBegin() ? this.queue.shift() : undefined
      if (!job) return undefined
      const { held } = job.load
      if (this.bounds.recorder.isLost(held)) continue
      const later = await this.pace.turn(job.recipients.length, this.waiting())
      if (later) {
        this.queue.unshift(job)
        await this.postpone(later.due)
        return undefined
      }
      const content = await fetchContent(this.ctx, this.clock, job, session.extensions.eightBit)
      if (!content) continue
      if (!this.bounds.mayBegin()) {
        content.discard()
        this.queue.unshift(job)
        return undefined
      }
      if (this.queue[0]) prefetch(this.ctx, this.queue[0])
      const transaction = {
        from: job.from,
        recipients: job.recipients.map((index) => ({ address: held.recipients[index]?.address ?? '' })),
        ...content,
      }
      running.set(transaction, { job, content })
      return transaction
    }
  }

  /** Passes on what became of a transaction, and puts back what never had its turn. Answers how many are settled. */
  private async report({ load, recipients, errand, ...job }: Job, outcomes: RecipientOutcome[]): Promise<number> {
    const judged = new Map<number, Judged>()
    const moving: { index: number; otherwise: Judged }[] = []
    const left: number[] = []
    let aboutUs: StoredReply | undefined
    for (const [at, index] of recipients.entries()) {
      const outcome = outcomes[at]
      if (!outcome || outcome.kind === 'not_begun') left.push(index)
      else {
        const moves = movesOn(outcome)
        if (moves === 'login' && 'reply' in outcome && outcome.reply) aboutUs = kept(outcome.reply)
        if (moves) moving.push({ index, otherwise: judge(outcome, this.target) })
        else judged.set(index, judge(outcome, this.target))
      }
    }
    if (left.length > 0) this.queue.unshift({ ...job, load, recipients: left, errand })
    const settled = [...judged.values()].filter(({ kind }) => kind === 'sent' || kind === 'bounced').length
    if (aboutUs) await this.outlet.failed(this.target, aboutUs)
    await Promise.all([
      judged.size > 0 ? load.judge(judged) : undefined,
      ...moving.map(({ index, otherwise }) => this.outlet.passOn([{ ...errand, recipients: [index] }], otherwise)),
    ])
    if (settled > 0) await this.outlet.worked(this.target)
    return settled
  }

  /** The relay is of no use now: all that waits for it goes to the next one. */
  private async fail(reply: StoredReply): Promise<void> {
    const jobs = this.queue.splice(0)
    await this.outlet.failed(this.target, reply)
    const errands = jobs.map(({ errand, recipients }) => ({ ...errand, recipients }))
    await this.outlet.passOn(errands, { kind: 'deferred', reply })
  }

  /** What is over a limit waits for its turn, in its order. */
  private async postpone(from: number): Promise<void> {
    const jobs = this.queue.splice(0)
    let due = from
    const judging = jobs.map(({ load, recipients }) => {
      const judged = load.judge(alike(recipients, { kind: 'postponed', due: Math.ceil(due) }))
      due += recipients.length * (this.target.interval ?? 0)
      return judged
    })
    // All of them are waited for, because nothing runs on once the batch has ended.
    const failed = (await Promise.allSettled(judging)).find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }

  private waiting(): number {
    return this.queue.reduce((sum, { recipients }) => sum + recipients.length, 0)
  }
}
