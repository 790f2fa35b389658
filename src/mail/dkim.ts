/**
 * DKIM (RFC 6376): keys, the DNS record, and relaxed/relaxed rsa-sha256 signatures. The canonical forms are
 * nodemailer's; the tag list is ours, because only so can a field be signed once more than it stands (section 8.15).
 */
import { Buffer } from 'node:buffer'
import RelaxedBody from 'nodemailer/lib/dkim/relaxed-body'
import sign from 'nodemailer/lib/dkim/sign'
import { concat, fromBase64, latin1, toBase64, utf8 } from '../base/bytes.ts'
import { hasBareBreaks } from './linebreaks.ts'
import { fieldBytes, type HeaderField, scanHeader } from './ready.ts'

export type DkimKeys = { privatePem: string; publicBase64: string }

export type DkimSigner = { domain: string; selector: string; privatePem: string }

/** A new RSA-2048 key pair (RFC 8301 asks for no less): PKCS #8 PEM, and the public key as DNS shows it. */
export async function makeDkimKeys(): Promise<DkimKeys> {
  const algorithm = { ...RSA_SHA256, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) }
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('RSA keys come in pairs')
  const privateKey = toBase64(await exported('pkcs8', pair.privateKey))
  const lines = privateKey.match(/.{1,64}/g) ?? []
  return {
    privatePem: ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n'),
    publicBase64: toBase64(await exported('spki', pair.publicKey)),
  }
}

/** The TXT value at `<selector>._domainkey.<domain>` (RFC 6376 section 3.6.1); over 255 octets, so DNS cuts it in two. */
export function dkimRecord(publicBase64: string): string {
  return `v=DKIM1; k=rsa; p=${publicBase64}`
}

/** Puts a DKIM-Signature before the message. Throws as `dkimField` does. */
export async function signDkim(bytes: Uint8Array, signer: DkimSigner, now: number): Promise<Uint8Array> {
  return concat([await dkimField(bytes, signer, now), bytes])
}

/**
 * The DKIM-Signature field that belongs before the message, with its line break; `now` (ms) becomes its time. Throws a
 * RangeError where the bytes hold a bare CR or LF, which the next hop would change, or have no readable header.
 */
export async function dkimField(bytes: Uint8Array, signer: DkimSigner, now: number): Promise<Uint8Array> {
  if (hasBareBreaks(bytes)) throw new RangeError('only CRLF lines can be signed')
  const { fields, bodyStart, closed, odd } = scanHeader(bytes)
  if (!closed || odd !== undefined) throw new RangeError('the header to sign is not whole')
  const signed = SIGNED.flatMap((name) => canonicalFields(bytes, fields, name))
  const names = [...signed.map(({ name }) => name), ...OVERSIGNED]
  const tags = [
    ['v=1', 'a=rsa-sha256', 'c=relaxed/relaxed', `d=${signer.domain}`, `s=${signer.selector}`].join('; '),
    `t=${Math.floor(now / 1000)}`,
    `bh=${await bodyHash(bytes.subarray(bodyStart))}`,
    `h=${folded(names)}`,
    'b=',
  ]
  const unsigned = `DKIM-Signature: ${tags.join(';\r\n ')}`
  const hashed = [...signed.map(({ line }) => line), canonicalField('dkim-signature', unsigned)].join('\r\n')
  const key = await signingKey(signer.privatePem)
  // The lines hold a byte a character, so this gives back the very bytes of the header.
  const signature = await crypto.subtle.sign(RSA_SHA256.name, key, Buffer.from(hashed, 'latin1'))
  const value = (toBase64(new Uint8Array(signature)).match(/.{1,72}/g) ?? []).join('\r\n ')
  return utf8(`${unsigned}${value}\r\n`)
}

const RSA_SHA256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** What a reader sees or a program acts on, each as often as it stands. */
const SIGNED = [
  ...['from', 'sender', 'reply-to', 'to', 'cc', 'subject', 'date', 'message-id', 'in-reply-to', 'references'],
  ...['mime-version', 'content-type', 'content-transfer-encoding', 'content-disposition', 'content-id'],
  ...['list-id', 'list-unsubscribe', 'list-unsubscribe-post', 'auto-submitted'],
]

/** Signed once more than they stand: another one put before them on the way, for readers to see first, breaks it. */
const OVERSIGNED = ['from', 'to', 'cc', 'subject', 'date']

/** The fields of a name from the last one up, which is the order a verifier takes them in (section 5.4.2). */
function canonicalFields(bytes: Uint8Array, fields: HeaderField[], name: string): { name: string; line: string }[] {
  const own = fields.filter((field) => field.name === name).reverse()
  return own.map((field) => ({ name, line: canonicalField(name, latin1(fieldBytes(bytes, field))) }))
}

/** A field in relaxed form (section 3.4.2), a character a byte, without its line break. */
function canonicalField(name: string, line: string): string {
  return sign.relaxedHeaders([{ key: name, line }], name).headers.slice(0, -2)
}

/** In slices, for the hash takes twice the memory of what it is given at once. */
async function bodyHash(body: Uint8Array): Promise<string> {
  const relaxed = new RelaxedBody({})
  const hash = new Promise<string>((resolve, reject) => {
    relaxed.once('hash', resolve)
    relaxed.once('error', reject)
  })
  relaxed.resume()
  for (let at = 0; at < body.length; at += SLICE) {
    const slice = body.subarray(at, at + SLICE)
    relaxed.write(Buffer.from(slice.buffer, slice.byteOffset, slice.byteLength))
  }
  relaxed.end()
  return hash
}

const SLICE = 64 * 1024

const imported = new Map<string, Promise<CryptoKey>>()

/** So that many domains cannot fill the memory. */
const MOST_IMPORTED = 200

/** Imported once, because that takes nearly as long as a signature. */
function signingKey(pem: string): Promise<CryptoKey> {
  const known = imported.get(pem) ?? importKey(pem)
  if (imported.size >= MOST_IMPORTED) imported.clear()
  imported.set(pem, known)
  return known
}

async function importKey(pem: string): Promise<CryptoKey> {
  const der = fromBase64(pem.replace(/-----[^-]*-----/g, '').replace(/\s+/g, ''))
  return crypto.subtle.importKey('pkcs8', der, RSA_SHA256, false, ['sign'])
}

async function exported(format: 'pkcs8' | 'spki', key: CryptoKey): Promise<Uint8Array> {
  const bytes = await crypto.subtle.exportKey(format, key)
  if (!(bytes instanceof ArrayBuffer)) throw new TypeError(`${format} is bytes`)
  return new Uint8Array(bytes)
}

/** The names over several lines, each beginning with white space, which its reader ignores. */
function folded(names: string[]): string {
  let length = 0
  const items = names.map((name) => {
    length += name.length + 1
    if (length < MAX_LINE) return name
    length = name.length + 1
    return `\r\n  ${name}`
  })
  return items.join(':')
}

// RFC 5322 section 2.1.1 would have lines of 78 at most.
const MAX_LINE = 72
