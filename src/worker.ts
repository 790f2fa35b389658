/** The one place where things are wired: bindings become stores, queues and network; events become verbs. */
import { describeError } from './base/log.ts'
import { Problem, type ProblemCode } from './base/problem.ts'
import { makeKeyring } from './base/seal.ts'
import { type Config, readConfig } from './config.ts'
import type { Context } from './context.ts'
import { sweepMoving } from './directory/moving/sweep.ts'
import { sweepDirectory } from './directory/sweep.ts'
import { takeCloudflareEvents } from './feedback/cloudflare.ts'
import { sweepFeedback } from './feedback/sweep.ts'
import { makeApp } from './http/app.ts'
import { routes } from './http/routes/all.ts'
import { readFull } from './mailbox/full.ts'
import { sweepSearch } from './mailbox/search/sweep.ts'
import { sweepMailbox } from './mailbox/sweep.ts'
import { ambient, laterOn, queueWake, type WakeUp } from './platform/context.ts'
import { sendEmailBy } from './platform/email.ts'
import { guardedNet } from './platform/guarded-fetch.ts'
import { connect } from './platform/sockets.ts'
import { receive } from './reception/receive.ts'
import { sweepRuleRuns } from './reception/rules/sweep.ts'
import { relayBatch } from './relay/relay.ts'
import { sweepRelay } from './relay/sweep.ts'
import { type AccountRef, openStores } from './store/stores.ts'
import { newTally, type Tally } from './store/tally.ts'
import { sweepOwed } from './submission/owed/sweep.ts'
import { sweepScheduled } from './submission/scheduled/release.ts'
import { dispatchAccounts, sweepWebhooks } from './webhook/dispatch.ts'

type Env = {
  DB: D1Database
  RAW: R2Bucket
  OUTBOUND: Queue<WakeUp>
  DISPATCH: Queue<WakeUp>
} & Record<string, unknown>

const app = makeApp(routes)

export default {
  async fetch(request: Request, env: Env, execution: ExecutionContext): Promise<Response> {
    const tally = newTally()
    const ctx = await makeContext(env, execution, tally)
    if (ctx.config.local && !isLoopback(new URL(request.url).hostname)) {
      return new Response('A local copy answers loopback host names only.\n', { status: 403 })
    }
    const answer = await app.fetch(request, { ctx })
    if (ctx.config.local) answer.headers.set('x-cost', JSON.stringify(tally))
    return answer
  },

  /** Cloudflare's own door. What is thrown is a temporary failure to the sender, who tries again; a rejection is for good. */
  async email(message: ForwardableEmailMessage, env: Env, execution: ExecutionContext): Promise<void> {
    const ctx = await makeContext(env, execution)
    const { from, to, rawSize: size, raw } = message
    try {
      await receive(ctx, { door: 'email', from, to, size, raw })
    } catch (error) {
      if (!(error instanceof Problem) || !REFUSED_FOR_GOOD.has(error.code)) throw error
      message.setReject(error.message)
    }
  },

  async queue(batch: MessageBatch<WakeUp>, env: Env, execution: ExecutionContext): Promise<void> {
    const ctx = await makeContext(env, execution)
    if (batch.queue === EMAIL_EVENTS) return takeCloudflareEvents(ctx, bodiesOf(batch))
    const wakeUps = batch.messages.map((message) => message.body)
    if (batch.queue === OUTBOUND) {
      await Promise.all([relayBatch(ctx, wakeUps), wakeUps.some(({ owed }) => owed) && takeUp(ctx, OWED)])
    } else await dispatchAccounts(ctx, accountsOf(wakeUps), { readFull })
  },

  /** The sweep: each stage finds in its rows what is owed; trouble in one holds up no other. */
  async scheduled(_event: ScheduledController, env: Env, execution: ExecutionContext): Promise<void> {
    const ctx = await makeContext(env, execution)
    await takeUp(ctx, SWEEPS)
  },
} satisfies ExportedHandler<Env, WakeUp>

/** The queue of deliveries; the other one tells webhooks. */
const OUTBOUND = 'pochta-outbound'

/** What the platform's mail service tells of mail it took from us; nobody of us writes to it. */
const EMAIL_EVENTS = 'pochta-email-events'

/** What no later try would change. All else may be trouble of ours. */
const REFUSED_FOR_GOOD: ReadonlySet<ProblemCode> = new Set(['not_found', 'payload_too_large', 'message_refused'])

type Sweeps = Record<string, (ctx: Context) => Promise<void>>

/** What is taken up at once where somebody woke us for tasks; the sweep takes it up too. */
const OWED: Sweeps = {
  moving: sweepMoving,
  rules: sweepRuleRuns,
  feedback: sweepFeedback,
  owed: sweepOwed,
}

const SWEEPS: Sweeps = {
  ...OWED,
  scheduled: sweepScheduled,
  relay: sweepRelay,
  webhooks: (ctx) => sweepWebhooks(ctx, { readFull }),
  directory: sweepDirectory,
  mailbox: sweepMailbox,
  search: sweepSearch,
}

async function takeUp(ctx: Context, sweeps: Sweeps): Promise<void> {
  await Promise.all(
    Object.entries(sweeps).map(([stage, sweep]) =>
      sweep(ctx).catch((error) => ctx.log('error', 'a sweep failed', { stage, error: describeError(error) })),
    ),
  )
}

/** Other than those of our own queues, these are of a shape that somebody else decides. */
function bodiesOf(batch: MessageBatch<unknown>): unknown[] {
  return batch.messages.map(({ body }) => body)
}

/** Each account once, however often it was woken. */
function accountsOf(wakeUps: WakeUp[]): AccountRef[] {
  return [...new Map(wakeUps.map(({ account }) => [account.number, account])).values()]
}

/** Read once in the life of an isolate: settings and keys do not change under it. */
let settled: Promise<{ config: Config; keyring: Context['keyring'] }> | undefined

async function settle(env: Env) {
  const config = readConfig(env)
  return { config, keyring: await makeKeyring(config.SECRET, config.SECRET_PREVIOUS) }
}

async function makeContext(env: Env, execution: ExecutionContext, tally?: Tally): Promise<Context> {
  settled ??= settle(env)
  const { config, keyring } = await settled
  const later = laterOn(execution)
  return {
    ...ambient,
    config,
    keyring,
    stores: openStores(databases(env), env.RAW, config.local ? tally : undefined),
    requestId: crypto.randomUUID(),
    later,
    wake: queueWake({ outbound: env.OUTBOUND, dispatch: env.DISPATCH }, later),
    net: { connect, ...guardedNet(guardOf(config)), ...sendEmailBy(env.EMAIL) },
  }
}

function guardOf(config: Config) {
  return { local: config.local, ownHosts: [new URL(config.PUBLIC_URL).host], resolver: config.DOH_URL }
}

/** DB, every further database that is bound as MAIL_2, MAIL_3, …, and the search indexes: SEARCH, SEARCH_2, … */
function databases(env: Env): Record<string, D1Database> {
  const further = Object.entries(env).filter(([name]) => /^(MAIL_\d+|SEARCH(_\d+)?)$/.test(name))
  return { DB: env.DB, ...Object.fromEntries(further.map(([name, value]) => [name, asDatabase(value)])) }
}

/** A binding named MAIL_n or SEARCH is a D1 database: the configuration's comment on names says so. */
function asDatabase(binding: unknown): D1Database {
  return binding as D1Database
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
