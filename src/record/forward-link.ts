/** The link by which somebody agrees that an account forwards mail to him. Its token says all that is to be known and proves that we wrote it. */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../base/bytes.ts'
import { mac, verifyMac } from '../base/seal.ts'
import type { Context } from '../context.ts'

/** The account's number and its target's id; `from` is the address that asks. */
export type Agreeing = { readonly account: number; readonly target: string; readonly from: string }

/** Guessing 128 bits is out of reach. */
const MAC_BYTES = 16

/** A number, an id, a time and an address of 254 octets come to less; a longer token is none of ours. */
const MAX_TOKEN = 600

/** Who does not answer in this time is asked anew, where somebody still wants it. */
const GOOD_FOR_MS = 7 * 86_400_000

export async function makeForwardLink(ctx: Context, { account, target, from }: Agreeing): Promise<string> {
  // The address comes last, because a quoted local part may hold blanks.
  const text = [account, target, ctx.now() + GOOD_FOR_MS, from].join(' ')
  const proof = await mac(ctx.keyring, 'forward', text, MAC_BYTES)
  return `${ctx.config.PUBLIC_URL}/forward-targets/confirm/${toBase64Url(utf8(text))}.${toBase64Url(proof)}`
}

/** What a token says; undefined where we never made it, or too long ago. */
export async function readForwardToken(ctx: Context, token: string): Promise<Agreeing | undefined> {
  const signed = token.length <= MAX_TOKEN ? read(token) : undefined
  if (!signed || !(await verifyMac(ctx.keyring, 'forward', signed.text, signed.proof))) return undefined
  const [account = '', target = '', until = '', ...from] = signed.text.split(' ')
  if (Number(until) < ctx.now()) return undefined
  return { account: Number(account), target, from: from.join(' ') }
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
