/** Whose mail it is. */
import type { Context } from '../context.ts'
import { type Address, addressKey, splitTag } from '../mail/address.ts'
import { findTaker } from '../store/directory/addresses.ts'
import type { AccountRef } from '../store/stores.ts'

/** The account that takes mail for an envelope recipient, by which address, and the +tag that was written; one read. */
export async function findRecipient(
  ctx: Context,
  recipient: Address,
): Promise<{ account: AccountRef; address: string; tag: string | null } | undefined> {
  const keys = keysOf(recipient)
  const taker = await findTaker(
    ctx.stores,
    keys.map(({ key }) => key),
    ctx.now(),
  )
  if (!taker) return undefined
  return { ...taker, tag: keys.find(({ key }) => key === taker.address)?.tag ?? null }
}

/**
 * The addresses under which one is looked for, in the order in which they count: itself, without its +tag, its domain's
 * wildcard. `tag` is what is told beside the address where that one is found.
 */
export function keysOf(address: Address): { key: string; tag: string | null }[] {
  const split = splitTag(address.local)
  const tag = split?.tag ?? null
  const base = split ? [{ key: addressKey({ ...address, local: split.base }), tag }] : []
  return [{ key: addressKey(address), tag: null }, ...base, { key: `*@${address.domain}`, tag }]
}
