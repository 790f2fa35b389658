/** Signatures by which a receiver knows that a call is ours: Standard Webhooks, under its own header names and svix's. */
import { fromBase64, toBase64, utf8 } from '../base/bytes.ts'

const PREFIX = 'whsec_'

/** Standard Webhooks asks for 24 to 64 bytes; libraries in use take 24 to 32. */
export const SECRET_BYTES = 32

/** A signing secret of random bytes, in the form that receivers' libraries take. */
export function makeSecret(random: Uint8Array): string {
  return PREFIX + toBase64(random)
}

export type Signed = {
  /** The same for every try to tell this event to this endpoint, so that a receiver can drop repeats. */
  id: string
  /** Seconds since 1970, of this try. */
  timestamp: number
  body: string
}

/** The headers of one call, signed with every secret that is in force, as after a rotation there are two. */
export async function signedHeaders(signed: Signed, secrets: readonly string[]): Promise<Record<string, string>> {
  const signatures = await Promise.all(secrets.map((secret) => sign(signed, secret)))
  const values = { id: signed.id, timestamp: String(signed.timestamp), signature: signatures.join(' ') }
  return Object.fromEntries(
    ['webhook', 'svix'].flatMap((family) =>
      Object.entries(values).map(([name, value]) => [`${family}-${name}`, value]),
    ),
  )
}

async function sign({ id, timestamp, body }: Signed, secret: string): Promise<string> {
  const bytes = fromBase64(secret.slice(PREFIX.length))
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, utf8(`${id}.${timestamp}.${body}`))
  return `v1,${toBase64(new Uint8Array(mac))}`
}
