/** Whose is it: asks the API about every envelope recipient before RCPT is answered. */
import { parseAddress } from '../../mail/address.ts'
import type { Api } from '../api.ts'
import { refusedBy } from './bring-in.ts'
import { Refusal, tryAgain } from './refusal.ts'

/** `ours` comes in through the API; `elsewhere` is caught, where the client may relay. */
export type Route = { to: string; route: 'ours' | 'elsewhere' }

/** RFC 5321 section 4.5.3.2.3 gives a client five minutes of patience; storage that takes longer than this is in trouble. */
const ASK_TIMEOUT = 15_000

/** So many domains are remembered, which only decides how an unknown address is worded. */
const MAX_KNOWN_DOMAINS = 10_000

export type Recipients = {
  /** @throws Refusal where this client may not send to that address, or nobody can say now. */
  route(given: string, mayRelay: boolean, envelope?: Asked): Promise<Route>
}

/** What MAIL FROM said; `size` as its SIZE parameter declared it (RFC 1870). */
export type Asked = { from: string; size?: number }

/** `domain` and `postmaster` are the instance's own; RFC 5321 section 4.5.1 wants a bare `postmaster` to be somebody. */
export function openRecipients(api: Api, own: { key: string; domain: string; postmaster: string }): Recipients {
  const domains = new Set([own.domain])
  const knows = (domain: string) => [...parents(domain)].some((parent) => domains.has(parent))
  return {
    async route(given, mayRelay, envelope = { from: '' }) {
      // The parsed address that is asked about is the one that is used.
      const address = parseAddress(given.toLowerCase() === 'postmaster' ? own.postmaster : given, { literals: true })
      if (!address) throw new Refusal(553, '5.1.3', 'that is not an address')
      const to = address.address
      if (await accepts(api, own.key, to, envelope)) {
        if (domains.size < MAX_KNOWN_DOMAINS) domains.add(address.domain)
        return { to, route: 'ours' }
      }
      if (mayRelay) return { to, route: 'elsewhere' }
      if (knows(address.domain)) throw new Refusal(550, '5.1.1', `<${to}>: no such address here`)
      throw new Refusal(550, '5.7.1', `relaying denied: <${to}> is not an address of ours`)
    },
  }
}

async function accepts(api: Api, key: string, to: string, { from, size }: Asked): Promise<boolean> {
  const query = new URLSearchParams({ to, from, ...(size === undefined ? {} : { size: String(size) }) })
  const answer = await api('GET', `/inbound/recipient?${query}`, { key, timeout: ASK_TIMEOUT }).catch(() => undefined)
  if (answer?.status === 200) return true
  if (answer?.status === 404) return false
  throw answer ? refusedBy(answer, to).refusal : tryAgain()
}

/** The domain itself and every domain above it. */
function* parents(domain: string): Iterable<string> {
  for (let at = 0; at >= 0; at = domain.indexOf('.', at) + 1 || -1) yield domain.slice(at)
}
