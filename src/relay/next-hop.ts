/** Where a message goes next, and where what comes back about it goes: asked once a batch for each sender’s domain. */
import type { Context } from '../context.ts'
import { chooseRelay, type RelayTarget } from '../directory/next-hop.ts'
import { parseAddress } from '../mail/address.ts'
import { findHolder } from '../store/directory/domains.ts'
import type { Held } from '../store/mail/deliveries.ts'

export type NextHop = {
  target: RelayTarget
  /** The domain of our return paths for this sender. */
  bounceDomain: string
}

/** Makes the question; the answer is undefined where no relay is configured. */
export function askNextHops(ctx: Context): (held: Held) => Promise<NextHop | undefined> {
  const known = new Map<string, Promise<NextHop | undefined>>()
  return (held) => {
    const domain = senderDomain(held)
    const key = `${held.account.number} ${domain}`
    const hop = known.get(key) ?? findNextHop(ctx, held, domain)
    known.set(key, hop)
    return hop
  }
}

async function findNextHop(ctx: Context, { account }: Held, domain: string): Promise<NextHop | undefined> {
  // A name is held by one account alone, and that this one may send under it was found when the mail was taken.
  const [target, holder] = await Promise.all([chooseRelay(ctx, account, domain), findHolder(ctx.stores, domain)])
  if (!target) return undefined
  const label = holder?.returnPathLabel ?? ctx.config.RETURN_PATH_LABEL
  return { target, bounceDomain: `${label}.${domain}` }
}

/** In whose name it is sent: the domain of the From that was authorised when it was taken. */
function senderDomain({ parties, sender }: Held): string {
  const [from = ''] = parties.from
  // The name before it was decoded for reading, and may hold anything.
  const written = from.endsWith('>') ? from.slice(from.lastIndexOf('<') + 1, -1) : from
  return (parseAddress(written) ?? parseAddress(sender))?.domain ?? ''
}
