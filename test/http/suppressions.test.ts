import { Resend } from 'resend'
import { afterEach, expect, test, vi } from 'vitest'
import { call, operator } from '../support/api.ts'

type Json = Record<string, unknown> & { data: Record<string, unknown>[]; fields: { path: string }[] }

async function makeParty() {
  const made = Object(await (await call('POST', '/accounts', { key: operator, body: { name: 'Test' } })).json())
  const key = String(made.api_key.token)
  const ask = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
    const answer = await call(method, path, { key, body, headers })
    const json: Json = JSON.parse(await answer.text())
    return { status: answer.status, json }
  }
  return { key, ask }
}

/** Resend's own client, whose requests reach our Worker instead of the network. */
function clientOf(key: string): Resend {
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const { pathname, search } = new URL(url)
    return call(init.method ?? 'GET', pathname + search, { headers, body: init.body ?? undefined })
  })
  return new Resend(key, { baseUrl: 'http://localhost' })
}

afterEach(() => void vi.unstubAllGlobals())

const UUID = /^[0-9a-f-]{36}$/

test('Resend’s client adds, lists, reads and removes suppressions, one and many', async () => {
  const { suppressions } = clientOf((await makeParty()).key)
  const added = await suppressions.add({ email: ' Steve.Wozniak@Example.com ' })
  expect(added).toMatchObject({ error: null, data: { object: 'suppression', id: expect.stringMatching(UUID) } })
  const id = added.data?.id ?? ''
  const line = { id, email: 'steve.wozniak@example.com', origin: 'manual', source_id: null }
  expect((await suppressions.get(id)).data).toMatchObject({ object: 'suppression', ...line })
  expect((await suppressions.get('steve.wozniak@EXAMPLE.com')).data?.id).toBe(id)

  const many = await suppressions.batch.add({
    emails: ['b@x.test', 'steve.wozniak@example.com', 'B@x.test', 'c@x.test'],
  })
  expect(many.data?.data.map((one) => one.object)).toEqual(Array.from({ length: 4 }, () => 'suppression'))
  const [b, steve, again, c] = many.data?.data.map((one) => one.id) ?? []
  expect([steve, again]).toEqual([id, b])
  const listed = (await suppressions.list()).data
  expect(listed).toMatchObject({ object: 'list', has_more: false })
  expect(listed?.data.map((one) => one.id).sort()).toEqual([id, b, c].sort())
  expect(listed?.data.at(-1)).toEqual({ ...line, created_at: expect.stringMatching(/Z$/) })
  expect((await suppressions.list({ origin: 'bounce' })).data?.data).toEqual([])

  expect((await suppressions.remove('Steve.Wozniak@example.com')).data).toEqual({
    object: 'suppression',
    id,
    deleted: true,
  })
  expect((await suppressions.remove(id)).error).toMatchObject({ statusCode: 404, name: 'not_found' })
  const removed = await suppressions.batch.remove({ emails: ['c@x.test', 'never@x.test'] })
  expect(removed.data?.data).toEqual([{ object: 'suppression', id: c, deleted: true }])
  const byId = await suppressions.batch.remove({ ids: [b ?? '', id] })
  expect(byId.data?.data).toEqual([
    { object: 'suppression', id: b, deleted: true },
    { object: 'suppression', id, deleted: false },
  ])
  expect((await suppressions.list()).data?.data).toEqual([])
})

test('an address in a path comes as it is or encoded, plus sign and all', async () => {
  const { ask } = await makeParty()
  const { status, json } = await ask('POST', '/suppressions', { email: 'a+b@x.test' })
  expect(status).toBe(201)
  for (const path of ['a+b@x.test', 'a%2Bb%40x.test', 'A+b@X.test', String(json.id)]) {
    expect(await ask('GET', `/suppressions/${path}`), path).toMatchObject({
      status: 200,
      json: { email: 'a+b@x.test' },
    })
  }
  expect(await ask('DELETE', '/suppressions/a%2Bb%40x.test')).toMatchObject({ status: 200, json: { deleted: true } })
})

