/** Mail arrives: whose is it, read it while it streams to storage, file it or refuse it. Every door ends here. */
import { Problem } from '../base/problem.ts'
import { type Context, newId, newToken } from '../context.ts'
import { findRecipient } from '../directory/recipients.ts'
import { type Address, parseAddress } from '../mail/address.ts'
import { MimeIntake } from '../mail/mime/indexer.ts'
import { readMessage } from '../mail/mime/read.ts'
import { describe } from '../record/described.ts'
import { fileMessage, findFiled, type NewMessage, whyNotFiled } from '../store/mail/filing.ts'
import { INBOX, RECEIVED } from '../store/mail/shapes.ts'
import { deleteRaw, putRaw, rawKey } from '../store/objects.ts'
import { nothingStored, settle } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'
import { type Bounce, bounceTarget, keepBounce } from './bounces.ts'
import { type Door, verdictsAt } from './doors.ts'
import { receivedEvent } from './event.ts'

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
  if (arrival.size > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  return 'bounce' in target ? keepBounce(ctx, target.bounce, arrival) : file(ctx, arrival, target.recipient)
}

/** Whether an envelope recipient would be taken; what a mail server asks before it says yes. @throws Problem not_found. */
export async function askRecipient(ctx: Context, to: string): Promise<{ accept: true }> {
  await whose(ctx, to)
  return { accept: true }
}

type Recipient = { account: AccountRef; address: string; tag: string | null; written: Address }

async function whose(ctx: Context, to: string): Promise<{ recipient: Recipient } | { bounce: Bounce }> {
  const address = parseAddress(to)
  if (!address) throw new Problem('not_found', `${JSON.stringify(to.slice(0, 100))} is not an address`)
  const bounce = await bounceTarget(ctx, address)
  if (bounce) return { bounce }
  const found = await findRecipient(ctx, address)
  if (!found) throw new Problem('not_found', 'No such address here')
  return { recipient: { ...found, written: address } }
}

async function file(ctx: Context, arrival: Arrival, to: Recipient): Promise<Received> {
  const now = ctx.now()
  const id = newId(ctx)
  const key = rawKey(to.account.number, id, Math.floor(now / 86_400_000), newToken(ctx))
  const intake = new MimeIntake()
  await putRaw(ctx.stores, key, arrival.raw.pipeThrough(passing(intake)), arrival.size)
  const indexed = intake.end()
  const read = await readMessage(indexed)
  const message: NewMessage = {
    ...(await describe(indexed, read, { account: to.account.number, id })),
    id,
    direction: RECEIVED,
    createdAt: now,
    mailbox: INBOX,
    keywords: [],
    dedupe: indexed.fingerprint(to.written.address),
    sender: reversePath(arrival.from),
    recipient: to.written.address,
    address: to.address,
    tag: to.tag,
    rawKey: key,
    verdicts: verdictsAt(ctx.config, arrival.door, read.headers),
    tags: [],
    recipients: null,
    lastEvent: null,
    due: null,
  }
  const events = [receivedEvent(message, indexed.root)]
  const filed = await settle(
    () => fileMessage(ctx.stores, to.account, { message, now, token: newToken(ctx), events }),
    // The acknowledgement is lost, the mail is not: somebody may listen, so they are woken to look.
    async () => ((await findFiled(ctx.stores, to.account, message)) ? { seq: 0, listeners: 1 } : undefined),
  )
  if (filed) {
    if (filed.listeners > 0) ctx.wake.webhooks(to.account)
    return { id, duplicate: false }
  }
  return notFiled(ctx, to.account, message)
}

/** It is there already, which is what the sender wanted; or the account takes nothing now. Our copy of the bytes goes. */
async function notFiled(ctx: Context, account: AccountRef, message: NewMessage): Promise<Received> {
  const why = await whyNotFiled(ctx.stores, account, message)
  ctx.later(deleteRaw(ctx.stores, [message.rawKey]))
  if (why.kind === 'exists') return { id: why.id, duplicate: true }
  if (why.kind === 'full') {
    throw new Problem('service_unavailable', 'The mailbox is full; nothing was stored.', { retryAfter: 3600 })
  }
  if (why.kind === 'closed') throw new Problem('not_found', 'No such address here')
  throw nothingStored()
}

/** As it was given, for a strange one is no reason to lose the mail; but as one short line. */
function reversePath(from: string): string {
  return from.replace(/[\0-\x20\x7f<>]/g, '').slice(0, 320)
}

/** Lets the bytes through and shows them to the reader. */
function passing(intake: MimeIntake): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      intake.write(chunk)
      controller.enqueue(chunk)
    },
  })
}

function tooLarge(ctx: Context): Problem {
  return new Problem('payload_too_large', `The mail is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`)
}
