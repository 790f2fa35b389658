/** Hands messages to the platform's own service: no connection, one call for each recipient, and its codes for replies. */
import { describeError } from '../../base/log.ts'
import type { Context, EmailAnswer } from '../../context.ts'
import type { CloudflareTarget } from '../../directory/relays/next-hop.ts'
import type { Clock } from '../../smtp/pipe.ts'
import { within } from '../../smtp/pipe.ts'
import type { StoredReply } from '../../store/mail/shapes.ts'
import { insertHanded } from '../../store/relays/handed.ts'
import { loadWhole } from '../body.ts'
import type { Bounds, Outlet, Station } from '../dispatch.ts'
import type { Judged } from '../judge.ts'
import { alike, type Job } from '../load.ts'
import { fromOf } from '../next-hop.ts'
import { MAX_BYTES, prepareMail } from './cloudflare-mail.ts'
import { clockOf } from './connection.ts'
import { fetchContent } from './fetch.ts'
import { Pace } from './pace.ts'

/** Calls at a time: each may be one of the platform's six connections. */
const LANES = 2

/** A call that takes longer leaves open what became of the mail. */
const CALL_MS = 60_000

/** Past the rate, it asks for patience without saying how much. */
const RATE_REST_MS = 60_000

/** Ours, and no mail of another sender's domain has to suffer from it. */
const SENDER_CODES = ['E_SENDER_NOT_VERIFIED', 'E_SENDER_DOMAIN_NOT_AVAILABLE', 'E_RECIPIENT_NOT_ALLOWED']

/** What it does not take of this mail, although we looked at it before. */
const UNFIT_CODES = /^E_(?:VALIDATION_ERROR|FIELD_MISSING|TOO_MANY_\w+|CONTENT_TOO_LARGE|HEADER_\w+|HEADERS_TOO_\w+)$/

export class CloudflareStation implements Station {
  private readonly ctx: Context
  private readonly target: CloudflareTarget
  private readonly bounds: Bounds
  private readonly outlet: Outlet
  private readonly clock: Clock
  private readonly pace: Pace
  private readonly queue: Job[] = []
  private readonly lanes = new Set<Promise<void>>()
  /** Something of ours broke: what is left is given back. */
  private stopped = false

  constructor(ctx: Context, target: CloudflareTarget, bounds: Bounds, outlet: Outlet) {
    this.ctx = ctx
    this.target = target
    this.bounds = bounds
    this.outlet = outlet
    this.clock = clockOf(ctx)
    this.pace = new Pace(ctx, this.clock, target)
  }

  add(jobs: Job[]): void {
    this.queue.push(...jobs)
    while (this.lanes.size < Math.min(LANES, this.queue.length)) this.begin()
  }

  async rest(): Promise<void> {
    while (this.lanes.size > 0) await Promise.race(this.lanes)
  }

  async close(): Promise<Job[]> {
    return this.queue.splice(0)
  }

  private begin(): void {
    const lane = this.bounds.gate
      .pass(() => this.lane())
      .catch((error) => {
        this.stopped = true
        this.ctx.log('error', 'handing over to a relay stopped', {
          relay: this.target.id,
          error: describeError(error),
        })
      })
      .finally(() => {
        this.lanes.delete(lane)
        // What was added while the last lane was coming to its end.
        if (!this.stopped && this.queue.length > 0 && this.bounds.mayBegin()) this.begin()
      })
    this.lanes.add(lane)
  }

  private async lane(): Promise<void> {
    for (;;) {
      const job = this.bounds.mayBegin() ? this.queue.shift() : undefined
      if (!job) return
      if (this.bounds.recorder.isLost(job.load.held)) continue
      const later = await this.pace.turn(1, this.queue.length)
      if (later) return this.postpone([job, ...this.queue.splice(0)], later.due)
      await this.handOver(job)
    }
  }

  private async handOver(job: Job): Promise<void> {
    const { load, recipients, errand } = job
    const [index = 0] = recipients
    const raw = await this.readied(job)
    if (!raw) return
    if (!('raw' in raw))
      return this.outlet.passOn([{ ...errand, recipients }], { kind: 'failed', reason: `not sent: ${raw.fault}` })
    const { held } = load
    const from = fromOf(held)
    const to = held.recipients[index]?.address ?? ''
    const answer = await this.call({ from: from ? `${from.local}@${from.domain}` : held.sender, to, raw: raw.raw })
    if (answer.kind === 'taken') {
      await this.remember(job, answer.id)
      const reply = { code: 250, enhanced: '2.0.0', text: `taken by Cloudflare as ${answer.id}` }
      await load.judge(alike(recipients, { kind: 'sent', reply, relay: this.target.id }))
      return this.outlet.worked(this.target)
    }
    if (answer.kind === 'unknown') return load.judge(alike(recipients, answer))
    await this.refused(job, answer)
  }

