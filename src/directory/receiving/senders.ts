/** Patterns of senders, for the lists of whom an address takes mail from. */
import { type Address, addressKey, parseAddress, splitTag } from '../../mail/address.ts'

/** A pattern in its one spelling: `a@b`, `@b` for a domain, `@*.b` for its sub-domains; undefined where it is none. */
export function senderPattern(text: string): string | undefined {
  const bare = text.startsWith('*@') ? text.slice(1) : text
  if (bare.startsWith('@*.')) return domainPattern('@*.', bare.slice(3))
  if (bare.startsWith('@')) return domainPattern('@', bare.slice(1))
  const address = parseAddress(bare)
  return address && addressKey(address)
}

/** Every pattern that names the address: itself, without its +tag, its domain, and the sub-domains it lies in. */
export function patternsOf(address: Address): string[] {
  const split = splitTag(address.local)
  const base = split ? [addressKey({ ...address, local: split.base })] : []
  return [addressKey(address), ...base, `@${address.domain}`, ...parentsOf(address.domain).map((name) => `@*.${name}`)]
}

/** The domains above a domain, the nearest first, down to those of two labels. */
export function parentsOf(domain: string): string[] {
  const labels = domain.split('.')
  return labels.slice(1, -1).map((_, at) => labels.slice(at + 1).join('.'))
}

function domainPattern(prefix: string, text: string): string | undefined {
  const domain = parseAddress(`x@${text}`)?.domain
  return domain && `${prefix}${domain}`
}
