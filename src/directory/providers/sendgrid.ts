/** SendGrid's Inbound Parse: a form with the raw mail, signed as a whole where a security policy says so, else with our secret in the URL. */
import { fromBase64, utf8 } from '../../base/bytes.ts'
import { readForm, textOf } from '../../base/form.ts'
import { listAt, parseText, textAt } from '../../base/json.ts'
import { Problem } from '../../base/problem.ts'
import type { Context } from '../../context.ts'
import type { Adapter } from './adapter.ts'
import { newSecret, showsSecret, unproven } from './secret.ts'

/** It tries for three days; nothing says that a later try is signed anew. What is stored is known when it comes again. */
const FRESH_MS = 4 * 86_400_000

/** Clocks differ. */
const AHEAD_MS = 5 * 60_000

/** The form beside the mail. */
const REST = 1024 * 1024

/** RFC 5321 section 4.5.3.1.8. Each is a copy of the mail. */
const MAX_RECIPIENTS = 100

export const sendgrid: Adapter = {
  setup:
    'Add a host and the inbound URL to Inbound Parse and check “POST the raw, full MIME message”. Enter the URL as https://pochta:<secret>@…, or attach a security policy with signatures and give its public key here.',
  begin: (ctx) => {
    const secret = newSecret(ctx)
    return { secrets: { secret }, shown: secret }
  },
  inbound: {
    path: 'inbound',
    // https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email: a 2xx takes a mail out of its queue.
    refused: 200,
    async read(ctx, { secrets, settings }, { headers, bytes }) {
      const signed = settings.public_key === undefined ? undefined : timestampOf(ctx, headers)
      if (signed === undefined && !(await showsSecret(headers, secrets.secret))) {
        throw unproven('its secret is missing or wrong')
      }
      // The timestamp stands before the body where both are signed, so that no copy is made.
      const room = signed?.length ?? 0
      const whole = await bytes(ctx.config.MAX_MESSAGE_BYTES + REST, room)
      if (signed !== undefined) {
        whole.set(signed)
        await checkSignature(settings.public_key ?? '', headers, whole)
      }
      const form = readForm(headers.get('content-type') ?? '', whole.subarray(room))
      if (!form) throw unreadable('The body is no form, or not the whole of it.')
      const raw = form.get('email')
      if (!raw || raw.length === 0)
        throw unreadable('The call has no raw mail: check “POST the raw, full MIME message”.')
      const envelope = parseText(textOf(form, 'envelope'))
      const listed = listAt(MAX_RECIPIENTS + 1, envelope, 'to').filter((to) => typeof to === 'string')
      const to = [...new Set(listed)]
      if (to.length === 0) throw unreadable('The call has no envelope with recipients.')
      if (to.length > MAX_RECIPIENTS) throw unreadable(`The envelope has more than ${MAX_RECIPIENTS} recipients.`)
      return { from: textAt(envelope, 'from'), to, raw: [raw] }
    },
  },
}

/** With 503, because it tries again after that alone, and somebody may put right what is wrong within its three days. */
function unreadable(why: string): Problem {
  return new Problem('service_unavailable', why, { retryAfter: 3600 })
}

function timestampOf(ctx: Context, headers: Headers): Uint8Array<ArrayBuffer> {
  const text = headers.get('x-twilio-email-event-webhook-timestamp') ?? ''
  const seconds = /^\d{9,11}$/.test(text) ? Number(text) : Number.NaN
  const at = Number.isNaN(seconds) ? Date.parse(text.slice(0, 100)) : seconds * 1000
  if (Number.isNaN(at)) throw unproven('it is not signed')
  if (at < ctx.now() - FRESH_MS || at > ctx.now() + AHEAD_MS) {
    throw unproven('its signature is too old, or from the future')
  }
  return utf8(text)
}

async function checkSignature(publicKey: string, headers: Headers, signed: Uint8Array<ArrayBuffer>): Promise<void> {
  const given = (headers.get('x-twilio-email-event-webhook-signature') ?? '').slice(0, 200)
  let holds = false
  try {
    const kind = { name: 'ECDSA', namedCurve: 'P-256' }
    const key = await crypto.subtle.importKey('spki', fromBase64(publicKey), kind, false, ['verify'])
    const signature = plainSignature(fromBase64(given))
    holds =
      signature !== undefined && (await crypto.subtle.verify({ ...kind, hash: 'SHA-256' }, key, signature, signed))
  } catch {
    // No base64, or no such key.
  }
  if (!holds) throw unproven('its signature does not hold')
}

/** Two numbers of 32 octets out of their DER (RFC 3279 section 2.2.3), as WebCrypto takes them. */
function plainSignature(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const plain = new Uint8Array(64)
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    if (der[at] !== 0x02 || length === 0 || length > 33) return undefined
    const number = der.subarray(at + 2, at + 2 + length)
    const digits = number[0] === 0 ? number.subarray(1) : number
    if (number.length !== length || digits.length > 32) return undefined
    plain.set(digits, end - digits.length)
    at += 2 + length
  }
  return at === der.length ? plain : undefined
}
