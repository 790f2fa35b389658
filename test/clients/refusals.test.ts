/** Every refusal of the API's table, provoked over HTTP: its status, name and form, and that it names all that is wrong. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type CallOptions,
  type Json,
  makeTenant,
  OPERATOR,
  type Service,
  startService,
  type Tenant,
} from '../flow/service.ts'
import { expectManners, expectRefused, type Refused } from './refused.ts'

let service: Service
let tenant: Tenant
let stranger: Tenant

beforeAll(async () => {
  service = await startService({ vars: { MAX_ATTACHMENT_BYTES: '100000', MAX_MESSAGE_BYTES: '300000' } })
  tenant = await makeTenant(service, 'refusals.test')
  stranger = await makeTenant(service, 'stranger.test')
})

afterAll(() => service.close())

const mail = (more: object = {}) => ({ from: tenant.address, to: 'a@away.test', subject: 's', text: 't', ...more })

/** Asks what must be refused. */
function refused(method: string, path: string, options: CallOptions, wanted: Refused): Promise<Json> {
  return expectRefused(service, method, path, options, wanted)
}

test('keys: none, an unknown one, one that may only send, an account’s with X-Account', async () => {
  const none = { status: 401, name: 'missing_api_key' }
  await refused('GET', '/emails', {}, none)
  await refused('GET', '/emails', { headers: { authorization: 'Basic eDp5' } }, none)
  await refused('GET', '/emails', { headers: { authorization: 'Bearer ' } }, none)
  await refused('GET', '/emails', { key: 're_nobodys' }, { status: 403, name: 'invalid_api_key' })
  const made = await service.call('POST', '/api-keys', {
    key: tenant.key,
    body: { name: 'sends', permission: 'sending_access' },
  })
  const sends = { key: made.body.token }
  const restricted = { status: 401, name: 'restricted_api_key' }
  await refused('GET', '/emails', sends, { ...restricted, message: /^This API key is restricted to only send emails$/ })
  await refused('POST', '/api-keys', { ...sends, body: { name: 'x' } }, restricted)
  await refused('GET', '/accounts', { key: tenant.key }, restricted)
  const account = { status: 400, name: 'validation_error' }
  await refused('GET', '/emails', { key: tenant.key, account: tenant.id }, account)
  await refused('GET', '/emails', { key: OPERATOR }, { ...account, fix: /X-Account/ })
  await refused('GET', '/emails', { key: OPERATOR, account: 'nobody' }, { status: 404, name: 'not_found' })
})

test('paths: unknown, not served, by the wrong method', async () => {
  const { key } = tenant
  const unknown = { status: 404, name: 'not_found', fix: /openapi\.json/ }
  for (const path of ['/', '/nothing', '/emails/1/2/3/4', '/emails//x']) await refused('GET', path, { key }, unknown)
  for (const path of ['/broadcasts', '/contacts/x', '/emails/metrics']) {
    await refused('GET', path, { key }, { ...unknown, message: /not served/ })
  }
  for (const [method, path] of [
    ['PUT', '/emails'],
    ['DELETE', '/emails'],
    ['PATCH', '/health'],
  ] as const) {
    const wrong = { status: 405, name: 'method_not_allowed', fix: /GET/ }
    await refused(method, path, { key, ...(method === 'DELETE' ? {} : { body: {} }) }, wrong)
    const { headers } = await service.call(method, path, { key })
    expect(headers.get('allow')).toContain('GET')
  }
})

test('HEAD answers as GET without a body, OPTIONS tells the methods, and every base URL will do', async () => {
  const authorization = `Bearer ${tenant.key}`
  const head = await fetch(`${service.url}/emails`, { method: 'HEAD', headers: { authorization } })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const options = await fetch(`${service.url}/emails`, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('allow')]).toEqual([200, 'POST, GET, HEAD'])
  for (const path of ['//emails', '/emails/', '//emails/?limit=1', '///emails']) {
    const { status, headers } = await service.call('GET', path, { key: tenant.key })
    expect(status, path).toBe(200)
    expectManners(headers, path)
  }
  const slashed = await service.call('POST', '//emails', { key: tenant.key, body: mail() })
  expect(slashed.status).toBe(200)
})

