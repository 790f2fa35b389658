/** Whose mail it is. */
import type { Context } from '../context.ts'
import type { Address } from '../mail/address.ts'
import { findTaker } from '../store/directory/addresses.ts'
import type { AccountRef } from '../store/stores.ts'
import { keysOf } from './lookup.ts'

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
