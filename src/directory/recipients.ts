/** Whose mail it is. */
import type { Context } from '../context.ts'
import { type Address, addressKey, splitTag } from '../mail/address.ts'
import { findTakers, type Taker } from '../store/receiving/takers.ts'
import type { AccountRef } from '../store/stores.ts'
import { parentsOf } from './receiving/senders.ts'

/** Which of our addresses takes mail for an envelope recipient, and the +tag that was written. */
export type Found = {
  account: AccountRef
  address: string
  tag: string | null
  written: Taker
  /** Where copies are stored: the address itself, or those it is an alias of; none where all of these are gone. */
  places: Taker[]
}

/** The account that takes mail for an envelope recipient, with what decides about it; one read. */
export async function findRecipient(ctx: Context, recipient: Address): Promise<Found | undefined> {
  const keys = keysOf(recipient)
  const takers = await findTakers(
    ctx.stores,
    keys.map(({ key }) => key),
    [recipient.domain, ...parentsOf(recipient.domain)],
    ctx.now(),
  )
  if (!takers) return undefined
  const { written, aliases, isAlias } = takers
  const { account, address } = written
  const tag = keys.find(({ key }) => key === address)?.tag ?? null
  return { account, address, tag, written, places: isAlias ? aliases : [written] }
}

/**
 * The addresses under which one is looked for, in the order in which they count: itself, without its +tag, its domain's
 * wildcard, the wildcards of the domains above it. `tag` is what is told beside the address where that one is found.
 */
export function keysOf(address: Address): { key: string; tag: string | null }[] {
  const split = splitTag(address.local)
  const tag = split?.tag ?? null
  const base = split ? [{ key: addressKey({ ...address, local: split.base }), tag }] : []
  const above = parentsOf(address.domain).map((domain) => ({ key: `*@*.${domain}`, tag }))
  return [{ key: addressKey(address), tag: null }, ...base, { key: `*@${address.domain}`, tag }, ...above]
}
