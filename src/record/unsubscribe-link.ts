/**
 * The link by which one recipient of one mail leaves its list (RFC 8058). Its token says all that is to be known and
 * proves that we wrote it; it never expires, because people leave lists late, and long after the mail was deleted.
 */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../base/bytes.ts'
import { mac, verifyMac } from '../base/seal.ts'
import type { Context } from '../context.ts'

/** Whose list it is (the account's number), what it is called, who is on it, and by which mail he was told. */
export type Leaving = {
  readonly account: number
  readonly list: string
  /** As `addressKey` writes it. */
  readonly email: string
  readonly message: string
}

/** Guessing 128 bits is out of reach. */
const MAC_BYTES = 16

/** An id, a list and an address of 254 octets come to two thirds of it; a longer token is none of ours. */
const MAX_TOKEN = 700

/** The link for one recipient. */
export async function makeUnsubscribeLink(ctx: Context, leaving: Leaving): Promise<string> {
  const { account, message, list, email } = leaving
  // The address comes last, because a quoted local part may hold blanks.
  const text = [account, message, list, email].join(' ')
  const proof = await mac(ctx.keyring, 'unsubscribe', text, MAC_BYTES)
  return `${ctx.config.PUBLIC_URL}/unsubscribe/${toBase64Url(utf8(text))}.${toBase64Url(proof)}`
}

/** What a token says; undefined where we never made it. */
export async function readUnsubscribeToken(ctx: Context, token: string): Promise<Leaving | undefined> {
  const signed = token.length <= MAX_TOKEN ? read(token) : undefined
  if (!signed || !(await verifyMac(ctx.keyring, 'unsubscribe', signed.text, signed.proof))) return undefined
  const [account = '', message = '', list = '', ...email] = signed.text.split(' ')
  return { account: Number(account), message, list, email: email.join(' ') }
}

function read(token: string): { text: string; proof: Uint8Array } | undefined {
  const [text = '', proof = ''] = token.split('.')
  try {
    const bytes = fromBase64Url(proof)
    return bytes.length === MAC_BYTES ? { text: fromUtf8(fromBase64Url(text)), proof: bytes } : undefined
  } catch {
    return undefined
  }
}
