/**
 * VERP: the return path that names message and recipient, and proves that we wrote it. A bounce to it is believed for
 * that recipient only; nothing else that comes back is.
 */
import { fromBase32, toBase32 } from '../../base/bytes.ts'
import { isUuid, uuidBytes, uuidFromBytes } from '../../base/id.ts'
import { type Keyring, mac, verifyMac } from '../../base/seal.ts'

/** Who a bounce is about: the account's number, the message's id, the recipient's index in the message. */
export type VerpToken = { account: number; message: string; recipient: number }

// 80 bits: nobody guesses it online, and the whole still fits a local part of 64 octets (RFC 5321 section 4.5.3.1.1).
const MAC_BYTES = 10
// Eleven digits hold any safe integer; four hold a million and a half recipients.
const SHAPE = /^b-[0-9a-z]{1,11}-[a-z2-7]{26}-[0-9a-z]{1,4}-[a-z2-7]{16}$/
const MAX_ADDRESS_OCTETS = 254

/** The return path for one recipient of one message, under a domain whose mail comes to us. */
export async function makeVerp(keyring: Keyring, token: VerpToken, domain: string): Promise<string> {
  if (!isUuid(token.message)) throw new RangeError('a VERP address needs the message id as a UUID')
  const proof = await mac(keyring, 'verp', proven(token), MAC_BYTES)
  const local = `${written(token)}-${toBase32(proof)}`
  if (!SHAPE.test(local)) throw new RangeError('account or recipient do not fit a VERP address')
  if (local.length + 1 + domain.length > MAX_ADDRESS_OCTETS) throw new RangeError('the bounce domain is too long')
  return `${local}@${domain}`
}

/** Reads the local part of an envelope recipient in either case; undefined where we never made it. */
export async function readVerp(keyring: Keyring, local: string): Promise<VerpToken | undefined> {
  const lower = local.toLowerCase()
  if (!SHAPE.test(lower)) return undefined
  const [, account = '', id = '', recipient = '', proof = ''] = lower.split('-')
  const message = fromBase32(id)
  const given = fromBase32(proof)
  if (!message || !given) return undefined
  const token = {
    account: Number.parseInt(account, 36),
    message: uuidFromBytes(message),
    recipient: Number.parseInt(recipient, 36),
  }
  // One token has one spelling: zeros in front or spare bits at the end would make others.
  if (`${written(token)}-${proof}` !== lower) return undefined
  return (await verifyMac(keyring, 'verp', proven(token), given)) ? token : undefined
}

/** Whether a local part has the shape of ours, which costs no key; only `readVerp` says that it is. */
export function looksLikeVerp(local: string): boolean {
  return SHAPE.test(local.toLowerCase())
}

/** The texts of our shape in a text, the first few: a report about our mail quotes the return path that it was sent with. */
export function tokensIn(text: string): string[] {
  return [...new Set(text.match(ANYWHERE)?.slice(0, MAX_FOUND))]
}

const ANYWHERE = /\bb-[0-9a-z]{1,11}-[a-z2-7]{26}-[0-9a-z]{1,4}-[a-z2-7]{16}\b/gi

/** Each costs a signature; a report quotes one mail. */
const MAX_FOUND = 20

function written({ account, message, recipient }: VerpToken): string {
  return `b-${account.toString(36)}-${toBase32(uuidBytes(message))}-${recipient.toString(36)}`
}

function proven({ account, message, recipient }: VerpToken): string {
  return `${account}:${message}:${recipient}`
}
