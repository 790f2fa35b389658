/** Resend's own client, unmodified, against the whole Worker: every method of what is served, judged by its own declarations. */
import { join } from 'node:path'
import { Resend } from 'resend'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTenant, OPERATOR, type Service, startReceiver, startService, type Tenant, until } from '../flow/service.ts'
import { startSink } from '../support/smtp-sink.ts'
import { type Between, startProxy } from './proxy.ts'
import { METHODS, OPTIONAL } from './served.ts'
import { type Answer, makeWitness, type Witness } from './witness.ts'

const CLIENT = join(import.meta.dirname, '../../node_modules/resend')

let service: Service
let proxy: Between
let sink: Awaited<ReturnType<typeof startSink>>
let tenant: Tenant
let resend: Resend
let witness: Witness

beforeAll(async () => {
  sink = await startSink()
  proxy = await startProxy()
  service = await startService({ relayUrl: `smtp://127.0.0.1:${sink.port}`, vars: { PUBLIC_URL: proxy.url } })
  proxy.target = service.url
  tenant = await makeTenant(service, 'clients.test')
  resend = new Resend(tenant.key, { baseUrl: proxy.url })
  witness = makeWitness(proxy, CLIENT)
})

afterAll(async () => {
  await service.close()
  await proxy.close()
  await sink.close()
})

/** Makes a call that has to succeed, and notes its answer. */
function ask<T>(method: string, call: () => PromiseLike<Answer<T>>): Promise<T> {
  return witness.ask(method, call)
}

const INCOMING = (subject: string) =>
  [
    `Message-ID: <${subject}@away.test>`,
    'From: Ann <ann@away.test>',
    `To: ${tenant.address}, Bob <bob@away.test>`,
    'Cc: Cid <cid@away.test>',
    'Reply-To: answers@away.test',
    `Subject: ${subject}`,
    'Date: Mon, 23 Nov 2026 12:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: multipart/related; boundary=r',
    '',
    '--r',
    'Content-Type: multipart/alternative; boundary=a',
    '',
    '--a',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Hello',
    '--a',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<p>Hello <img src="cid:dot@x"></p>',
    '--a--',
    '--r',
    'Content-Type: image/png; name="dot.png"',
    'Content-ID: <dot@x>',
    'Content-Disposition: inline; filename="dot.png"',
    'Content-Transfer-Encoding: base64',
    '',
    'iVBORw==',
    '--r--',
    '',
  ].join('\r\n')

