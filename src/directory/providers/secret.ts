/** The secret that a service shows with each call: as the password of its URL, or in a header field of ours. */
import { fromBase64, fromUtf8, utf8 } from '../../base/bytes.ts'
import { Problem } from '../../base/problem.ts'
import { sameBytes, sha256Hex } from '../../base/seal.ts'
import { type Context, newToken } from '../../context.ts'

export function newSecret(ctx: Context): string {
  return `${newToken(ctx)}${newToken(ctx)}`
}

/** Whether a call shows the secret. */
export async function showsSecret(headers: Headers, secret: string | undefined): Promise<boolean> {
  const given = headers.get('x-pochta-secret') ?? basicPassword(headers.get('authorization') ?? '')
  return secret !== undefined && secret !== '' && isSame(given, secret)
}

/** A call that brings mail and does not prove itself. With 401, because some services take 403 for the end of a mail. */
export function unproven(why: string): Problem {
  return new Problem('missing_api_key', `The call does not prove to be from this provider: ${why}.`)
}

/** Compared as hashes, so that neither time nor length tells anything of the secret. */
async function isSame(given: string, secret: string): Promise<boolean> {
  return sameBytes(utf8(await sha256Hex(given)), utf8(await sha256Hex(secret)))
}

/** The password of Basic credentials (RFC 7617 section 2); empty where there are none. */
function basicPassword(header: string): string {
  const encoded = /^basic +([A-Za-z0-9+/=]{1,1000})$/i.exec(header)?.[1]
  if (!encoded) return ''
  try {
    const pair = fromUtf8(fromBase64(encoded))
    return pair.slice(pair.indexOf(':') + 1)
  } catch {
    return ''
  }
}
