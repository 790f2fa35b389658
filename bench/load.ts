/** A load generator: so many requests, so many at a time, over connections that are kept. */
import { Agent, request } from 'node:http'
import { mean, median, quantile } from './statistics.ts'

export type Call = { method: string; path: string; headers?: Record<string, string>; body?: Buffer }

/** What a request cost, as a local copy of ours says with every answer: D1 round trips and rows, R2 operations. */
export type Cost = { trips: number; written: number; read: number; puts: number; gets: number }

export type Reply = { status: number; body: string; ms: number; cost?: Cost }

export type Caller = {
  origin: string
  call(call: Call): Promise<Reply>
  close(): void
}

export type Load = { perSecond: number; p50: number; p95: number; cost?: Cost }

/** Calls one origin; an answer that is no success throws. */
export function callerOf(origin: string, connections: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  return { origin, call: (call) => send(origin, agent, call), close: () => agent.destroy() }
}

/** Makes `count` calls, `atOnce` of them at a time. */
export async function load(caller: Caller, count: number, atOnce: number, make: () => Call): Promise<Load> {
  const replies: Reply[] = []
  let begun = 0
  const started = performance.now()
  const lane = async () => {
    while (begun < count) {
      begun++
      replies.push(await caller.call(make()))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  const seconds = (performance.now() - started) / 1000
  const times = replies.map(({ ms }) => ms)
  return { perSecond: count / seconds, p50: quantile(times, 0.5), p95: quantile(times, 0.95), cost: meanCost(replies) }
}

/** Measures two alternately, so that what slows the machine for a while slows both; the first round of each is not counted. */
export async function sideBySide<T>(
  rounds: number,
  floor: () => Promise<T>,
  ours: () => Promise<T>,
): Promise<{ floor: T; ours: T }[]> {
  await floor()
  await ours()
  const pairs: { floor: T; ours: T }[] = []
  for (let round = 0; round < rounds; round++) pairs.push({ floor: await floor(), ours: await ours() })
  return pairs
}

/** One figure of all rounds: the medians, and the median of the rounds' ratios. */
export function compare<T>(
  pairs: readonly { floor: T; ours: T }[],
  figure: (one: T) => number,
): { floor: number; ours: number; ratio: number } {
  return {
    floor: median(pairs.map(({ floor }) => figure(floor))),
    ours: median(pairs.map(({ ours }) => figure(ours))),
    ratio: median(pairs.map(({ floor, ours }) => figure(ours) / figure(floor))),
  }
}

function send(origin: string, agent: Agent, { method, path, headers = {}, body }: Call): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const started = performance.now()
  const length = body ? { 'content-length': String(body.length) } : {}
  const outgoing = request(origin + path, { method, agent, headers: { ...headers, ...length } }, (incoming) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', reject)
    incoming.on('end', () => {
      const status = incoming.statusCode ?? 0
      const text = Buffer.concat(chunks).toString()
      if (status < 200 || status > 299) {
        reject(new Error(`${method} ${path} answered ${status}: ${text.slice(0, 500)}`))
        return
      }
      const cost = incoming.headers['x-cost']
      const told = typeof cost === 'string' ? { cost: readCost(cost) } : {}
      resolve({ status, body: text, ms: performance.now() - started, ...told })
    })
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

function meanCost(replies: readonly Reply[]): Cost | undefined {
  const costs = replies.flatMap(({ cost }) => cost ?? [])
  if (costs.length === 0) return undefined
  const of = (name: keyof Cost) => mean(costs.map((cost) => cost[name]))
  return { trips: of('trips'), written: of('written'), read: of('read'), puts: of('puts'), gets: of('gets') }
}

function readCost(header: string): Cost {
  const read: unknown = JSON.parse(header)
  const of = (name: string) => Number(Reflect.get(Object(read), name) ?? Number.NaN)
  return { trips: of('trips'), written: of('written'), read: of('read'), puts: of('puts'), gets: of('gets') }
}
