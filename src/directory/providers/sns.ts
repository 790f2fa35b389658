/**
 * Messages of Amazon SNS to an HTTPS endpoint: who signed them, and the answer to its question whether we want them.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
 */
import { fromBase64, latin1, utf8 } from '../../base/bytes.ts'
import { parseJson, textAt } from '../../base/json.ts'
import { Problem } from '../../base/problem.ts'
import { type Certificate, readCertificate } from '../../base/x509.ts'
import type { Context } from '../../context.ts'

export type SnsMessage = {
  readonly type: 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation'
  readonly topic: string
  /** What was published, as text. */
  readonly message: string
  readonly subscribeUrl: string
}

/** Reads an SNS message whose signature holds. @throws Problem invalid_request, invalid_api_key; service_unavailable where the certificate cannot be had now. */
export async function readSns(ctx: Context, body: Uint8Array, topic: string | undefined): Promise<SnsMessage> {
  const content = parseJson(body)
  const type = textAt(content, 'Type')
  const signed = Object.hasOwn(SIGNED, type) ? SIGNED[type] : undefined
  if (!signed) {
    throw new Problem('invalid_request', 'This is no message of SNS.', {
      fix: 'Leave raw message delivery off: without its envelope a message carries no signature.',
    })
  }
  // Before a certificate is fetched: what another topic says is of no interest, however well it is signed.
  if (topic !== undefined && textAt(content, 'TopicArn') !== topic)
    throw forged('the topic is not the one of this provider')
  const hash = HASHES.get(textAt(content, 'SignatureVersion'))
  if (!hash) throw forged('its signature version is not known')
  const certificate = await certificateAt(ctx, textAt(content, 'SigningCertURL') || textAt(content, 'SigningCertUrl'))
  if (ctx.now() < certificate.notBefore || ctx.now() > certificate.notAfter)
    throw forged('its certificate is not valid now')
  if (!(await verify(certificate, hash, canonical(content, signed), textAt(content, 'Signature')))) {
    throw forged('its signature does not hold')
  }
  return {
    type: asType(type),
    topic: textAt(content, 'TopicArn'),
    message: textAt(content, 'Message'),
    subscribeUrl: textAt(content, 'SubscribeURL'),
  }
}

/** Says yes to a subscription, by visiting the URL it came with. @throws Problem service_unavailable: SNS asks again. */
export async function confirmSubscription(ctx: Context, message: SnsMessage): Promise<void> {
  const url = snsUrl(message.subscribeUrl)
  if (!url) throw forged('the URL to confirm it by is not one of SNS')
  const answer = await ctx.net.fetch({
    url: url.href,
    method: 'GET',
    headers: {},
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER,
  })
  if (answer.kind !== 'answered' || answer.status !== 200) {
    throw new Problem('service_unavailable', 'The subscription could not be confirmed.', { retryAfter: 60 })
  }
}

/** What each type of message is signed over, in this order; a field that is not there is left out. */
const CONFIRMATION = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
const SIGNED: Readonly<Record<string, readonly string[]>> = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: CONFIRMATION,
  UnsubscribeConfirmation: CONFIRMATION,
}

const HASHES = new Map([
  ['1', 'SHA-1'],
  ['2', 'SHA-256'],
])

/** AWS answers at once; SNS itself waits fifteen seconds for us. */
const TIMEOUT_MS = 5000

/** A certificate has two kilobytes. */
const MAX_ANSWER = 64 * 1024

/** Each region signs with one certificate at a time, and an isolate sees few regions. */
const MOST_KEPT = 32

const kept = new Map<string, Certificate>()

async function certificateAt(ctx: Context, given: string): Promise<Certificate> {
  const url = snsUrl(given)
  // A query could be a request to SNS whose answer somebody else had a hand in.
  if (url?.search !== '' || !/^\/[A-Za-z0-9-]{1,100}\.pem$/.test(url.pathname)) {
    throw forged('its certificate is not at a place of SNS')
  }
  const known = kept.get(url.href)
  if (known) return known
  const answer = await ctx.net.fetch({
    url: url.href,
    method: 'GET',
    headers: {},
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER,
  })
  const read = answer.kind === 'answered' && answer.status === 200 ? readCertificate(latin1(answer.body)) : undefined
  if (!read) throw new Problem('service_unavailable', 'The certificate of SNS could not be read.', { retryAfter: 60 })
  if (kept.size >= MOST_KEPT) kept.clear()
  kept.set(url.href, read)
  return read
}

/** A URL on a host that is SNS itself: the trust in what lies there rests on this name alone. */
function snsUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url?.protocol === 'https:' && url.port === '' && url.username === '' && url.password === ''
  return plain && /^sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?$/.test(url.hostname) ? url : undefined
}

function canonical(content: unknown, fields: readonly string[]): Uint8Array<ArrayBuffer> {
  const present = fields.filter((field) => field !== 'Subject' || textAt(content, field) !== '')
  return utf8(present.map((field) => `${field}\n${textAt(content, field)}\n`).join(''))
}

async function verify(
  certificate: Certificate,
  hash: string,
  signed: Uint8Array<ArrayBuffer>,
  signature: string,
): Promise<boolean> {
  const kind = { name: 'RSASSA-PKCS1-v1_5', hash }
  try {
    const key = await crypto.subtle.importKey('spki', certificate.publicKey, kind, false, ['verify'])
    return await crypto.subtle.verify(kind.name, key, fromBase64(signature), signed)
  } catch {
    // A key that is no RSA key, or a signature that is no base64.
    return false
  }
}

function forged(why: string): Problem {
  return new Problem('invalid_api_key', `The message does not prove to be from SNS: ${why}.`)
}

/** `SIGNED` has these names and no others. */
function asType(type: string): SnsMessage['type'] {
  return type as SnsMessage['type']
}
