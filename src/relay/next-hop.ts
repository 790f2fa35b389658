/** Where a message goes next, and where what comes back about it goes: asked once a batch for each sender. */
import type { Context } from '../context.ts'
import { type Address, addressKey, parseAddress } from '../mail/address.ts'
import { findSendingDomain } from '../store/directory/domains.ts'
import type { Held } from '../store/mail/deliveries.ts'
import { chooseRelay, type RelayTarget } from './choose.ts'

export type NextHop = {
  target: RelayTarget
  /** The domain of our return paths for this sender. */
  bounceDomain: string
}

/** Makes the question; the answer is undefined where no relay is configured. */
export function askNextHops(ctx: Context): (held: Held) => Promise<NextHop | undefined> {
  const known = new Map<string, Promise<NextHop | undefined>>()
  return (held) => {
    const author = authorOf(held)
    const key = `${held.account.number} ${author ? addressKey(author) : ''}`
    const hop = known.get(key) ?? findNextHop(ctx, held, author)
    known.set(key, hop)
    return hop
  }
}

async function findNextHop(ctx: Context, { account }: Held, author: Address | undefined): Promise<NextHop | undefined> {
  const name = author?.domain ?? ''
  const target = await chooseRelay(ctx, account, name)
  if (!target) return undefined
  const domain = author && (await findSendingDomain(ctx.stores, account.number, addressKey(author), name))
  const label = domain?.returnPathLabel ?? ctx.config.RETURN_PATH_LABEL
  return { target, bounceDomain: `${label}.${name}` }
}

/** In whose name it is sent: the From that was authorised when it was taken. */
function authorOf({ parties, sender }: Held): Address | undefined {
  const [from = ''] = parties.from
  // The name before it was decoded for reading, and may hold anything.
  const written = from.endsWith('>') ? from.slice(from.lastIndexOf('<') + 1, -1) : from
  return parseAddress(written) ?? parseAddress(sender)
}
