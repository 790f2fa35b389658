/** The addresses under which one is looked for: itself, without its +tag, and its domain's wildcard. */
import { type Address, addressKey, splitTag } from '../mail/address.ts'

/** In the order in which they count. `tag` is what is told beside the address where that one is found. */
export function keysOf(address: Address): { key: string; tag: string | null }[] {
  const split = splitTag(address.local)
  const tag = split?.tag ?? null
  const base = split ? [{ key: addressKey({ ...address, local: split.base }), tag }] : []
  return [{ key: addressKey(address), tag: null }, ...base, { key: `*@${address.domain}`, tag }]
}
