/** Names to addresses by DNS over HTTPS, in the JSON form that public resolvers offer beside RFC 8484's. */

export type Resolved =
  | { kind: 'addresses'; addresses: string[] }
  /** The name does not exist, or has no address. */
  | { kind: 'none' }
  /** No resolver answered: nothing is known. */
  | { kind: 'trouble'; reason: string }

export type Resolve = (name: string) => Promise<Resolved>

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>

/** A resolver answers in milliseconds; the call that waits for it has a limit of its own. */
const TIMEOUT_MS = 5000

/** A name's addresses fit a few packets; this is an answer that means harm. */
const MAX_ANSWER = 64 * 1024

/** So long an answer is used again: many events go to one host. */
const KEEP_MS = 60_000

/** So that many names cannot fill the memory. */
const MOST_KEPT = 1000

const A = 1
const AAAA = 28

/** Makes a resolver that asks `url` for A and AAAA. CNAMEs are followed by the server, which tells the whole chain. */
export function makeResolver(url: string, tools: { fetch: Fetch; now: () => number }): Resolve {
  const kept = new Map<string, { until: number; resolved: Resolved }>()
  return async (name) => {
    const held = kept.get(name)
    if (held && held.until > tools.now()) return held.resolved
    const [four, six] = await Promise.all([ask(url, name, A, tools.fetch), ask(url, name, AAAA, tools.fetch)])
    const resolved = merge(four, six)
    if (resolved.kind === 'trouble') return resolved
    if (kept.size >= MOST_KEPT) kept.clear()
    kept.set(name, { until: tools.now() + KEEP_MS, resolved })
    return resolved
  }
}

/** Half an answer is none: the half that is missing might lead inside. */
function merge(four: Resolved, six: Resolved): Resolved {
  if (four.kind === 'trouble') return four
  if (six.kind === 'trouble') return six
  const addresses = [four, six].flatMap((part) => (part.kind === 'addresses' ? part.addresses : []))
  return addresses.length > 0 ? { kind: 'addresses', addresses } : { kind: 'none' }
}

async function ask(url: string, name: string, type: number, fetch: Fetch): Promise<Resolved> {
  const query = new URL(url)
  query.searchParams.set('name', name)
  query.searchParams.set('type', String(type))
  try {
    const answer = await fetch(query.href, {
      headers: { accept: 'application/dns-json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (answer.status !== 200) return { kind: 'trouble', reason: `the resolver answered ${answer.status}` }
    const text = await answer.text()
    if (text.length > MAX_ANSWER) return { kind: 'trouble', reason: 'the resolver answered too much' }
    return readAnswer(JSON.parse(text), type)
  } catch {
    return { kind: 'trouble', reason: 'the resolver did not answer' }
  }
}

const NO_ERROR = 0
const NO_SUCH_NAME = 3

function readAnswer(answer: unknown, type: number): Resolved {
  const status = member(answer, 'Status')
  if (status === NO_SUCH_NAME) return { kind: 'none' }
  if (status !== NO_ERROR) return { kind: 'trouble', reason: `the resolver told of an error (${String(status)})` }
  const records = member(answer, 'Answer')
  const addresses = (Array.isArray(records) ? records : [])
    .filter((record) => member(record, 'type') === type)
    .map((record) => String(member(record, 'data')))
  return addresses.length > 0 ? { kind: 'addresses', addresses } : { kind: 'none' }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
