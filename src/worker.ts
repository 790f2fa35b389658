/** The one place where things are wired: bindings become stores, queues and network; events become verbs. */
import { makeKeyring } from './base/seal.ts'
import { type Config, readConfig } from './config.ts'
import type { Context } from './context.ts'
import { makeApp } from './http/app.ts'
import { routes } from './http/routes/all.ts'
import { ambient, laterOn, queueWake, type WakeUp } from './platform/context.ts'
import { guardedNet } from './platform/guarded-fetch.ts'
import { connect } from './platform/sockets.ts'
import { openStores } from './store/stores.ts'
import { newTally } from './store/tally.ts'

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
} satisfies ExportedHandler<Env, WakeUp>

/** Read once in the life of an isolate: settings and keys do not change under it. */
let settled: Promise<{ config: Config; keyring: Context['keyring'] }> | undefined

async function settle(env: Env) {
  const config = readConfig(env)
  return { config, keyring: await makeKeyring(config.SECRET, config.SECRET_PREVIOUS) }
}

async function makeContext(env: Env, execution: ExecutionContext, tally = newTally()): Promise<Context> {
  settled ??= settle(env)
  const { config, keyring } = await settled
  const later = laterOn(execution)
  return {
    ...ambient,
    config,
    keyring,
    stores: openStores(mailDatabases(env), env.RAW, tally),
    requestId: crypto.randomUUID(),
    later,
    wake: queueWake({ outbound: env.OUTBOUND, dispatch: env.DISPATCH }, later),
    net: { connect, ...guardedNet(guardOf(config)) },
  }
}

function guardOf(config: Config) {
  return { local: config.local, ownHosts: [new URL(config.PUBLIC_URL).host], resolver: config.DOH_URL }
}

/** DB, and every further database that is bound as MAIL_2, MAIL_3, … */
function mailDatabases(env: Env): Record<string, D1Database> {
  const further = Object.entries(env).filter(([name]) => /^MAIL_\d+$/.test(name))
  return { DB: env.DB, ...Object.fromEntries(further.map(([name, value]) => [name, asDatabase(value)])) }
}

/** A binding named MAIL_n is a D1 database: the configuration's comment on names says so. */
function asDatabase(binding: unknown): D1Database {
  return binding as D1Database
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
