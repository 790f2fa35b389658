/** Whom an address takes mail from, and how large: what its settings refuse. */
import { Problem } from '../base/problem.ts'
import { patternsOf } from '../directory/receiving/senders.ts'
import type { Found } from '../directory/recipients.ts'
import { parseAddress } from '../mail/address.ts'
import type { Taker } from '../store/receiving/takers.ts'
import type { AccountRef } from '../store/stores.ts'

/** What is known before the mail itself is. */
export type Envelope = {
  /** The reverse path; empty for the null path. */
  from: string
  size?: number
}

/** One account's copy of a mail, and those of its addresses that take it. */
export type Place = { account: AccountRef; takers: [Taker, ...Taker[]] }

/** An address that is away for a while says so for an hour at a time. */
const COME_AGAIN_SECONDS = 3600

/**
 * Where a mail would be stored, as far as its envelope decides. Of many addresses behind an alias, those that refuse it
 * are left out as long as one takes it; one that cannot take it just now has it all come again.
 * @throws Problem not_found, message_refused, payload_too_large: for good. service_unavailable: for now.
 */
export function placesFor(found: Found, envelope: Envelope): Place[] {
  const refusal = refusalBy(found.written, envelope)
  if (refusal) throw refusal
  const others = found.places.filter((taker) => taker !== found.written)
  const refusals = others.flatMap((taker) => refusalBy(taker, envelope) ?? [])
  const later = refusals.find(({ code }) => code === 'service_unavailable')
  if (later) throw later
  return byAccount(
    found.places.filter((taker) => taker === found.written || !refusalBy(taker, envelope)),
    refusals[0],
  )
}

/** The same once it is known whom the mail says that it is from. @throws Problem message_refused. */
export function placesFrom(found: Found, places: readonly Place[], from: string, authors: readonly string[]): Place[] {
  const senders = [from, ...authors]
  const refusal = refusalOf(found.written, senders)
  if (refusal) throw refusal
  const takers = places.flatMap((place) => place.takers)
  const refused = takers.flatMap((taker) => refusalOf(taker, senders) ?? [])
  return byAccount(
    takers.filter((taker) => !refusalOf(taker, senders)),
    refused[0],
  )
}

/** One copy an account, however many of its addresses take the mail. */
function byAccount(takers: readonly Taker[], refusal: Problem | undefined): Place[] {
  const places = new Map<number, Place>()
  for (const taker of takers) {
    const place = places.get(taker.account.number)
    if (place) place.takers.push(taker)
    else places.set(taker.account.number, { account: taker.account, takers: [taker] })
  }
  if (places.size === 0) throw refusal ?? new Problem('not_found', 'No such address here')
  return [...places.values()]
}

function refusalBy({ settings }: Taker, { from, size }: Envelope): Problem | undefined {
  if (settings.pause === 'reject') return new Problem('message_refused', 'The address takes no mail at present')
  if (isOn(settings.block, [from])) return blocked()
  if (settings.maxBytes !== undefined && size !== undefined && size > settings.maxBytes) {
    return new Problem('payload_too_large', `The address takes no mail larger than ${settings.maxBytes} bytes.`)
  }
  if (settings.pause !== 'defer') return undefined
  return new Problem('service_unavailable', 'The address takes no mail just now; come again later.', {
    retryAfter: COME_AGAIN_SECONDS,
  })
}

function refusalOf({ settings }: Taker, senders: readonly string[]): Problem | undefined {
  if (isOn(settings.block, senders)) return blocked()
  return settings.allow === undefined || isOn(settings.allow, senders) ? undefined : blocked()
}

function isOn(list: readonly string[] | undefined, senders: readonly string[]): boolean {
  if (!list || list.length === 0) return false
  const patterns = new Set(list)
  return senders.some((text) => {
    const address = parseAddress(text)
    return address !== undefined && patternsOf(address).some((pattern) => patterns.has(pattern))
  })
}

/** Who may not write learns no more than that. */
function blocked(): Problem {
  return new Problem('message_refused', 'The address takes no mail from this sender')
}
