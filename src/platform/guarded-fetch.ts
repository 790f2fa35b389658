/** Calls to URLs that a tenant named: judged by their text, looked up, never redirected, capped in time and size. */
import { concat } from '../base/bytes.ts'
import { type Host, reachOfAddress, readHost } from '../base/host.ts'
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import { faultOfHost, readTarget, type TargetRules } from '../base/target.ts'
import type { GuardedAnswer, GuardedRequest, Net } from '../context.ts'
import { type Fetch, makeLookUp, makeResolver, type Resolve } from './dns.ts'

export type GuardSettings = TargetRules & {
  /** Whom to ask for names (DNS over HTTPS, JSON). */
  readonly resolver: string
}

/** What the guard itself stands on; tests bring their own. */
export type GuardTools = { fetch: Fetch; now: () => number }

const platform: GuardTools = { fetch: (url, init) => fetch(url, init), now: () => Date.now() }

/**
 * Makes the guarded half of the network, and the DNS it asks. A Worker cannot pin an address, so a name that changes between our look-up and
 * the platform's own is left to the platform's block on private addresses.
 */
export function guardedNet(settings: GuardSettings, tools = platform): Pick<Net, 'fetch' | 'checkHost' | 'resolve'> {
  const resolve = resolverOf(settings, tools)
  return {
    fetch: (request) => guardedFetch(request, settings, resolve, tools),
    checkHost: (host) => checkHost(host, settings, resolve),
    resolve: makeLookUp(settings.resolver, tools),
  }
}

/** One resolver for all requests of an isolate, so that its memory serves them all. */
const resolvers = new WeakMap<GuardTools, Map<string, Resolve>>()

function resolverOf(settings: GuardSettings, tools: GuardTools): Resolve {
  const known = resolvers.get(tools) ?? new Map<string, Resolve>()
  resolvers.set(tools, known)
  const resolve = known.get(settings.resolver) ?? makeResolver(settings.resolver, tools)
  known.set(settings.resolver, resolve)
  return resolve
}

async function guardedFetch(
  request: GuardedRequest,
  settings: GuardSettings,
  resolve: Resolve,
  tools: GuardTools,
): Promise<GuardedAnswer> {
  const target = readTarget(request.url, settings)
  if (target.kind === 'refused') return { kind: 'refused', reason: `the URL ${target.reason}` }

  const { url, host } = target
  const control = new AbortController()
  const late = Promise.withResolvers<GuardedAnswer>()
  const timer = setTimeout(() => {
    late.resolve({ kind: 'failed', reason: `no whole answer within ${request.timeoutMs / 1000} s`, timeout: true })
    control.abort()
  }, request.timeoutMs)
  try {
    // Raced, because not everything below heeds the signal.
    return await Promise.race([
      late.promise,
      lookUpAndCall(request, url, host, settings, resolve, tools, control.signal),
    ])
  } finally {
    clearTimeout(timer)
  }
}

async function lookUpAndCall(
  request: GuardedRequest,
  url: URL,
  host: Host,
  settings: GuardSettings,
  resolve: Resolve,
  tools: GuardTools,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const found = await lookUp(host, settings, resolve)
  if (found.kind === 'refused') return { kind: 'refused', reason: `the host ${found.reason}` }
  if (found.kind === 'trouble') return { kind: 'failed', reason: found.reason, timeout: false }
  try {
    const answer = await tools.fetch(url.href, {
      method: request.method,
      headers: request.headers,
      redirect: 'manual',
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    })
    const body = await readUpTo(answer, request.maxBytes)
    return { kind: 'answered', status: answer.status, headers: answer.headers, body }
  } catch (error) {
    return { kind: 'failed', reason: `no answer (${describeError(error).slice(0, 200)})`, timeout: false }
  }
}

/** Takes what fits and hangs up: an endless answer costs no more than a long one. */
async function readUpTo(answer: Response, maxBytes: number): Promise<Uint8Array> {
  if (!answer.body) return new Uint8Array(0)
  const reader = answer.body.getReader()
  const chunks: Uint8Array[] = []
  let left = maxBytes
  while (left > 0) {
    const { done, value } = await reader.read()
    if (done) return concat(chunks)
    chunks.push(value.subarray(0, left))
    left -= value.length
  }
  // Not awaited: a peer could hold us up with it.
  reader.cancel().catch(() => {})
  return concat(chunks)
}

async function checkHost(host: string, settings: GuardSettings, resolve: Resolve): Promise<void> {
  const fault = faultOfHost(host, settings)
  const read = readHost(host)
  if (fault || !read) throw refusal(fault ?? 'is not a host')
  const found = await lookUp(read, settings, resolve)
  if (found.kind === 'refused') throw refusal(found.reason)
  if (found.kind === 'trouble') {
    throw new Problem('service_unavailable', `The host could not be looked up: ${found.reason}.`, { retryAfter: 5 })
  }
}

type Found = { kind: 'public' } | { kind: 'refused'; reason: string } | { kind: 'trouble'; reason: string }

/** Every address that the name has must be public: which of them is taken is not ours to say. */
async function lookUp(host: Host, settings: GuardSettings, resolve: Resolve): Promise<Found> {
  if (host.kind === 'address' || settings.local) return { kind: 'public' }
  const resolved = await resolve(host.text)
  if (resolved.kind === 'trouble') return { kind: 'trouble', reason: resolved.reason }
  if (resolved.kind === 'none') return { kind: 'refused', reason: 'has no address' }
  if (resolved.addresses.some((address) => reachOfAddress(address) !== 'public')) {
    return { kind: 'refused', reason: 'leads to a private address, which may not be called from here' }
  }
  return { kind: 'public' }
}

function refusal(reason: string): Problem {
  return new Problem('validation_error', `Invalid host: it ${reason}.`, { fields: [{ path: 'host', reason }] })
}
