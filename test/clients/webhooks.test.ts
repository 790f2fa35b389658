import { randomBytes } from 'node:crypto'
import { Resend } from 'resend'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { expect, test } from 'vitest'
import { makeSecret, SECRET_BYTES, signedHeaders } from '../../src/webhook/sign.ts'

const body = JSON.stringify({ type: 'email.received', data: { subject: 'Grüße ✓ "quoted" \\ </script>' }, seq: 7 })
const now = () => Math.floor(Date.now() / 1000)
const secret = makeSecret(randomBytes(SECRET_BYTES))
const other = makeSecret(randomBytes(SECRET_BYTES))

type Headers = Record<string, string>

/** How receivers verify, with the libraries they have. Each throws where it does not believe. */
const receivers: [name: string, verify: (body: string, headers: Headers, secret: string) => unknown][] = [
  [
    'resend',
    (payload, headers, webhookSecret) =>
      new Resend('re_test').webhooks.verify({ payload, webhookSecret, headers: shortNames(headers, 'svix') }),
  ],
  [
    'resend, given the other header family',
    (payload, headers, webhookSecret) =>
      new Resend('re_test').webhooks.verify({ payload, webhookSecret, headers: shortNames(headers, 'webhook') }),
  ],
  ['svix', (payload, headers, key) => svix(payload, family(headers, 'svix'), key)],
  ['svix, given all headers', svix],
  ['standardwebhooks', (payload, headers, key) => new StandardWebhook(key).verify(payload, headers)],
]

test('the published check vector is met', async () => {
  const headers = await signedHeaders(
    { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' },
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  )
  const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': expected,
    'svix-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'svix-timestamp': '1614265330',
    'svix-signature': expected,
  })
})

test.each(receivers)('%s believes what we signed, and reads it', async (_, verify) => {
  const headers = await signedHeaders({ id: 'msg_1', timestamp: now(), body }, [secret])
  expect(verify(body, headers, secret)).toEqual(JSON.parse(body))
})

test.each(receivers)('%s does not believe an altered body, another id, secret or time', async (_, verify) => {
  const headers = await signedHeaders({ id: 'msg_1', timestamp: now(), body }, [secret])
  const altered = (name: string, value: string) => ({ ...headers, [`webhook-${name}`]: value, [`svix-${name}`]: value })
  expect(() => verify(body.replace('7', '8'), headers, secret)).toThrow('No matching signature')
  expect(() => verify(body, headers, other)).toThrow('No matching signature')
  expect(() => verify(body, altered('id', 'msg_2'), secret)).toThrow('No matching signature')
  expect(() => verify(body, altered('timestamp', String(now() - 60)), secret)).toThrow('No matching signature')
})

test.each(receivers)('%s does not believe an old call that is sent again', async (_, verify) => {
  const headers = await signedHeaders({ id: 'msg_1', timestamp: now() - 600, body }, [secret])
  expect(() => verify(body, headers, secret)).toThrow('too old')
})

test.each(receivers)('%s believes either secret while both are in force', async (_, verify) => {
  const headers = await signedHeaders({ id: 'msg_1', timestamp: now(), body }, [secret, other])
  expect(verify(body, headers, secret)).toEqual(JSON.parse(body))
  expect(verify(body, headers, other)).toEqual(JSON.parse(body))
  expect(() => verify(body, headers, makeSecret(randomBytes(SECRET_BYTES)))).toThrow('No matching signature')
})

/** The svix library throws or answers nothing; its users then read the body. */
function svix(payload: string, headers: Headers, key: string): unknown {
  new SvixWebhook(key).verify(payload, headers)
  return JSON.parse(payload)
}

function family(headers: Headers, prefix: string): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(prefix)))
}

function shortNames(headers: Headers, prefix: string) {
  const value = (name: string) => headers[`${prefix}-${name}`] ?? ''
  return { id: value('id'), timestamp: value('timestamp'), signature: value('signature') }
}