test('every faulty address is named and nothing is added; more than a hundred are too many', async () => {
  const { ask } = await makeParty()
  const many = (length: number) => Array.from({ length }, (_, at) => `u${at}@x.test`)
  const refusals: [string, unknown, string[]][] = [
    ['/suppressions', { email: 'nobody' }, ['email']],
    ['/suppressions', {}, ['email']],
    ['/suppressions', { email: 'a@x.test', origin: 'bounce' }, ['origin']],
    ['/suppressions/batch/add', { emails: ['a@x.test', 'a b', 'c@x.test\r\nd@x.test'] }, ['emails[1]', 'emails[2]']],
    ['/suppressions/batch/add', { emails: many(101) }, ['emails']],
    ['/suppressions/batch/add', { emails: [] }, ['emails']],
    ['/suppressions/batch/remove', {}, ['']],
    ['/suppressions/batch/remove', { emails: ['a@x.test'], ids: ['x'] }, ['']],
    ['/suppressions/batch/remove', { ids: ['x'] }, ['ids[0]']],
    ['/suppressions/batch/remove', { emails: ['x'] }, ['emails[0]']],
  ]
  for (const [path, body, fields] of refusals) {
    const { status, json } = await ask('POST', path, body)
    expect([status, json.fields.map((field) => field.path)], JSON.stringify(body)).toEqual([422, fields])
  }
  expect((await ask('GET', '/suppressions')).json.data).toEqual([])
  expect((await ask('POST', '/suppressions/batch/add', { emails: many(100) })).json.data).toHaveLength(100)
})

test('pages of the list are newest first, by id, and of one origin where that is asked', async () => {
  const { ask } = await makeParty()
  const { json } = await ask('POST', '/suppressions/batch/add', {
    emails: ['a', 'b', 'c', 'd', 'e'].map((n) => `${n}@x.test`),
  })
  const ids = json.data
    .map(({ id }) => String(id))
    .sort()
    .reverse()
  const page = async (query: string) => {
    const { json } = await ask('GET', `/suppressions?${query}`)
    return [json.data.map(({ id }) => id), json.has_more]
  }
  expect(await page('limit=2')).toEqual([ids.slice(0, 2), true])
  expect(await page(`limit=2&after=${ids[1]}`)).toEqual([ids.slice(2, 4), true])
  expect(await page(`limit=2&after=${ids[3]}&origin=manual`)).toEqual([ids.slice(4), false])
  expect(await page(`limit=2&before=${ids[4]}`)).toEqual([ids.slice(2, 4), true])
  expect(await ask('GET', '/suppressions?origin=hatred')).toMatchObject({ status: 422 })
  expect(await ask('GET', '/suppressions?after=x')).toMatchObject({ status: 422 })
})

test('with an Idempotency-Key the first answer is given again, even after the address was taken off the list', async () => {
  const { ask } = await makeParty()
  const once = { 'idempotency-key': 'k' }
  const first = await ask('POST', '/suppressions', { email: 'a@x.test' }, once)
  expect((await ask('POST', '/suppressions', { email: 'a@x.test' })).json.id).toBe(first.json.id)
  await ask('DELETE', '/suppressions/a@x.test')
  expect(await ask('POST', '/suppressions', { email: 'a@x.test' }, once)).toEqual(first)
  expect((await ask('GET', '/suppressions')).json.data).toEqual([])
  expect((await ask('POST', '/suppressions', { email: 'b@x.test' }, once)).status).toBe(409)
  const removing = { 'idempotency-key': 'r' }
  await ask('POST', '/suppressions', { email: 'a@x.test' })
  const removed = await ask('POST', '/suppressions/batch/remove', { emails: ['a@x.test'] }, removing)
  expect(await ask('POST', '/suppressions/batch/remove', { emails: ['a@x.test'] }, removing)).toEqual(removed)
})

