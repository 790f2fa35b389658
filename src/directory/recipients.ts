/** Whose mail an envelope recipient is: the address as written, then without its +tag, then the domain's wildcard. */
import type { Context } from '../context.ts'
import { type Address, addressKey, splitTag } from '../mail/address.ts'
import { findAddressOwner } from '../store/directory/addresses.ts'
import type { AccountRef } from '../store/stores.ts'

export type FoundRecipient = { account: AccountRef; address: string; tag: string | null }

/** Finds the owner of an envelope recipient in one read; undefined where nobody takes its mail. */
export async function findRecipient(ctx: Context, recipient: Address): Promise<FoundRecipient | undefined> {
  const exact = addressKey(recipient)
  const split = splitTag(recipient.local)
  const base = split && addressKey({ ...recipient, local: split.base })
  const wildcard = `*@${recipient.domain}`
  const found = await findAddressOwner(ctx.stores, [exact, ...(base ? [base] : []), wildcard], ctx.now())
  return found && { ...found, tag: split && found.address === base ? split.tag : null }
}