test('emails: sent, read, listed, with attachments whose bytes come back', async () => {
  const bytes = Buffer.from([0, 1, 254, 255, 13, 10, 46, 13, 10])
  const sent = await ask('emails.send', () =>
    resend.emails.send({
      from: `Me <${tenant.address}>`,
      to: ['Ann <ann@away.test>', 'bob@away.test'],
      cc: 'cid@away.test',
      bcc: ['dan@away.test'],
      replyTo: 'answers@clients.test',
      subject: 'Salom, дунё',
      html: '<p>It works. <img src="cid:dot"></p>',
      text: 'It works.',
      headers: { 'X-Entity-Ref-ID': '7' },
      tags: [{ name: 'kind', value: 'test' }],
      attachments: [
        { filename: 'a.bin', content: bytes },
        { filename: 'b.bin', content: bytes.toString('base64') },
        { filename: 'c.bin', content: new Uint8Array(bytes) },
        { filename: 'd.bin', content: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
        { filename: 'dot.png', content: bytes, contentType: 'image/png', contentId: 'dot' },
      ],
    }),
  )
  await ask('emails.create', () =>
    resend.emails.create({ from: tenant.address, to: 'ann@away.test', subject: 'Second', text: 'x' }),
  )
  const read = await ask('emails.get', () => resend.emails.get(sent.id))
  expect(read).toMatchObject({
    from: `Me <${tenant.address}>`,
    to: ['Ann <ann@away.test>', 'bob@away.test'],
    cc: ['cid@away.test'],
    bcc: ['dan@away.test'],
    reply_to: ['answers@clients.test'],
    subject: 'Salom, дунё',
    tags: [{ name: 'kind', value: 'test' }],
    text: 'It works.',
    html: '<p>It works. <img src="cid:dot"></p>',
    scheduled_at: null,
  })
  const listed = await ask('emails.list', () => resend.emails.list())
  expect(listed.data.map(({ subject }) => subject)).toEqual(['Second', 'Salom, дунё'])
  const page = await ask('emails.list', () => resend.emails.list({ limit: 1, after: listed.data[0]?.id ?? '' }))
  expect(page).toMatchObject({ has_more: false, data: [{ id: sent.id }] })
  const attached = await ask('emails.attachments.list', () => resend.emails.attachments.list({ emailId: sent.id }))
  expect(attached.data.map(({ filename }) => filename)).toEqual(['dot.png', 'a.bin', 'b.bin', 'c.bin', 'd.bin'])
  for (const { id } of attached.data) {
    const one = await ask('emails.attachments.get', () => resend.emails.attachments.get({ emailId: sent.id, id }))
    const link = await fetch(one.download_url)
    expect(Buffer.from(await link.arrayBuffer()).equals(bytes)).toBe(true)
    expect(one.size).toBe(bytes.length)
  }
})

test('emails.receiving: listed, read, attachments, forwarded both ways', async () => {
  await service.email('ann@away.test', tenant.address, INCOMING('forward-me'))
  const listed = await ask('emails.receiving.list', () => resend.emails.receiving.list({ limit: 5 }))
  const emailId = listed.data[0]?.id ?? ''
  const read = await ask('emails.receiving.get', () => resend.emails.receiving.get(emailId))
  expect(read).toMatchObject({
    from: 'Ann <ann@away.test>',
    to: [tenant.address, 'Bob <bob@away.test>'],
    cc: ['Cid <cid@away.test>'],
    reply_to: ['answers@away.test'],
    received_for: [tenant.address],
    message_id: '<forward-me@away.test>',
    text: 'Hello',
  })
  expect(read.html).toContain('data:image/png;base64,iVBORw==')
  const plain = await ask('emails.receiving.get', () => resend.emails.receiving.get(emailId, { html_format: 'cid' }))
  expect(plain.html).toContain('cid:dot@x')
  const attached = await ask('emails.receiving.attachments.list', () =>
    resend.emails.receiving.attachments.list({ emailId }),
  )
  const id = attached.data[0]?.id ?? ''
  const one = await ask('emails.receiving.attachments.get', () =>
    resend.emails.receiving.attachments.get({ emailId, id }),
  )
  expect(one).toMatchObject({ id, filename: 'dot.png', content_id: 'dot@x', content_disposition: 'inline', size: 4 })

  const ways = [{ passthrough: true as const }, { passthrough: false as const, text: 'See below.' }]
  for (const way of ways) {
    const forwarded = await resend.emails.receiving.forward({
      emailId,
      from: tenant.address,
      to: 'eve@away.test',
      ...way,
    })
    expect(forwarded.error).toBeNull()
    const shown = await resend.emails.get(forwarded.data?.id ?? '')
    expect(shown.data).toMatchObject({
      subject: way.passthrough ? 'forward-me' : 'Fwd: forward-me',
      to: ['eve@away.test'],
    })
    const files = await resend.emails.attachments.list({ emailId: forwarded.data?.id ?? '' })
    expect(files.data?.data.map(({ filename }) => filename)).toEqual([
      way.passthrough ? 'dot.png' : 'forwarded_message.eml',
    ])
  }
})

test('a mail that lacks everything is read as well', async () => {
  const answer = await service.call('POST', `/inbound?from=&to=${tenant.address}`, { key: OPERATOR, body: '\r\n' })
  expect(answer.status).toBe(200)
  const listed = await ask('emails.receiving.list', () => resend.emails.receiving.list({ limit: 1 }))
  const id = listed.data[0]?.id ?? ''
  const read = await ask('emails.receiving.get', () => resend.emails.receiving.get(id))
  expect(read).toMatchObject({
    from: '',
    to: [],
    subject: '',
    message_id: '',
    text: expect.anything(),
    attachments: [],
  })
  await ask('emails.receiving.attachments.list', () => resend.emails.receiving.attachments.list({ emailId: id }))
})

test('scheduled mail: shown so, put off, called off', async () => {
  const scheduledAt = new Date(Date.now() + 86_400_000).toISOString()
  const mail = { from: tenant.address, to: 'a@away.test', subject: 'Later', text: 'x', scheduledAt }
  const { id } = await ask('emails.send', () => resend.emails.send(mail))
  expect((await resend.emails.get(id)).data).toMatchObject({ last_event: 'scheduled', scheduled_at: scheduledAt })
  await ask('emails.update', () => resend.emails.update({ id, scheduledAt: 'in 2 days' }))
  await ask('emails.cancel', () => resend.emails.cancel(id))
  expect((await resend.emails.get(id)).data).toMatchObject({ last_event: 'canceled' })
  expect((await resend.emails.update({ id, scheduledAt })).error).toMatchObject({ statusCode: 422 })
})

test('batch: sent whole or not at all, or what of it is good', async () => {
  const mail = (to: string) => ({ from: tenant.address, to, subject: 'Batch', text: 'x' })
  const sent = await ask('batch.send', () => resend.batch.send([mail('a@away.test'), mail('b@away.test')]))
  expect(sent.data).toHaveLength(2)
  await ask('batch.create', () => resend.batch.create([mail('c@away.test')]))
  const strict = await resend.batch.send([mail('a@away.test'), mail('no')])
  expect(strict.error).toMatchObject({ statusCode: 422, name: 'validation_error' })
  const batchValidation = 'permissive'
  const permissive = await resend.batch.send([mail('a@away.test'), mail('no')], { batchValidation })
  expect(permissive.data).toMatchObject({ data: [{ id: expect.any(String) }], errors: [{ index: 1 }] })
  const idempotencyKey = 'batch-1'
  const twice = await Promise.all([1, 2].map(() => resend.batch.send([mail('a@away.test')], { idempotencyKey })))
  expect(twice[0]?.data).toEqual(twice[1]?.data)
})

test('suppressions: added, read by id and by address, listed, removed, in batches too', async () => {
  const { suppressions } = resend
  const made = await ask('suppressions.add', () => suppressions.add({ email: 'Gone+x@away.test' }))
  expect(await ask('suppressions.get', () => suppressions.get(made.id))).toMatchObject({
    origin: 'manual',
    source_id: null,
  })
  expect(await ask('suppressions.get', () => suppressions.get('gone+x@away.test'))).toMatchObject({ id: made.id })
  await ask('suppressions.list', () => suppressions.list({ origin: 'manual', limit: 10 }))
  await ask('suppressions.remove', () => suppressions.remove('gone+x@away.test'))
  await ask('suppressions.batch.add', () => suppressions.batch.add({ emails: ['a@gone.test', 'b@gone.test'] }))
  await ask('suppressions.batch.remove', () => suppressions.batch.remove({ emails: ['a@gone.test', 'b@gone.test'] }))
})

test('templates: made, read, changed, published, copied, sent by, removed', async () => {
  const { templates } = resend
  const variables = [{ key: 'NAME', type: 'string' as const, fallbackValue: 'you' }]
  const content = { name: 'Welcome', alias: 'welcome', subject: 'Hi', html: '<p>Hi {{{NAME}}}</p>', variables }
  const { id } = await ask('templates.create', () => templates.create(content))
  await ask('templates.update', () => templates.update(id, { text: 'Hi {{{NAME}}}', replyTo: tenant.address }))
  await ask('templates.publish', () => templates.publish(id))
  await ask('templates.get', () => templates.get('welcome'))
  await ask('templates.list', () => templates.list())
  const copy = await ask('templates.duplicate', () => templates.duplicate(id))
  const template = { id, variables: { NAME: 'Ann' } }
  const sent = await resend.emails.send({ from: tenant.address, to: 'ann@away.test', template })
  expect((await resend.emails.get(sent.data?.id ?? '')).data).toMatchObject({ subject: 'Hi', html: '<p>Hi Ann</p>' })
  await ask('templates.remove', () => templates.remove(copy.id))
})

test('domains: made, read, listed, changed, verified, removed', async () => {
  const made = await ask('domains.create', () =>
    resend.domains.create({ name: 'more.clients.test', region: 'eu-west-1' }),
  )
  expect(made.records.length).toBeGreaterThan(2)
  const { id } = made
  await ask('domains.get', () => resend.domains.get(id))
  await ask('domains.list', () => resend.domains.list())
  await ask('domains.update', () => resend.domains.update({ id, capabilities: { receiving: 'disabled' } }))
  await ask('domains.update', () =>
    resend.domains.update({ id, openTracking: false, clickTracking: false, tls: 'opportunistic' }),
  )
  await ask('domains.verify', () => resend.domains.verify(id))
  expect((await resend.domains.get(id)).data).toMatchObject({
    status: 'verified',
    capabilities: { receiving: 'disabled' },
  })
  await ask('domains.remove', () => resend.domains.remove(id))
  expect((await resend.domains.get(id)).error).toMatchObject({ statusCode: 404, name: 'not_found' })
})

test('apiKeys: made, listed, renamed, removed, and restricted to sending', async () => {
  const made = await ask('apiKeys.create', () => resend.apiKeys.create({ name: 'Full' }))
  expect(made.token).toMatch(/^re_/)
  const limited = await ask('apiKeys.create', () =>
    resend.apiKeys.create({ name: 'Sends', permission: 'sending_access' }),
  )
  await ask('apiKeys.list', () => resend.apiKeys.list({ limit: 2 }))
  await ask('apiKeys.update', () => resend.apiKeys.update(made.id, { name: 'Renamed' }))
  const sender = new Resend(limited.token, { baseUrl: proxy.url })
  expect((await sender.emails.list()).error).toEqual({
    statusCode: 401,
    name: 'restricted_api_key',
    message: 'This API key is restricted to only send emails',
    fix: expect.any(String),
    request_id: expect.any(String),
  })
  expect(
    (await sender.emails.send({ from: tenant.address, to: 'a@away.test', subject: 's', text: 't' })).error,
  ).toBeNull()
  await ask('apiKeys.remove', () => resend.apiKeys.remove(made.id))
  const gone = new Resend(made.token, { baseUrl: proxy.url })
  expect((await gone.emails.list()).error).toMatchObject({ statusCode: 403, name: 'invalid_api_key' })
})

test('webhooks: made, told, verified, rotated, their events read and told again, removed', async () => {
  const receiver = await startReceiver()
  const made = await ask('webhooks.create', () =>
    resend.webhooks.create({ endpoint: receiver.url, events: ['email.received', 'email.sent'] }),
  )
  const { id } = made
  await ask('webhooks.get', () => resend.webhooks.get(id))
  await ask('webhooks.list', () => resend.webhooks.list())
  const rotated = await ask('webhooks.rotateSigningSecret', () => resend.webhooks.rotateSigningSecret(id))
  await service.email('ann@away.test', tenant.address, INCOMING('told'))
  const call = await until(() => receiver.calls.find(({ body }) => body.includes('email.received')), 'the webhook')
  const [headerId, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) =>
    String(call.headers[`svix-${name}`]),
  )
  for (const webhookSecret of [made.signing_secret, rotated.signing_secret]) {
    const headers = { id: headerId ?? '', timestamp: timestamp ?? '', signature: signature ?? '' }
    expect(resend.webhooks.verify({ payload: call.body, headers, webhookSecret }).type).toBe('email.received')
  }
  const list = () => resend.webhooks.events.list({ webhookId: id, limit: 10 })
  await resend.emails.send({ from: tenant.address, to: 'ann@away.test', subject: 'Told', text: 'x' })
  const told = await until(async () => {
    const { data } = await list()
    return data?.data.find(({ type, status }) => type === 'email.sent' && status === 'success')
  }, 'the event to be told')
  await ask('webhooks.events.list', list)
  const event = { webhookId: id, eventId: told.id }
  await ask('webhooks.events.get', () => resend.webhooks.events.get(event))
  await ask('webhooks.events.attempts.list', () => resend.webhooks.events.attempts.list(event))
  await ask('webhooks.events.replay', () => resend.webhooks.events.replay(event))
  const again = () => receiver.calls.filter(({ headers }) => headers['webhook-id'] === event.eventId)
  await until(() => again().length > 1, 'the webhook again')
  await ask('webhooks.update', () => resend.webhooks.update(id, { status: 'disabled', events: ['email.bounced'] }))
  await ask('webhooks.remove', () => resend.webhooks.remove(id))
  await receiver.close()
})