test('an empty body with a JSON type is no fault where no body is needed, and names what is missing where one is', async () => {
  const { key } = tenant
  expect((await service.call('GET', '/emails', { key })).status).toBe(200)
  const domain = (await service.call('GET', '/domains', { key })).body.data[0]
  expect((await service.call('POST', `/domains/${domain.id}/verify`, { key, body: '' })).status).toBe(200)
  const missing = { status: 422, name: 'missing_required_field', fields: ['from', 'subject', 'to'] }
  await refused('POST', '/emails', { key, body: '' }, { ...missing, message: /^Missing `(from|to)` field\.$/ })
  await refused('POST', '/emails', { key, body: {} }, missing)
  await refused('POST', '/webhooks', { key, body: {} }, { ...missing, fields: ['endpoint', 'events'] })
  await refused('POST', '/emails', { key, body: mail({ text: undefined }) }, { ...missing, fields: ['html', 'text'] })
})

test('bodies that are no JSON, of wrong types, with fields that are not ours: all faults at once', async () => {
  const { key } = tenant
  const notJson = { status: 400, name: 'validation_error' }
  for (const body of ['{', 'undefined', "{'a':1}", '{"a":1}}', '\u0000'])
    await refused('POST', '/emails', { key, body }, notJson)
  const wrong = { status: 422, name: 'validation_error' }
  for (const body of ['[]', '"x"', 'null', '7', 'true']) await refused('POST', '/emails', { key, body }, wrong)
  await refused(
    'POST',
    '/emails',
    { key, body: mail({ to: 7, subject: [], tags: 'x', nonsense: 1 }) },
    {
      ...wrong,
      fields: ['to', 'subject', 'tags', 'nonsense'],
    },
  )
  await refused(
    'POST',
    '/emails',
    { key, body: mail({ to: ['a@b.test', 'no', 'nor this'], cc: '@', reply_to: 'x@' }) },
    {
      ...wrong,
      fields: ['to[1]', 'to[2]', 'cc', 'reply_to'],
    },
  )
  await refused(
    'POST',
    '/emails',
    { key, body: mail({ tags: [{ name: 'a b', value: '' }] }) },
    {
      ...wrong,
      fields: ['tags[0].name', 'tags[0].value'],
    },
  )
  const proto = JSON.stringify(mail()).replace('{', '{"__proto__":{"subject":"x"},')
  await refused('POST', '/emails', { key, body: proto }, { ...wrong, fields: ['__proto__'] })
})

test('a mail: whose sender is not ours, with headers that are ours to write, with attachments that are none', async () => {
  const { key } = tenant
  const send = (more: object, wanted: Refused) => refused('POST', '/emails', { key, body: mail(more) }, wanted)
  for (const from of ['', 'no', 'a b@refusals.test', `${tenant.address}, x@y.test`]) {
    await send({ from }, { status: 422, name: 'invalid_from_address', fields: ['from'] })
  }
  for (const from of ['me@stranger.test', stranger.address, 'me@gmail.com']) {
    await send({ from }, { status: 403, name: 'validation_error', fields: ['from'], fix: /POST \/domains/ })
  }
  const reserved = [
    'From',
    'sender',
    'BCC',
    'Date',
    'Message-Id',
    'Return-Path',
    'Received',
    'DKIM-Signature',
    'MIME-Version',
    'Content-Type',
  ]
  await send(
    { headers: Object.fromEntries(reserved.map((name) => [name, 'x'])) },
    {
      status: 422,
      name: 'validation_error',
      fields: reserved.map((name) => `headers."${name}"`),
    },
  )
  const attachment = { status: 422, name: 'invalid_attachment' }
  await send({ attachments: [{ filename: 'a' }] }, { ...attachment, fields: ['attachments[0]'] })
  await send({ attachments: [{ filename: 'a', content: '!' }] }, { ...attachment, fields: ['attachments[0].content'] })
  for (const path of [
    '/etc/passwd',
    'file:///etc/passwd',
    'http://169.254.169.254/latest',
    'http://[::ffff:10.0.0.1]/',
  ]) {
    await send({ attachments: [{ path }] }, { ...attachment, fields: ['attachments[0].path'] })
  }
  await send(
    { to: Array.from({ length: 51 }, (_, at) => `u${at}@away.test`) },
    {
      status: 422,
      name: 'validation_error',
      fields: ['to'],
    },
  )
})

