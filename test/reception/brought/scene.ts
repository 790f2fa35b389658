/** Services that bring mail, as their documentation says they call. */
import { sql } from 'drizzle-orm'
import { concat, toBase64, toHex, utf8 } from '../../../src/base/bytes.ts'
import type { Caller } from '../../../src/context.ts'
import { unreadBody } from '../../../src/http/raw-body.ts'
import { takeBrought } from '../../../src/reception/brought.ts'
import type { AccountRef } from '../../../src/store/stores.ts'
import { makeWorld, type World } from '../../support/world.ts'

export const world = await makeWorld()

/** A mail with octets that are no UTF-8. */
export const letter = (id: string, ...more: string[]): Uint8Array<ArrayBuffer> =>
  concat([
    utf8(
      [...more, `Message-ID: <${id}@x.test>`, 'From: Ann <ann@x.test>', 'Subject: "Salom" \\ dunyo', ''].join('\r\n'),
    ),
    utf8('\r\nSalom!\r\n'),
    Uint8Array.of(0xe4, 0xff, 0x0d, 0x0a),
  ])

export function bring(id: string, headers: Record<string, string>, body: Uint8Array<ArrayBuffer>, at: World = world) {
  const request = new Request('http://localhost/', {
    method: 'POST',
    headers: { 'content-length': String(body.length), ...headers },
    body,
  })
  return takeBrought(at.ctx, id, unreadBody(request))
}

export async function filed({ number }: AccountRef) {
  const rows = await world.ctx.stores.directory.all<{
    id: string
    sender: string
    recipient: string
    verdicts: string
    raw_key: string
  }>(sql`SELECT id, sender, recipient, verdicts, raw_key FROM messages WHERE account = ${number} ORDER BY uid`)
  return Promise.all(
    rows.map(async ({ raw_key, ...row }) => {
      const object = await world.ctx.stores.raw.get(raw_key)
      return { ...row, raw: new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0)) }
    }),
  )
}

/** What an instance acts as. */
export function asInstance(owner: Caller): Caller {
  return { ...owner, account: { number: 0, id: 'instance', mailDb: 'DB' } }
}

export const basic = (secret: string) => ({ authorization: `Basic ${btoa(`pochta:${secret}`)}` })

const BOUNDARY = 'xYzZY'

/** A form as it is posted; a field that is a list stands there more than once. */
export function multipart(fields: Record<string, string | Uint8Array>): {
  type: string
  body: Uint8Array<ArrayBuffer>
} {
  const parts = Object.entries(fields).flatMap(([name, value]) => [
    utf8(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    typeof value === 'string' ? utf8(value) : value,
    utf8('\r\n'),
  ])
  return { type: `multipart/form-data; boundary=${BOUNDARY}`, body: concat([...parts, utf8(`--${BOUNDARY}--\r\n`)]) }
}

export function urlencoded(fields: Record<string, string | Uint8Array>): {
  type: string
  body: Uint8Array<ArrayBuffer>
} {
  const encode = (value: string | Uint8Array) =>
    toHex(typeof value === 'string' ? utf8(value) : value).replace(/../g, '%$&')
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${encode(value)}`)
  return { type: 'application/x-www-form-urlencoded', body: utf8(pairs.join('&')) }
}

/** What Mailgun adds to a form: the time in seconds, a word, and the two signed. */
export async function mailgunProof(key: string, token: string, at = world.ctx.now()) {
  const timestamp = String(Math.floor(at / 1000))
  const kind = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', utf8(key), kind, false, ['sign'])
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8(timestamp + token)))
  return { timestamp, token, signature: toHex(mac) }
}

/** A key as SendGrid makes one for a security policy, and the headers by which it signs a body. */
export async function sendgridSigner() {
  const kind = { name: 'ECDSA', namedCurve: 'P-256' }
  const pair = await crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('a pair was asked for')
  const spki = await crypto.subtle.exportKey('spki', pair.publicKey)
  if (!(spki instanceof ArrayBuffer)) throw new Error('DER was asked for')
  const sign = async (body: Uint8Array, at = world.ctx.now()) => {
    const timestamp = String(Math.floor(at / 1000))
    const signed = concat([utf8(timestamp), body])
    const plain = new Uint8Array(await crypto.subtle.sign({ ...kind, hash: 'SHA-256' }, pair.privateKey, signed))
    return {
      'x-twilio-email-event-webhook-timestamp': timestamp,
      'x-twilio-email-event-webhook-signature': toBase64(asDer(plain)),
    }
  }
  return { publicKey: toBase64(new Uint8Array(spki)), sign }
}

function asDer(plain: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array) => {
    const from = bytes.findIndex((byte) => byte !== 0)
    const digits = bytes.subarray(from)
    const padded = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...digits) : digits
    return Uint8Array.of(0x02, padded.length, ...padded)
  }
  const inner = [...number(plain.subarray(0, 32)), ...number(plain.subarray(32))]
  return Uint8Array.of(0x30, inner.length, ...inner)
}
