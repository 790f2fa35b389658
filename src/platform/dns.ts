/** What the DNS says, by DNS over HTTPS in the JSON form that public resolvers offer beside RFC 8484's. */
import type { Net, Records } from '../context.ts'

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
  const told = await query(url, name, type, fetch)
  if (told.kind === 'trouble') return told
  const addresses = told.records.filter((record) => record.type === type).map((record) => record.data)
  return addresses.length > 0 ? { kind: 'addresses', addresses } : { kind: 'none' }
}

const TYPES = { MX: 15, TXT: 16 } as const
const CNAME = 5

/** Servers follow chains of this length, too; a longer one goes round. */
const MAX_HOPS = 8

/** Makes a look-up of TXT and MX. Nothing is kept: whoever asks has just changed them. */
export function makeLookUp(url: string, tools: { fetch: Fetch }): Net['resolve'] {
  return async (name, type) => {
    let at = name
    for (let hop = 0; hop <= MAX_HOPS; hop++) {
      const told = await query(url, at, TYPES[type], tools.fetch)
      if (told.kind === 'trouble') return told
      const values = told.records.filter((record) => record.type === TYPES[type]).map((record) => record.data)
      if (values.length > 0) return { kind: 'records', values: values.map(type === 'TXT' ? readText : readMx) }
      // A server that follows no CNAME leaves that to whoever asks (RFC 1034 section 5.2.2).
      const alias = told.records.findLast((record) => record.type === CNAME)?.data
      if (alias === undefined) return { kind: 'none' }
      at = alias.replace(/\.$/, '')
    }
    return { kind: 'trouble', reason: 'its aliases go round' }
  }
}

/** The strings of a TXT record joined (RFC 7208 section 3.3), out of master file form where they come so (RFC 1035 section 5.1). */
function readText(data: string): string {
  if (!data.startsWith('"')) return data
  let text = ''
  let inside = false
  for (let at = 0; at < data.length; at++) {
    const character = data[at] ?? ''
    if (character === '"') inside = !inside
    else if (inside && character === '\\') {
      const octet = /^\d{3}/.exec(data.slice(at + 1, at + 4))?.[0]
      text += octet ? String.fromCharCode(Number(octet)) : (data[at + 1] ?? '')
      at += octet ? 3 : 1
    } else if (inside) text += character
  }
  return text
}

/** `10 mx.example.com`: the host in lower case, without the dot at the end. */
function readMx(data: string): string {
  const [priority = '', host = ''] = data.trim().split(/\s+/)
  return `${priority} ${host.toLowerCase().replace(/\.$/, '')}`
}

type Told = { kind: 'told'; records: { type: unknown; data: string }[] } | Extract<Records, { kind: 'trouble' }>

async function query(url: string, name: string, type: number, fetch: Fetch): Promise<Told> {
  const asked = new URL(url)
  asked.searchParams.set('name', name)
  asked.searchParams.set('type', String(type))
  try {
    const answer = await fetch(asked.href, {
      headers: { accept: 'application/dns-json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (answer.status !== 200) return { kind: 'trouble', reason: `the resolver answered ${answer.status}` }
    const text = await answer.text()
    if (text.length > MAX_ANSWER) return { kind: 'trouble', reason: 'the resolver answered too much' }
    return readAnswer(JSON.parse(text))
  } catch {
    return { kind: 'trouble', reason: 'the resolver did not answer' }
  }
}

const NO_ERROR = 0
const NO_SUCH_NAME = 3

function readAnswer(answer: unknown): Told {
  const status = member(answer, 'Status')
  if (status === NO_SUCH_NAME) return { kind: 'told', records: [] }
  if (status !== NO_ERROR) return { kind: 'trouble', reason: `the resolver told of an error (${String(status)})` }
  const records = member(answer, 'Answer')
  const read = (record: unknown) => ({ type: member(record, 'type'), data: String(member(record, 'data')) })
  return { kind: 'told', records: (Array.isArray(records) ? records : []).map(read) }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