test('a base URL that ends in a slash is as good', async () => {
  const slashed = new Resend(tenant.key, { baseUrl: `${proxy.url}/` })
  expect((await slashed.emails.list()).error).toBeNull()
  expect((await slashed.emails.receiving.list({ limit: 1 })).error).toBeNull()
  expect(
    (await slashed.emails.send({ from: tenant.address, to: 'a@away.test', subject: 's', text: 't' })).error,
  ).toBeNull()
})

test('what is not served says so', async () => {
  const answers = await Promise.all([
    resend.broadcasts.list(),
    resend.contacts.list(),
    resend.segments.list(),
    resend.topics.list(),
    resend.emails.metrics(),
    resend.automations.list(),
    resend.inboxes.list(),
    resend.logs.list(),
    resend.usage.get(),
    resend.domains.claims.create({ name: 'x.test' }),
    resend.emails.share('0191e1c7-7c4a-7e10-8f3a-5b0c6d7e8f90'),
  ])
  for (const { error } of answers) expect(error).toMatchObject({ statusCode: 404, name: 'not_found' })
})

test('every answer is what the client’s own types and our own contract say', async () => {
  expect([...new Set(witness.seen.map(({ method }) => method))]).toEqual(METHODS)
  const found = await witness.faults(witness.seen)
  expect(found.flatMap((fault, at) => (fault ? [`${witness.seen[at]?.method}: ${fault}`] : []))).toEqual([])
})

test('with one field of one answer dropped or of another type, that is noticed', async () => {
  const mutants = await witness.mutants()
  expect(mutants.length).toBeGreaterThan(350)
  const found = await witness.faults(mutants)
  expect(mutants.flatMap(({ what }, at) => (found[at] ? [] : [what]))).toEqual(OPTIONAL)
})
