/** Mail that is sent on and answered by itself, past a real relay, by the whole service. */
import { generateKeyPairSync } from 'node:crypto'
import { authenticate } from 'mailauth'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Sink, startSink } from '../support/smtp-sink.ts'
import { makeTenant, OPERATOR, type Service, startService, type Tenant, until } from './service.ts'

let service: Service
let sink: Sink
let tenant: Tenant

beforeAll(async () => {
  sink = await startSink()
  service = await startService({ relayUrl: `smtp://127.0.0.1:${sink.port}` })
  tenant = await makeTenant(service, 'onward.test')
})

afterAll(async () => {
  await service.close()
  await sink.close()
})

const to = (address: string) => sink.messages.filter(({ recipients }) => recipients[0]?.address === address)

const letter = (id: string, named: string, ...more: string[]) =>
  [...more, `Message-ID: <${id}@away.test>`, 'Date: Mon, 23 Nov 2026 12:00:00 +0000', 'From: Ann <ann@away.test>']
    .concat([`To: ${named}`, 'Subject: Salom', '', 'Come to the plov.', ''])
    .join('\r\n')

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** The letter as its author's own host would sign it. */
async function signed(text: string): Promise<string> {
  const privateKey = stranger.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const by = { signingDomain: 'away.test', selector: 'a', privateKey }
  // Its types ask for one signer, its code for a list of them.
  const { signatures } = await dkimSign(text, { ...by, signTime: new Date(), signatureData: [by] })
  return signatures + text
}

/** The TXT records of both who sign. */
async function keysOf({ key }: Tenant): Promise<(name: string) => string> {
  const domain = (await service.call('GET', '/domains', { key })).body.data[0]
  const shown = (await service.call('GET', `/domains/${domain.id}`, { key })).body
  const ours = shown.records.find((record: { record: string }) => record.record === 'DKIM').value
  const theirs = stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  return (name) => (name.endsWith('away.test') ? `v=DKIM1; k=rsa; p=${theirs}` : ours)
}

test('mail goes on, once its new reader has agreed, with its own signature whole, under a return path of ours; a bounce is told of the copy', async () => {
  const { key, address } = tenant
  const body = { forward_to: ['me@home.test'] }
  expect((await service.call('PATCH', `/addresses/${address}`, { key, body })).body.forward_pending).toEqual(
    body.forward_to,
  )
  const question = await until(() => to('me@home.test')[0], 'the question')
  const text = question.bytes.toString().replace(/=\r\n/g, '').replaceAll('=3D', '=')
  const [link = ''] = /https?:\/\/\S+\/forward-targets\/confirm\/[\w.-]+/.exec(text) ?? []
  const agreed = await fetch(service.url + new URL(link).pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'agree=yes',
  })
  expect(agreed.status).toBe(200)

  const original = await signed(letter('one', address))
  expect(await service.email('ann@away.test', address, original)).toEqual({ outcome: 'ok' })
  const copy = await until(() => to('me@home.test')[1], 'the copy')
  expect(copy.from).toMatch(/^b-[0-9a-z-]+@send\.onward\.test$/)
  expect(copy.bytes.toString().endsWith(original)).toBe(true)
  const record = await keysOf(tenant)
  const { dkim } = await authenticate(copy.bytes, {
    resolver: async (name) => [[record(name)]],
    disableArc: true,
    disableDmarc: true,
    disableBimi: true,
  })
  const results = dkim?.results.map(({ signingDomain, status }) => [signingDomain, status.result])
  expect(results?.sort()).toEqual([
    ['away.test', 'pass'],
    ['onward.test', 'pass'],
  ])

  const bounce = [
    'From: MAILER-DAEMON@home.test',
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.home.test',
    '',
    'Final-Recipient: rfc822; me@home.test',
    'Action: failed',
    'Status: 5.1.1',
    'Diagnostic-Code: smtp; 550 5.1.1 no such user',
    '',
    '--b--',
    '',
  ].join('\r\n')
  const path = `/inbound?from=&to=${encodeURIComponent(copy.from)}`
  const headers = { 'content-type': 'message/rfc822' }
  expect((await service.call('POST', path, { key: OPERATOR, body: bounce, headers })).status).toBe(200)
  await until(async () => {
    await service.tick()
    const { data } = (await service.call('GET', '/emails', { key })).body
    return data.some(
      (mail: { from: string; last_event: string }) => mail.from.includes('ann@') && mail.last_event === 'bounced',
    )
  }, 'the bounce to be told of the copy')
})

test('two of our addresses that forward to each other, past a relay that changes what it passes on, end it at once', async () => {
  const patch = (from: Tenant, forward: string[]) =>
    service.call('PATCH', `/addresses/${from.address}`, { key: from.key, body: { forward_to: forward } })
  await service.call('POST', '/addresses', { key: tenant.key, body: { address: 'there@onward.test' } })
  await service.call('POST', '/addresses', { key: tenant.key, body: { address: 'back@onward.test' } })
  const own = { ...tenant, address: 'there@onward.test' }
  await patch(own, ['back@onward.test'])
  await patch({ ...tenant, address: 'back@onward.test' }, ['there@onward.test'])
  await service.email('ann@away.test', own.address, letter('loop', own.address))
  let passed = 0
  for (let quiet = 0; quiet < 8; quiet++) {
    await service.tick()
    const back = sink.messages.filter(({ recipients }) => /^(?:there|back)@/.test(recipients[0]?.address ?? ''))
    for (const { from, recipients, bytes } of back.slice(passed)) {
      quiet = 0
      passed++
      await service.email(from, recipients[0]?.address ?? '', `${bytes.toString('latin1')}-- \r\nlist ${passed}\r\n`)
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  expect(passed).toBe(2)
})

test('an address that is away answers once, from the null path', async () => {
  const { key } = tenant
  const address = 'away@onward.test'
  await service.call('POST', '/addresses', { key, body: { address, name: 'Away', auto_reply: { text: 'On Monday.' } } })
  for (const id of ['first', 'second']) await service.email('ben@away.test', address, letter(id, address))
  const answer = await until(() => to('ben@away.test')[0], 'the answer')
  expect(answer.from).toBe('')
  expect(answer.bytes.toString()).toContain('Auto-Submitted: auto-replied')
  await service.tick()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(to('ben@away.test')).toHaveLength(1)
})
