/** The senders that a key may use, as its owner writes them and as they are kept. */
import { type Address, addressKey, parseAddress } from '../mail/address.ts'

/** `a@b` as `addressKey` writes it, or `@b` for all of a domain, which may be written `*@b`; undefined where it is neither. */
export function readSender(text: string): string | undefined {
  const at = /^\*?@/.exec(text)
  // A domain is what an address may have behind its at.
  const address = parseAddress(at ? `x@${text.slice(at[0].length)}` : text)
  if (!address) return undefined
  return at ? `@${address.domain}` : addressKey(address)
}

/** Whether one of the senders covers this address, or (`@b`) all of this domain. */
export function covers(senders: readonly string[], sender: string): boolean {
  return senders.includes(sender) || senders.includes(sender.slice(sender.lastIndexOf('@')))
}

/** Whether a key with these senders may use this address. */
export function mayUse(senders: readonly string[] | undefined, address: Address): boolean {
  return senders === undefined || covers(senders, addressKey(address))
}