test('attachment content in each of its three encodings is the same, and too much of it is refused', async () => {
  const { key } = tenant
  const bytes = [0, 1, 10, 13, 127, 128, 255]
  const contents = [Buffer.from(bytes).toString('base64'), bytes, { type: 'Buffer', data: bytes }]
  const attachments = contents.map((content, at) => ({ content, filename: `${at}.bin` }))
  const { body } = await service.call('POST', '/emails', { key, body: mail({ attachments }) })
  const list = await service.call('GET', `/emails/${body.id}/attachments`, { key })
  expect(list.body.data).toHaveLength(3)
  for (const { download_url } of list.body.data) {
    expect([...new Uint8Array(await (await service.follow(download_url)).arrayBuffer())]).toEqual(bytes)
  }
  for (const [content, path] of [
    [{ type: 'Buffer', data: 'x' }, 'content.data'],
    [{ type: 'Other', data: [1] }, 'content.type'],
    [7, 'content'],
    [true, 'content'],
  ]) {
    await refused(
      'POST',
      '/emails',
      { key, body: mail({ attachments: [{ content }] }) },
      {
        status: 422,
        name: 'validation_error',
        fields: [`attachments[0].${path}`],
      },
    )
  }
  for (const [content, path] of [
    [[256], 'content[0]'],
    [[0, -1], 'content[1]'],
    [[1.5], 'content[0]'],
    [['1'], 'content[0]'],
  ] as const) {
    const fields = [`attachments[0].${path}`]
    const wanted = { status: 422, name: 'validation_error', fields }
    await refused('POST', '/emails', { key, body: mail({ attachments: [{ content }] }) }, wanted)
  }
  const big = { content: Buffer.alloc(100_001).toString('base64'), filename: 'big' }
  await refused(
    'POST',
    '/emails',
    { key, body: mail({ attachments: [big] }) },
    { status: 413, name: 'payload_too_large' },
  )
})

test('lists: limits out of range, both cursors, cursors that are no ids', async () => {
  const { key } = tenant
  const lists = [
    '/emails',
    '/emails/receiving',
    '/messages',
    '/domains',
    '/addresses',
    '/api-keys',
    '/webhooks',
    '/relays',
  ]
  const id = '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90'
  for (const path of lists) {
    for (const limit of ['0', '101', '-1', '1.5', 'x', '', 'NaN', '1e9', '99999999999999999999']) {
      await refused(
        'GET',
        `${path}?limit=${limit}`,
        { key },
        { status: 422, name: 'invalid_parameter', fields: ['limit'] },
      )
    }
    await refused('GET', `${path}?after=${id}&before=${id}`, { key }, { status: 422, name: 'invalid_parameter' })
    for (const cursor of ['', 'x', '%00', "';--", 'a'.repeat(3000)]) {
      await refused(
        'GET',
        `${path}?after=${cursor}`,
        { key },
        { status: 422, name: 'invalid_parameter', fields: ['after'] },
      )
      await refused(
        'GET',
        `${path}?before=${cursor}`,
        { key },
        { status: 422, name: 'invalid_parameter', fields: ['before'] },
      )
    }
    expect((await service.call('GET', `${path}?limit=100&after=${id}`, { key })).status, path).toBe(200)
  }
})

