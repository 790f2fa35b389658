/** Hands a group of messages to one relay, over as few connections as do. */
import { describeError } from '../base/log.ts'
import type { Context } from '../context.ts'
import type { RelayTarget } from '../directory/next-hop.ts'
import type { RecipientOutcome, Transaction } from '../smtp/envelope.ts'
import { type Clock, within } from '../smtp/pipe.ts'
import type { Session } from '../smtp/session.ts'
import type { StoredReply } from '../store/mail/shapes.ts'
import { type Content, Gone, hasEightBit, loadStream, loadWhole, MAX_KEPT_BYTES } from './body.ts'
import { clockOf, connectTo, whyNoSession } from './connection.ts'
import type { Gate } from './gate.ts'
import type { Judged } from './judge.ts'
import type { Job } from './load.ts'
import type { Recorder } from './recorder.ts'

/** From so many transactions on, a second connection pays. */
const LARGE_GROUP = 50

/** A relay that ends a connection after some messages is connected to again, but not for ever in one go. */
const MOST_SESSIONS = 20

/** Connections in a row that broke and settled nothing: then the relay wants no more now, and all that is left waits its turn. */
const MOST_FRUITLESS = 3

/** The store must not hold up a claim: what it does not give in this time is tried later. */
const LOAD_MS = 60_000

export type Bounds = {
  /** Whether there is time enough left under the claim for the longest transaction. */
  mayBegin(): boolean
  /** All connections of the batch go through it. */
  gate: Gate
  recorder: Recorder
  /** Aborted when the claim could not be kept: what is under way is broken off. */
  lost: AbortSignal
}

/** Tries every job, and resolves when the outcome of each is written or known not to be. Never rejects. */
export async function handOver(ctx: Context, target: RelayTarget, jobs: Job[], bounds: Bounds): Promise<void> {
  const group = new Group(ctx, target, jobs, bounds)
  try {
    await group.run(jobs.length > LARGE_GROUP ? 2 : 1)
  } catch (error) {
    ctx.log('error', 'handing over to a relay stopped', { relay: target.id, error: describeError(error) })
  }
  await group.release()
}

class Group {
  private readonly ctx: Context
  private readonly target: RelayTarget
  private readonly queue: Job[]
  private readonly bounds: Bounds
  private readonly clock: Clock
  private open = 0
  private readonly opened = Promise.withResolvers<void>()

  constructor(ctx: Context, target: RelayTarget, jobs: Job[], bounds: Bounds) {
    this.ctx = ctx
    this.target = target
    this.queue = [...jobs]
    this.bounds = bounds
    this.clock = clockOf(ctx)
  }

