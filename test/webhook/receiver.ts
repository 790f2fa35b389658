/** Endpoints for tests: who is called, how he answers, and events to tell him of. */
import { sql } from 'drizzle-orm'
import type { Caller, GuardedAnswer, GuardedRequest } from '../../src/context.ts'
import type { CreateWebhookBody } from '../../src/contract/webhooks.ts'
import { makeChange } from '../../src/store/mail/change.ts'
import { mailOf } from '../../src/store/stores.ts'
import { dispatchAccount, sweepWebhooks } from '../../src/webhook/dispatch.ts'
import { createWebhook } from '../../src/webhook/endpoints.ts'
import type { ReadFull } from '../../src/webhook/payload.ts'
import type { Faults } from '../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'

export type Call = GuardedRequest & { path: string; body: string; payload: Record<string, unknown>; id: string }

type Answer = GuardedAnswer | Promise<GuardedAnswer>

export type Receiver = {
  world: World
  /** Nobody else's, so that a sweep's calls to endpoints of other tests are not taken for ours. */
  port: number
  /** Every call, in the order in which they began. */
  calls: Call[]
  /** How the endpoint at a path answers; the others answer 200. */
  on(path: string, answer: (call: Call) => Answer): void
  /** The most calls in flight at once, by path. */
  most: Map<string, number>
}

let nextPort = 10_000

/** A world whose network leads here. */
export async function makeReceiver(faults?: Faults): Promise<Receiver> {
  const calls: Call[] = []
  const answers = new Map<string, (call: Call) => Answer>()
  const flying = new Map<string, number>()
  const most = new Map<string, number>()
  const port = nextPort++
  const fetch = async (request: GuardedRequest): Promise<GuardedAnswer> => {
    const { pathname: path, port: called } = new URL(request.url)
    if (called !== String(port)) return answered(200)
    const body = request.body ?? ''
    const call = { ...request, path, body, payload: JSON.parse(body), id: request.headers['webhook-id'] ?? '' }
    calls.push(call)
    flying.set(path, (flying.get(path) ?? 0) + 1)
    most.set(path, Math.max(most.get(path) ?? 0, flying.get(path) ?? 0))
    try {
      return await (answers.get(path)?.(call) ?? answered(200, 'ok'))
    } finally {
      flying.set(path, (flying.get(path) ?? 0) - 1)
    }
  }
  const world = await makeWorld({ net: { fetch }, ...(faults ? { faults } : {}) })
  return { world, port, calls, most, on: (path, answer) => void answers.set(path, answer) }
}

export function answered(status: number, body = '', headers: Record<string, string> = {}): GuardedAnswer {
  return { kind: 'answered', status, headers: new Headers(headers), body: new TextEncoder().encode(body) }
}

export const silent: GuardedAnswer = { kind: 'failed', reason: 'no whole answer within 15 s', timeout: true }

/** An account with one endpoint at /hook that asks for mail that came. */
export async function listening(receiver: Receiver, more: Partial<CreateWebhookBody> = {}) {
  const ctx = await makeAccount(receiver.world)
  return { ctx, webhook: await endpointAt(receiver, ctx, '/hook', more) }
}

export async function endpointAt({ port }: Receiver, ctx: Caller, path: string, more: Partial<CreateWebhookBody> = {}) {
  return createWebhook(ctx, { endpoint: `http://127.0.0.1:${port}${path}`, events: ['email.received'], ...more })
}

let tokens = 0

/** Something happens in the account; answers the seq of the last of it. */
export async function happen(ctx: Caller, type = 'email.received', times = 1): Promise<number> {
  const events = Array.from({ length: times }, () => ({ type, message: 'm1', data: { email_id: 'm1' } }))
  const change = { account: ctx.account.number, now: ctx.now(), token: `happened-${tokens++}`, events }
  const changed = await makeChange(mailOf(ctx.stores, ctx.account), change, [])
  if (!changed) throw new Error('nothing happened')
  return changed.seq
}

const needs: { readFull: ReadFull } = { readFull: async () => undefined }

/** All of a wake-up's work, also what goes on after it. */
export async function dispatch(ctx: Caller, readFull = needs.readFull): Promise<void> {
  const pending: Promise<unknown>[] = []
  await dispatchAccount({ ...ctx, later: (work) => void pending.push(work) }, ctx.account, { readFull })
  await Promise.all(pending)
}

export function sweep(ctx: Caller, readFull = needs.readFull): Promise<void> {
  return sweepWebhooks(ctx, { readFull })
}

type Row = Record<string, string | number | null>

export async function rowsOf(ctx: Caller, table: 'webhooks' | 'dispatches' | 'events' | 'counters'): Promise<Row[]> {
  const db = mailOf(ctx.stores, ctx.account)
  return db.all<Row>(sql`SELECT * FROM ${sql.identifier(table)} WHERE account = ${ctx.account.number}`)
}
