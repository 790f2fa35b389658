/** Signed links: whoever has one may fetch one thing for an hour, without a key. The row is still read, so what is gone stays gone. */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../base/bytes.ts'
import { notFound, type Problem } from '../base/problem.ts'
import { mac, verifyMac } from '../base/seal.ts'
import type { Context } from '../context.ts'
import { isoTime } from '../record/email-event.ts'
import type { AccountRef } from '../store/stores.ts'

/** What a link gives: a whole message, or one part of it. */
export type LinkKind = 'raw' | 'attachments'

export type Link = { download_url: string; expires_at: string }

/** What a link names. `part` is empty for the raw message. */
export type LinkTarget = { account: Pick<AccountRef, 'number' | 'mailDb'>; message: string; part: string }

const LIFETIME_SECONDS = 3600

/** Guessing 128 bits is out of reach. */
const MAC_BYTES = 16

/** The longest part path has 32 levels of up to four digits; a longer token is none of ours. */
const MAX_TOKEN = 600

/** Makes a link that is good for an hour. */
export async function makeLink(ctx: Context, kind: LinkKind, target: LinkTarget): Promise<Link> {
  const expires = Math.floor(ctx.now() / 1000) + LIFETIME_SECONDS
  const { account, message, part } = target
  const text = [kind, account.number, account.mailDb, message, part, expires].join(' ')
  const token = `${toBase64Url(utf8(text))}.${toBase64Url(await mac(ctx.keyring, 'link', text, MAC_BYTES))}`
  return { download_url: `${ctx.config.PUBLIC_URL}/links/${kind}/${token}`, expires_at: isoTime(expires * 1000) }
}

/** What a link's token names. @throws Problem not_found, the same for one that is false, expired or of another kind. */
export async function readLink(ctx: Context, kind: LinkKind, token: string): Promise<LinkTarget> {
  const signed = read(token)
  if (!signed || !(await verifyMac(ctx.keyring, 'link', signed.text, signed.mac))) throw noSuchLink()
  const [written = '', number = '', mailDb = '', message = '', part = '', expires = ''] = signed.text.split(' ')
  if (written !== kind || Number(expires) * 1000 <= ctx.now()) throw noSuchLink()
  return { account: { number: Number(number), mailDb }, message, part }
}

/** The one refusal of links, whatever is wrong with one. */
export function noSuchLink(): Problem {
  return notFound('The link, or what it led to, is')
}

function read(token: string): { text: string; mac: Uint8Array } | undefined {
  const [text = '', proof = ''] = token.length <= MAX_TOKEN ? token.split('.') : []
  try {
    const bytes = fromBase64Url(proof)
    return bytes.length === MAC_BYTES ? { text: fromUtf8(fromBase64Url(text)), mac: bytes } : undefined
  } catch {
    return undefined
  }
}