  async run(lanes: number): Promise<void> {
    const first = this.bounds.gate.pass(() => this.lane()).finally(() => this.opened.resolve())
    // A second connection is for when the first one stands: a relay that is down is asked once.
    const more = Array.from({ length: lanes - 1 }, () =>
      this.opened.promise.then(() => this.bounds.gate.pass(() => this.lane())),
    )
    const ends = await Promise.allSettled([first, ...more])
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** What was not begun was no attempt. */
  async release(): Promise<void> {
    await this.judgeRest({ kind: 'released' }).catch((error) =>
      this.ctx.log('warn', 'claims could not be given back', { error: describeError(error) }),
    )
  }

  /** One connection after the other, until nothing is left, or there is no more sense or time in it. */
  private async lane(): Promise<void> {
    let fruitless = 0
    for (let sessions = 0; sessions < MOST_SESSIONS && this.queue.length > 0 && this.bounds.mayBegin(); sessions++) {
      const session = await connectTo(this.ctx, this.target).catch((error: unknown) => whyNoSession(error, this.target))
      if ('code' in session) {
        // Where another connection stands, this relay just wants no second one.
        if (this.open === 0) await this.judgeRest({ kind: 'deferred', reply: session })
        return
      }
      this.opened.resolve()
      const end = await this.serve(session)
      fruitless = end.settled > 0 || !end.closed ? 0 : fruitless + 1
      if (end.closed && fruitless >= MOST_FRUITLESS) await this.judgeRest({ kind: 'deferred', reply: end.closed })
    }
  }

  private async serve(session: Session): Promise<{ settled: number; closed?: StoredReply }> {
    const running = new Map<Transaction, { job: Job; content: Content }>()
    let settled = 0
    const breakOff = () => session.close()
    this.bounds.lost.addEventListener('abort', breakOff)
    this.open++
    try {
      const end = await session.run(
        () => this.next(session, running),
        async (transaction, outcomes) => {
          const run = running.get(transaction)
          running.delete(transaction)
          run?.content.discard()
          if (run) settled += await this.report(run.job, outcomes)
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
      const content = await this.load(job, session)
      if (!content) continue
      if (!this.bounds.mayBegin()) {
        content.discard()
        this.queue.unshift(job)
        return undefined
      }
      const transaction = {
        from: job.from,
        recipients: job.recipients.map((index) => ({ address: held.recipients[index]?.address ?? '' })),
        ...content,
      }
      running.set(transaction, { job, content })
      return transaction
    }
  }

  /** The bytes; undefined where there are none, and then the job is judged by that. */
  private async load({ load, recipients }: Job, session: Session): Promise<Content | undefined> {
    try {
      return await within(this.clock, LOAD_MS, this.read(load, session), 'reading the stored message')
    } catch (error) {
      load.content = undefined
      this.ctx.log('warn', 'a message to relay could not be read', { id: load.held.id, error: describeError(error) })
      const judged: Judged =
        error instanceof Gone ? { kind: 'failed', reason: error.message } : { kind: 'deferred', reply: UNREADABLE }
      await load.judge(new Map(recipients.map((index) => [index, judged])))
      return undefined
    }
  }

  private async read(load: Job['load'], session: Session): Promise<Content> {
    if (load.held.size <= MAX_KEPT_BYTES) {
      load.content ??= loadWhole(this.ctx, load.held)
      return load.content
    }
    const eightBit = session.extensions.eightBit || (await hasEightBit(this.ctx, load.held))
    return loadStream(this.ctx, load.held, eightBit)
  }

  /** Passes on what became of a transaction, and puts back what never had its turn. Answers how many are settled. */
  private async report({ load, recipients, from }: Job, outcomes: RecipientOutcome[]): Promise<number> {
    const judged = new Map<number, Judged>()
    for (const [at, index] of recipients.entries()) {
      const outcome = outcomes[at]
      if (outcome && outcome.kind !== 'not_begun') judged.set(index, judge(outcome, load.target))
    }
    const left = recipients.filter((index) => !judged.has(index))
    if (left.length > 0) this.queue.unshift({ load, recipients: left, from })
    if (judged.size > 0) await load.judge(judged)
    return [...judged.values()].filter(({ kind }) => kind === 'sent' || kind === 'bounced').length
  }

  private async judgeRest(judged: Judged): Promise<void> {
    const jobs = this.queue.splice(0)
    const judging = jobs.map(({ load, recipients }) => load.judge(new Map(recipients.map((index) => [index, judged]))))
    // All of them are waited for, because nothing runs on once the batch has ended.
    const failed = (await Promise.allSettled(judging)).find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }
}

const UNREADABLE = { code: 451, enhanced: '4.3.0', text: 'not sent: the stored message could not be read' }

/** Replies that speak of our login (RFC 4954 section 6, RFC 3207 section 4): a setting is wrong, and no mail is failed for that. */
const ABOUT_US = [530, 534, 535, 538]

function judge(outcome: Exclude<RecipientOutcome, { kind: 'not_begun' }>, target: RelayTarget): Judged {
  if (outcome.kind === 'unknown') return { kind: 'unknown', reason: outcome.reason }
  const { code, text, local } = outcome.reply
  const reply = kept(outcome.reply)
  if (outcome.kind === 'sent') return { kind: 'sent', reply, relay: target.id }
  if (outcome.kind === 'deferred' || ABOUT_US.includes(code)) return { kind: 'deferred', reply }
  return local ? { kind: 'failed', reason: text } : { kind: 'bounced', reply }
}

function kept({ code, enhanced, text }: StoredReply): StoredReply {
  return { code, ...(enhanced ? { enhanced } : {}), text }
}