test('what is added and removed is told as events, once each', async () => {
  const { ask } = await makeParty()
  await ask('POST', '/suppressions', { email: 'a@x.test' })
  await ask('POST', '/suppressions/batch/add', { emails: ['a@x.test', 'b@x.test'] })
  await ask('POST', '/suppressions/batch/add', { emails: ['a@x.test', 'b@x.test'] })
  await ask('DELETE', '/suppressions/a@x.test')
  const { json } = await ask('GET', '/events?types=suppression.added,suppression.removed')
  expect(json.data.map(({ type, data }) => `${type} ${Object(data).email}`)).toEqual([
    'suppression.added a@x.test',
    'suppression.added b@x.test',
    'suppression.removed a@x.test',
  ])
  expect(json.data[0]?.data).toEqual({
    id: expect.stringMatching(UUID),
    email: 'a@x.test',
    origin: 'manual',
    source_id: null,
    created_at: expect.stringMatching(/Z$/),
  })
})

test('a suppressed recipient shows in the mail, and is sent to where the query says so', async () => {
  const { ask } = await makeParty()
  await ask('POST', '/domains', { name: 'override.test' })
  await ask('POST', '/suppressions', { email: 'gone@y.test' })
  const mail = { from: 'hello@override.test', to: 'gone@y.test', subject: 'Salom', text: 'hi' }
  const send = async (query = '') => {
    const { status, json } = await ask('POST', `/emails${query}`, mail)
    expect(status, JSON.stringify(json)).toBe(200)
    return (await ask('GET', `/emails/${json.id}`)).json
  }
  expect(await send()).toMatchObject({
    last_event: 'suppressed',
    recipients: [{ address: 'gone@y.test', state: 'suppressed', attempts: 0 }],
  })
  expect(await send('?ignore_suppressions=true')).toMatchObject({ recipients: [{ state: 'queued' }] })
  const batch = await ask('POST', '/emails/batch', [mail, { ...mail, to: ['ok@y.test', 'gone@y.test'] }])
  const suppressed = [{ address: 'gone@y.test', reason: 'manual' }]
  expect(batch.json.data).toEqual([
    { id: expect.stringMatching(UUID), suppressed },
    { id: expect.stringMatching(UUID), suppressed },
  ])
  const over = await ask('POST', '/emails/batch?ignore_suppressions=true', [mail])
  expect(over.json.data).toEqual([{ id: expect.stringMatching(UUID) }])
  const sending = await ask('POST', '/api-keys', { name: 's', permission: 'sending_access' })
  const answer = await call('POST', '/emails?ignore_suppressions=true', { key: String(sending.json.token), body: mail })
  expect([answer.status, Object(await answer.json()).name]).toEqual([401, 'restricted_api_key'])
})

test('raw mail tells whom it does not go to, and goes where the query says so; another envelope is another request', async () => {
  const { ask, key } = await makeParty()
  await ask('POST', '/domains', { name: 'raw-override.test' })
  await ask('POST', '/suppressions', { email: 'gone@y.test' })
  const sending = await ask('POST', '/api-keys', { name: 's', permission: 'sending_access' })
  const send = async (query: string, by = key) => {
    const answer = await call('POST', `/outbound?from=a@raw-override.test${query}`, {
      key: by,
      body: 'From: a@raw-override.test\r\nSubject: s\r\n\r\nhi\r\n',
      headers: { 'content-type': 'message/rfc822', 'idempotency-key': 'the-same' },
    })
    return { status: answer.status, json: Object(await answer.json()) }
  }
  const first = await send('&to=gone@y.test')
  expect(first.json).toEqual({
    id: expect.stringMatching(UUID),
    suppressed: [{ address: 'gone@y.test', reason: 'manual' }],
  })
  expect(await send('&to=gone@y.test')).toEqual(first)
  expect((await send('&to=other@y.test')).status).toBe(409)
  expect((await send('&to=gone@y.test&ignore_suppressions=true')).status).toBe(409)
  expect((await send('&to=gone@y.test&ignore_suppressions=true', String(sending.json.token))).status).toBe(401)
})
