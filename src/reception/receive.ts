/** Mail arrives: whose is it, read it while it streams to storage, file it or refuse it. Every door ends here. */
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { findRecipient } from '../directory/recipients.ts'
import { parseAddress } from '../mail/address.ts'
import { type Bounce, bounceTarget, keepBounce } from './bounces.ts'
import { type Door, opensTo } from './doors.ts'
import { fileFor, type Recipient } from './file.ts'
import { type Envelope, placesFor } from './gate.ts'

/** A mail at a door: the envelope, and its bytes with their number. */
export type Arrival = {
  door: Door
  /** The reverse path as given; empty for the null path. */
  from: string
  /** The envelope recipient: whose mail it is, whatever its headers say. */
  to: string
  size: number
  raw: ReadableStream<Uint8Array>
}

export type Received = { id: string; duplicate: boolean }

/**
 * Takes a mail; it is stored when this returns.
 * @throws Problem not_found (no such address), payload_too_large, message_refused: never to be tried again.
 * @throws Problem service_unavailable, or anything else: nothing is known to be stored, and the sender must try again.
 */
export async function receive(ctx: Context, arrival: Arrival): Promise<Received> {
  const target = await whose(ctx, arrival.to)
  const { account } = 'bounce' in target ? target.bounce : target.recipient
  if (!opensTo(arrival.door, account)) throw nobody()
  if (arrival.size > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  if ('bounce' in target) return keepBounce(ctx, target.bounce, arrival)
  return fileFor(ctx, arrival, target.recipient, placesFor(target.recipient, arrival))
}

/**
 * Whether an envelope recipient would be taken, as far as the envelope decides; what a mail server asks before it says
 * yes. @throws Problem not_found, message_refused, payload_too_large, service_unavailable.
 */
export async function askRecipient(
  ctx: Context,
  to: string,
  envelope: Envelope = { from: '' },
): Promise<{ accept: true }> {
  const target = await whose(ctx, to)
  if ((envelope.size ?? 0) > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  if ('recipient' in target) placesFor(target.recipient, envelope)
  return { accept: true }
}

async function whose(ctx: Context, to: string): Promise<{ recipient: Recipient } | { bounce: Bounce }> {
  const address = parseAddress(to)
  if (!address) throw new Problem('not_found', `${JSON.stringify(to.slice(0, 100))} is not an address`)
  const bounce = await bounceTarget(ctx, address)
  if (bounce) return { bounce }
  const found = await findRecipient(ctx, address)
  if (!found) throw nobody()
  return { recipient: { ...found, as: address } }
}

function nobody(): Problem {
  return new Problem('not_found', 'No such address here')
}

function tooLarge(ctx: Context): Problem {
  return new Problem('payload_too_large', `The mail is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`)
}
