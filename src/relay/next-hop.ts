/** Where a message goes next, and where what comes back about it goes: asked once a batch for each sender’s domain. */
import type { Context } from '../context.ts'
import { chooseRelays, type RelayTarget } from '../directory/relays/next-hop.ts'
import { parseAddress } from '../mail/address.ts'
import { findHolder } from '../store/directory/domains.ts'
import type { Held } from '../store/mail/deliveries.ts'

export type NextHops = {
  /** Best first; empty where no relay is configured. */
  targets: readonly RelayTarget[]
  /** The domain of our return paths for this sender. */
  bounceDomain: string
}

/** Makes the question. */
export function askNextHops(ctx: Context): (held: Held) => Promise<NextHops> {
  const known = new Map<string, Promise<NextHops>>()
  return (held) => {
    const domain = fromOf(held)?.domain ?? ''
    const key = `${held.account.number} ${domain}`
    const hops = known.get(key) ?? findNextHops(ctx, held, domain)
    known.set(key, hops)
    return hops
  }
}

async function findNextHops(ctx: Context, { account }: Held, domain: string): Promise<NextHops> {
  // A name is held by one account alone, and that this one may send under it was found when the mail was taken.
  const [targets, holder] = await Promise.all([chooseRelays(ctx, account, domain), findHolder(ctx.stores, domain)])
  const label = holder?.returnPathLabel ?? ctx.config.RETURN_PATH_LABEL
  return { targets, bounceDomain: `${label}.${domain}` }
}

/** In whose name it is sent, as was authorised when it was taken: the address that sends it on, else its From. */
export function fromOf({ address, parties, sender }: Held): ReturnType<typeof parseAddress> {
  if (address !== null) return parseAddress(address)
  const [from = ''] = parties.from
  // The name before it was decoded for reading, and may hold anything.
  const written = from.endsWith('>') ? from.slice(from.lastIndexOf('<') + 1, -1) : from
  return parseAddress(written) ?? parseAddress(sender)
}
