import { authenticate } from 'mailauth'
import { Resend } from 'resend'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSink } from '../support/smtp-sink.ts'
import { makeTenant, OPERATOR, type Service, startReceiver, startService, type Tenant, until } from './service.ts'

let service: Service
let sink: Awaited<ReturnType<typeof startSink>>
let tenant: Tenant

beforeAll(async () => {
  sink = await startSink()
  service = await startService({ relayUrl: `smtp://127.0.0.1:${sink.port}` })
  tenant = await makeTenant(service, 'journey.test')
})

afterAll(async () => {
  await service.close()
  await sink.close()
})

const client = () => new Resend(tenant.key, { baseUrl: service.url })

test('a mail sent with the official client leaves over SMTP, signed, without Bcc, under a return path of ours', async () => {
  const { data, error } = await client().emails.send({
    from: `Me <${tenant.address}>`,
    to: 'you@away.test',
    bcc: 'hidden@away.test',
    subject: 'Salom, дунё',
    html: '<p>It works. <img src="cid:dot"></p>',
    attachments: [
      { filename: 'note.txt', content: Buffer.from('.\r\nA line that opens with a dot.') },
      { filename: 'dot.png', content: Buffer.from([137, 80, 78, 71]), contentId: 'dot' },
    ],
    tags: [{ name: 'kind', value: 'journey' }],
  })
  expect(error).toBeNull()
  const id = data?.id ?? ''
  await until(() => sink.messages.length === 2, 'two transactions')
  const [first, second] = sink.messages
  expect([first, second].map((message) => message?.recipients[0]?.address).sort()).toEqual([
    'hidden@away.test',
    'you@away.test',
  ])
  expect(first?.from).toMatch(/^b-[0-9a-z-]+@send\.journey\.test$/)
  expect(first?.from).not.toBe(second?.from)
  expect(first?.bytes.equals(second?.bytes ?? Buffer.alloc(0))).toBe(true)
  expect(first?.bytes.toString('latin1')).not.toMatch(/hidden|^bcc:/im)

  const domain = (await service.call('GET', '/domains', { key: tenant.key })).body.data[0]
  const shown = (await service.call('GET', `/domains/${domain.id}`, { key: tenant.key })).body
  const dkim = shown.records.find((record: { record: string }) => record.record === 'DKIM')
  const { dkim: verdict } = await authenticate(first?.bytes ?? '', {
    resolver: async () => [[dkim.value]],
    disableArc: true,
    disableDmarc: true,
    disableBimi: true,
  })
  expect(verdict?.results[0]?.status.result).toBe('pass')

  const seen = await until(async () => {
    const { data } = await client().emails.get(id)
    return data?.last_event === 'sent' ? data : undefined
  }, 'the mail to be sent')
  expect(seen).toMatchObject({
    object: 'email',
    id,
    to: ['you@away.test'],
    bcc: ['hidden@away.test'],
    subject: 'Salom, дунё',
  })
  expect((await client().emails.list()).data?.data[0]?.id).toBe(id)
})

test('a mail that comes in is listed, read, downloaded byte for byte, and told to a webhook that the client verifies', async () => {
  const receiver = await startReceiver()
  const made = await client().webhooks.create({ endpoint: receiver.url, events: ['email.received'] })
  expect(made.error).toBeNull()
  const raw = [
    'Message-ID: <in-1@away.test>',
    'From: Ann <ann@away.test>',
    `To: ${tenant.address}`,
    'Subject: =?utf-8?B?0KHQsNC70L7QvA==?=',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Hello',
    '--b',
    'Content-Type: application/octet-stream; name="a.bin"',
    'Content-Transfer-Encoding: base64',
    '',
    'AAEC/f7/',
    '--b--',
    '',
  ].join('\r\n')
  expect(await service.email('ann@away.test', tenant.address, raw)).toEqual({ outcome: 'ok' })

  const call = await until(() => receiver.calls[0], 'the webhook')
  const event = client().webhooks.verify({
    payload: call.body,
    headers: {
      id: String(call.headers['svix-id']),
      timestamp: String(call.headers['svix-timestamp']),
      signature: String(call.headers['svix-signature']),
    },
    webhookSecret: made.data?.signing_secret ?? '',
  })
  expect(event).toMatchObject({
    type: 'email.received',
    data: { from: 'Ann <ann@away.test>', received_for: [tenant.address] },
  })
  await receiver.close()

  const { data: listed } = await client().emails.receiving.list()
  const id = listed?.data[0]?.id ?? ''
  const { data: read } = await client().emails.receiving.get(id)
  expect(read).toMatchObject({ subject: 'Салом', text: 'Hello', message_id: '<in-1@away.test>' })
  const bytes = await service.follow(read?.raw?.download_url).then((answer) => answer.arrayBuffer())
  expect(Buffer.from(bytes).toString()).toBe(raw)
  const { data: attachments } = await client().emails.receiving.attachments.list({ emailId: id })
  const download = await service.follow(attachments?.data[0]?.download_url)
  expect([...new Uint8Array(await download.arrayBuffer())]).toEqual([0, 1, 2, 253, 254, 255])
  expect(download.headers.get('content-security-policy')).toContain('sandbox')
})

test('what email() cannot ever deliver is rejected for good', async () => {
  const raw = 'Message-ID: <x@away.test>\r\nFrom: a@away.test\r\n\r\nhi\r\n'
  const { rejectReason } = await service.email('a@away.test', 'nobody@journey.test', raw)
  expect(rejectReason).toContain('No such address')
})

test('the operator brings mail in by POST /inbound, and the same mail again is no second one', async () => {
  const raw = 'Message-ID: <twice@away.test>\r\nFrom: a@away.test\r\nSubject: Twice\r\n\r\nhi\r\n'
  const bring = () =>
    service.call('POST', `/inbound?from=a@away.test&to=${tenant.address}`, {
      key: OPERATOR,
      body: raw,
      headers: { 'content-type': 'message/rfc822' },
    })
  const first = await bring()
  expect(first).toMatchObject({ status: 200, body: { duplicate: false } })
  expect(await bring()).toMatchObject({ status: 200, body: { id: first.body.id, duplicate: true } })
})