  private async readied(job: Job): Promise<ReturnType<typeof prepareMail> | undefined> {
    const { held } = job.load
    if (held.size > MAX_BYTES) return prepareMail(new Uint8Array(held.size))
    job.load.content ??= loadWhole(this.ctx, held)
    const content = await fetchContent(this.ctx, this.clock, job, true)
    const body = content?.body()
    return (
      body && prepareMail(body instanceof Uint8Array ? body : new Uint8Array(await new Response(body).arrayBuffer()))
    )
  }

  private async call(mail: {
    from: string
    to: string
    raw: Uint8Array
  }): Promise<EmailAnswer | Extract<Judged, { kind: 'unknown' }>> {
    const { sendEmail } = this.ctx.net
    if (!sendEmail) return { kind: 'refused', code: 'E_NO_BINDING', message: 'no send_email binding named EMAIL' }
    return within(this.clock, CALL_MS, sendEmail(mail), 'handing over to Cloudflare').catch((error: unknown) => ({
      kind: 'unknown' as const,
      reason: error instanceof Error ? error.message : 'no answer',
    }))
  }

  /** Its codes say that it did not take the mail; most of them that no other try would change that here. */
  private async refused(job: Job, { code, message }: Extract<EmailAnswer, { kind: 'refused' }>): Promise<void> {
    const { load, recipients, errand } = job
    const text = `Cloudflare: ${code} ${message}`.trim()
    const reply = (number: number, enhanced: string): StoredReply => ({ code: number, enhanced, text })
    if (code === 'E_RECIPIENT_SUPPRESSED') {
      return load.judge(alike(recipients, { kind: 'bounced', reply: reply(550, '5.7.1') }))
    }
    if (code === 'E_RATE_LIMIT_EXCEEDED') {
      return this.postpone([job, ...this.queue.splice(0)], this.ctx.now() + RATE_REST_MS)
    }
    if (UNFIT_CODES.test(code))
      return this.outlet.passOn([{ ...errand, recipients }], { kind: 'failed', reason: `not sent: ${text}` })
    if (SENDER_CODES.includes(code)) {
      return this.outlet.passOn([{ ...errand, recipients }], { kind: 'deferred', reply: reply(451, '4.3.5') })
    }
    // Trouble inside it leaves open how far the mail came.
    if (code === 'E_INTERNAL_SERVER_ERROR') return load.judge(alike(recipients, { kind: 'unknown', reason: text }))
    if (code === 'E_DELIVERY_FAILED') {
      return load.judge(alike(recipients, { kind: 'deferred', reply: reply(451, '4.4.0') }))
    }
    await this.fail([job, ...this.queue.splice(0)], reply(451, '4.3.5'))
  }

  private async fail(jobs: Job[], reply: StoredReply): Promise<void> {
    await this.outlet.failed(this.target, reply)
    await this.outlet.passOn(
      jobs.map(({ errand, recipients }) => ({ ...errand, recipients })),
      { kind: 'deferred', reply },
    )
  }

  private async postpone(jobs: Job[], due: number): Promise<void> {
    const step = this.target.interval ?? 0
    const judged = jobs.map(({ load, recipients }, at) =>
      load.judge(alike(recipients, { kind: 'postponed', due: Math.ceil(due + at * step) })),
    )
    const failed = (await Promise.allSettled(judged)).find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** By its own id alone the service tells later what became of it. Lost, we only learn less. */
  private async remember({ load, recipients: [recipient = 0] }: Job, id: string): Promise<void> {
    if (id === '') return
    const { account, id: message } = load.held
    this.bounds.recorder.count(1)
    await insertHanded(this.ctx.stores, { id, account: account.number, message, recipient, at: this.ctx.now() }).catch(
      (error) => this.ctx.log('warn', 'the id of a handed mail was lost', { error: describeError(error) }),
    )
  }
}