test('ids: not there, no ids at all, and those of a stranger are the same to us', async () => {
  const theirs = await service.call('POST', '/emails', {
    key: stranger.key,
    body: { ...mail(), from: stranger.address },
  })
  const things = [
    'emails',
    'emails/receiving',
    'messages',
    'domains',
    'addresses',
    'webhooks',
    'relays',
    'mailboxes',
    'threads',
  ]
  const ids = [
    theirs.body.id,
    stranger.id,
    '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90',
    'x',
    '%00',
    '%ff',
    '%zz',
    '..%2f..',
    'a'.repeat(4000),
  ]
  for (const thing of things) {
    for (const id of ids) {
      await refused('GET', `/${thing}/${id}`, { key: tenant.key }, { status: 404, name: 'not_found' })
    }
  }
  for (const address of [stranger.address, encodeURIComponent(stranger.address), 'nobody@refusals.test']) {
    await refused('GET', `/addresses/${address}`, { key: tenant.key }, { status: 404, name: 'not_found' })
  }
  for (const address of [tenant.address, encodeURIComponent(tenant.address), tenant.address.toUpperCase()]) {
    expect((await service.call('GET', `/addresses/${address}`, { key: tenant.key })).body.address).toBe(tenant.address)
  }
})

test('idempotency keys: their form, the same key with another body, and fifty equal requests at once', async () => {
  const { key } = tenant
  const send = (idempotencyKey: string, body: object = mail()) =>
    service.call('POST', '/emails', { key, body, headers: { 'idempotency-key': idempotencyKey } })
  for (const bad of ['', 'x'.repeat(257)]) {
    const headers = { 'idempotency-key': bad }
    const wanted = { status: 400, name: 'invalid_idempotency_key' }
    await refused('POST', '/emails', { key, body: mail(), headers }, wanted)
  }
  expect((await send('x'.repeat(256))).status).toBe(200)

  await refused(
    'POST',
    '/emails',
    { key, body: mail({ to: 'no' }), headers: { 'idempotency-key': 'unburnt' } },
    { status: 422, name: 'validation_error' },
  )
  expect((await send('unburnt')).status).toBe(200)

  const answers = await Promise.all(Array.from({ length: 50 }, () => send('fifty', mail({ subject: 'fifty' }))))
  const sent = answers.filter(({ status }) => status === 200)
  expect(
    answers.filter(({ status, body }) => status !== 200 && body.name !== 'concurrent_idempotent_requests'),
  ).toEqual([])
  expect(new Set(sent.map(({ body }) => body.id)).size).toBe(1)
  const { data } = (await service.call('GET', '/emails?limit=100', { key })).body
  expect(data.filter(({ subject }: { subject: string }) => subject === 'fifty')).toHaveLength(1)
  const reordered = { text: 't', subject: 'fifty', to: 'a@away.test', from: tenant.address }
  expect((await send('fifty', reordered)).body.id).toBe(sent[0]?.body.id)
  const headers = { 'idempotency-key': 'fifty' }
  await refused(
    'POST',
    '/emails',
    { key, body: mail({ subject: 'other' }), headers },
    { status: 409, name: 'invalid_idempotent_request' },
  )
})

test('quotas and sizes: the day’s sends, a body over the limit, raw mail over the limit', async () => {
  const made = await service.call('POST', '/accounts', {
    key: OPERATOR,
    body: { name: 'small', quota: { sends_per_day: 1 } },
  })
  const key = made.body.api_key.token
  await service.call('POST', '/domains', { key, body: { name: 'small.test' } })
  const body = mail({ from: 'me@small.test' })
  expect((await service.call('POST', '/emails', { key, body })).status).toBe(200)
  await refused('POST', '/emails', { key, body }, { status: 429, name: 'daily_quota_exceeded' })
  const { headers } = await service.call('POST', '/emails', { key, body })
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)

  const raw = { 'content-type': 'message/rfc822' }
  const large = `From: ${tenant.address}\r\nSubject: s\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(300_001, 'y\r\n')
  await refused(
    'POST',
    `/outbound?from=${tenant.address}&to=a@away.test`,
    { key: tenant.key, body: large, headers: raw },
    { status: 413, name: 'payload_too_large' },
  )
  await refused(
    'POST',
    `/inbound?from=&to=${tenant.address}`,
    { key: OPERATOR, body: large, headers: raw },
    { status: 413, name: 'payload_too_large' },
  )
  await refused(
    'POST',
    `/inbound?from=&to=nobody@refusals.test`,
    { key: OPERATOR, body: 'x', headers: raw },
    { status: 404, name: 'not_found' },
  )
})
