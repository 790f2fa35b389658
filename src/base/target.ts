/** Which URLs that a tenant named may be called at all, by their text alone: the part of the guard that needs no network. */
import { type Host, readHost, readUrlHost } from './host.ts'

export type TargetRules = {
  /** A laptop's copy: plain http and loopback are allowed, nothing else changes. */
  readonly local: boolean
  /** Where we are reached ourselves, each as `URL.host` shows it: a call to us by us could go round for ever. */
  readonly ownHosts: readonly string[]
}

export type Target = { kind: 'allowed'; url: URL; host: Host } | { kind: 'refused'; reason: string }

/** Longer URLs are refused by many servers, and none of ours is. */
export const MAX_URL = 2048

/** Ports above 1023 on which something else than HTTP listens and might take our words for commands. */
const OTHER_PORTS = new Set([
  1433, 1521, 2049, 2375, 2379, 2525, 3306, 3389, 4190, 5060, 5061, 5432, 5900, 5984, 6000, 6379, 6443, 6665, 6666,
  6667, 6668, 6669, 6697, 9042, 9092, 9200, 9300, 10080, 10250, 11211, 27017,
])

/** Judges a URL. A name that is allowed here must still be looked up, because it may lead inside. */
export function readTarget(text: string, rules: TargetRules): Target {
  if (text.length > MAX_URL) return refused(`is longer than ${MAX_URL} characters`)
  if (!URL.canParse(text)) return refused('is not a URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(rules.local && url.protocol === 'http:')) {
    return refused(rules.local ? 'must begin with http:// or https://' : 'must begin with https://')
  }
  if (url.username !== '' || url.password !== '') return refused('must not hold a user name or password')
  const host = readUrlHost(url.hostname)
  if (!host) return refused('names no host')
  const fault = faultOfReach(host, rules)
  if (fault) return refused(fault)
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  if ((port < 1024 && port !== 80 && port !== 443) || OTHER_PORTS.has(port)) {
    return refused(`names port ${port}, where HTTP is not spoken`)
  }
  if (isOwn(host, port, rules)) return refused('names this service itself')
  return { kind: 'allowed', url, host }
}

/** What is wrong with a host on its own, such as a relay's; undefined where nothing is. */
export function faultOfHost(written: string, rules: Pick<TargetRules, 'local'>): string | undefined {
  const host = readHost(written)
  return host ? faultOfReach(host, rules) : 'is not a host'
}

function faultOfReach(host: Host, { local }: Pick<TargetRules, 'local'>): string | undefined {
  if (host.reach === 'public' || (local && host.reach === 'loopback')) return undefined
  return `leads to a ${host.reach} host, which may not be called from here`
}

/** On a laptop all that differs is the port: our own and an endpoint's host are both loopback. */
function isOwn(host: Host, port: number, { local, ownHosts }: TargetRules): boolean {
  return ownHosts.some((own) => {
    const url = new URL(`http://${own}/`)
    const ours = readUrlHost(url.hostname)
    if (!local) return ours?.text === host.text
    return ours?.reach === host.reach && (Number(url.port) || 80) === port
  })
}

function refused(reason: string): Target {
  return { kind: 'refused', reason }
}
