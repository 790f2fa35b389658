/** What mail that is sent on bears of it, before all that it came with: nothing of that is touched, so its own signatures hold. */
import { utf8 } from '../base/bytes.ts'

/** Bears the addresses that a mail was forwarded from: who meets its own sends it no further. */
export const FORWARDED = 'x-pochta-forwarded'

/**
 * The fields of one way on. Received is a hop like any other (RFC 5321 section 4.4), so that hosts which know nothing
 * of the other field count it, too; nothing is Resent, for nobody did so by hand (RFC 5322 section 3.6.6).
 */
export function forwardedFields(of: { address: string; host: string; id: string; now: number }): Uint8Array {
  const { address, host, id, now } = of
  const date = new Date(now).toUTCString().replace('GMT', '+0000')
  const lines = [
    `X-Pochta-Forwarded: ${address}`,
    `Received: from ${host} by ${host} (forwarded) id ${id};`,
    `\t${date}`,
    '',
  ]
  return utf8(lines.join('\r\n'))
}
