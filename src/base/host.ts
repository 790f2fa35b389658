/** Whose a host is, by its spelling alone: what the guard over outbound calls and relays decides by. No lookup is made here. */

/** Where an address or a name leads. Only `public` may be called; `loopback` may be on a laptop. */
export type Reach = 'public' | 'loopback' | 'private'

export type Host =
  | { kind: 'address'; text: string; reach: Reach }
  /** In lower case, in punycode, without the dot at the end. Its reach is known only where the name itself tells. */
  | { kind: 'name'; text: string; reach: Reach }

/** RFC 1035 section 2.3.4, and room for an address in brackets. */
const MAX_HOST = 255

/**
 * Reads a host as a URL does (RFC 3986 with the WHATWG's IPv4 forms: decimal, octal, hexadecimal, one to four parts),
 * so that every spelling of an address is known for what it is; undefined where it is no host.
 */
export function readHost(written: string): Host | undefined {
  if (written === '' || written.length > MAX_HOST || /[\s/\\?#@%\0-\x1f]/.test(written)) return undefined
  const bracketed = written.includes(':') && !written.startsWith('[') ? `[${written}]` : written
  // A port would be cut off unseen, so that only the brackets of an IPv6 address may hold a colon.
  if (bracketed.startsWith('[') ? !bracketed.endsWith(']') : bracketed.includes(':')) return undefined
  if (!URL.canParse(`http://${bracketed}/`)) return undefined
  return readUrlHost(new URL(`http://${bracketed}/`).hostname)
}

/** The same of what `URL.hostname` gave. */
export function readUrlHost(hostname: string): Host | undefined {
  if (hostname.startsWith('[')) {
    const groups = ipv6Groups(hostname.slice(1, -1))
    return groups && { kind: 'address', text: hostname.slice(1, -1), reach: reachOfIpv6(groups) }
  }
  const text = hostname.toLowerCase().replace(/\.$/, '')
  const octets = ipv4Octets(text)
  if (octets) return { kind: 'address', text, reach: reachOfIpv4(octets) }
  const labels = text.split('.')
  if (labels.some((label) => label === '' || label.length > 63)) return undefined
  return { kind: 'name', text, reach: reachOfName(text, labels) }
}

/** The reach of an address as DNS gives it; undefined where the text is none. */
export function reachOfAddress(text: string): Reach | undefined {
  const octets = ipv4Octets(text)
  if (octets) return reachOfIpv4(octets)
  const groups = ipv6Groups(text.toLowerCase())
  return groups && reachOfIpv6(groups)
}

/** Names that lead inside by convention or by standard, whatever a resolver says (RFC 6761, RFC 6762, RFC 8375, RFC 9476). */
const INNER_NAMES = new Set([
  'local',
  'localdomain',
  'internal',
  'intranet',
  'lan',
  'home',
  'corp',
  'private',
  'home.arpa',
  'test',
  'example',
  'invalid',
  'onion',
  'alt',
])

function reachOfName(text: string, labels: string[]): Reach {
  if (labels.at(-1) === 'localhost' || text === 'localhost.localdomain') return 'loopback'
  // A name of one label is looked up inside, or is a bare top level domain: no endpoint of a customer is either.
  if (labels.length === 1) return 'private'
  if (INNER_NAMES.has(labels.at(-1) ?? '') || INNER_NAMES.has(labels.slice(-2).join('.'))) return 'private'
  return 'public'
}

/** What no stranger's endpoint has (IANA's IPv4 special-purpose registry), and the clouds' metadata addresses outside of it. */
const INNER_IPV4: readonly (readonly [octets: readonly [number, number, number, number], bits: number])[] = [
  [[0, 0, 0, 0], 8], // This network.
  [[10, 0, 0, 0], 8],
  [[100, 64, 0, 0], 10], // Shared by carriers; 100.100.100.200 is Alibaba's metadata.
  [[168, 63, 129, 16], 32], // Azure's host, public by its number only.
  [[169, 254, 0, 0], 16], // Link-local; 169.254.169.254 is everybody's metadata.
  [[172, 16, 0, 0], 12],
  [[192, 0, 0, 0], 24], // Protocols; 192.0.0.192 is Oracle's metadata.
  [[192, 0, 2, 0], 24], // Documentation.
  [[192, 88, 99, 0], 24], // 6to4 relays.
  [[192, 168, 0, 0], 16],
  [[198, 18, 0, 0], 15], // Benchmarks.
  [[198, 51, 100, 0], 24], // Documentation.
  [[203, 0, 113, 0], 24], // Documentation.
  [[224, 0, 0, 0], 4], // Multicast.
  [[240, 0, 0, 0], 4], // Reserved, and broadcast.
]

function reachOfIpv4(octets: readonly number[]): Reach {
  if (octets[0] === 127) return 'loopback'
  const number = asNumber(octets)
  const inner = INNER_IPV4.some(([network, bits]) => {
    const size = 2 ** (32 - bits)
    return Math.floor(number / size) === Math.floor(asNumber(network) / size)
  })
  return inner ? 'private' : 'public'
}

/** Only 2000::/3 is global unicast (RFC 4291 section 2.4); inside it and outside, an IPv4 address may be wrapped. */
function reachOfIpv6(groups: readonly number[]): Reach {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  const tail = [g >> 8, g & 255, h >> 8, h & 255]
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0) {
    if (f === 0 && g === 0 && h === 1) return 'loopback'
    if (f === 0 && g === 0 && h === 0) return 'private'
    // IPv4-mapped and, long deprecated, IPv4-compatible (RFC 4291 section 2.5.5).
    if (f === 0xffff || f === 0) return reachOfIpv4(tail)
  }
  // IPv4-translated (RFC 2765 section 2.1), and NAT64's well-known prefix (RFC 6052 section 2.1).
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0xffff && f === 0) return reachOfIpv4(tail)
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return reachOfIpv4(tail)
  if (a < 0x2000 || a > 0x3fff) return 'private'
  if (a === 0x2001 && b < 0x200) return 'private' // Protocols, Teredo, ORCHID (RFC 2928).
  if (a === 0x2001 && b === 0xdb8) return 'private' // Documentation.
  if (a === 0x3fff && b < 0x1000) return 'private' // Documentation (RFC 9637).
  if (a === 0x2002) return reachOfIpv4([b >> 8, b & 255, c >> 8, c & 255]) // 6to4.
  // ISATAP (RFC 5214 section 6.1).
  if ((e === 0 || e === 0x200) && f === 0x5efe) return reachOfIpv4(tail)
  return 'public'
}

function ipv4Octets(text: string): number[] | undefined {
  if (!/^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(text)) return undefined
  const octets = text.split('.').map(Number)
  return octets.every((octet) => octet <= 255) ? octets : undefined
}

/** The eight groups of an IPv6 address in any of its text forms (RFC 4291 section 2.2). */
function ipv6Groups(text: string): number[] | undefined {
  const [head = '', rest, more] = text.split('::')
  if (more !== undefined) return undefined
  const before = groupsOf(head)
  const after = rest === undefined ? [] : groupsOf(rest)
  if (!before || !after) return undefined
  const missing = 8 - before.length - after.length
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined
  return [...before, ...new Array<number>(missing).fill(0), ...after]
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const words = text.split(':')
  for (const [at, word] of words.entries()) {
    const octets = at === words.length - 1 ? ipv4Octets(word) : undefined
    if (octets) {
      const [a = 0, b = 0, c = 0, d = 0] = octets
      groups.push(a * 256 + b, c * 256 + d)
    } else if (/^[0-9a-f]{1,4}$/i.test(word)) {
      groups.push(Number.parseInt(word, 16))
    } else return undefined
  }
  return groups
}

function asNumber(octets: readonly number[]): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}
