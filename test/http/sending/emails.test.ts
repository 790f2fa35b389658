import { beforeAll, expect, test } from 'vitest'
import { call } from '../../support/api.ts'
import { json, type Mailer, makeMailer } from '../mail.ts'

let me: Mailer

beforeAll(async () => {
  me = await makeMailer()
})

const mail = (more: Record<string, unknown> = {}) => ({
  from: me.address,
  to: 'you@y.test',
  subject: 'Salom',
  text: 'Hi',
  ...more,
})

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call('POST', path, { key: me.key, body, headers })

const sentIds = async () => {
  const list = await json(call('GET', '/emails?limit=100', { key: me.key }))
  return Array.isArray(list.data) ? list.data.map((line: { id: string }) => line.id) : expect.fail()
}

test('a batch answers the ids in order, and a strict one with a fault names every place and sends nothing', async () => {
  const before = (await sentIds()).length
  const bad = await post('/emails/batch', [
    mail(),
    { ...mail(), to: undefined, colour: 'red' },
    mail({ to: ['x', 'y'] }),
    7,
  ])
  expect(bad.status).toBe(422)
  expect(await bad.json()).toMatchObject({
    name: 'validation_error',
    message: expect.stringContaining('[1], [2], [3]'),
    fields: ['[1].to', '[1].colour', '[2].to[0]', '[2].to[1]', '[3]'].map((path) => ({ path })),
  })
  expect(await sentIds()).toHaveLength(before)
  const good = await json(post('/emails/batch', [mail(), mail({ attachments: [{ filename: 'a', content: 'YQ==' }] })]))
  expect(Object.keys(good)).toEqual(['data'])
  expect((await sentIds()).slice(0, 2)).toEqual((good.data as { id: string }[]).map(({ id }) => id).reverse())
})

test('a permissive batch sends the good ones; any other mode, or more than a hundred mails, is refused', async () => {
  const permissive = { 'x-batch-validation': 'permissive' }
  expect(await json(post('/emails/batch', [{}, mail()], permissive))).toEqual({
    data: [{ id: expect.any(String) }],
    errors: [{ index: 0, message: expect.stringMatching(/from|to/) }],
  })
  const odd = await post('/emails/batch', [mail()], { 'x-batch-validation': 'loose' })
  expect([odd.status, await odd.json()]).toMatchObject([422, { fields: [{ path: 'x-batch-validation' }] }])
  for (const body of [[], Array.from({ length: 101 }, () => mail()), mail()]) {
    expect((await post('/emails/batch', body)).status).toBe(422)
  }
})

test('a key answers the same batch again, and refuses another one or another mode', async () => {
  const key = { 'idempotency-key': crypto.randomUUID() }
  const first = await json(post('/emails/batch', [mail(), mail()], key))
  const count = (await sentIds()).length
  expect(await json(post('/emails/batch', [mail(), mail()], key))).toEqual(first)
  expect(await sentIds()).toHaveLength(count)
  expect((await post('/emails/batch', [mail()], key)).status).toBe(409)
  const other = await post('/emails/batch', [mail(), mail()], { ...key, 'x-batch-validation': 'permissive' })
  expect(other.status).toBe(409)
})

test('a dry run answers the very message, signed, and neither stores nor counts nor keeps anything', async () => {
  const before = await sentIds()
  const key = { 'idempotency-key': crypto.randomUUID() }
  const dry = await post('/emails?dry_run=true', mail({ bcc: 'hidden@y.test', headers: { 'X-A': 'b' } }), key)
  expect(dry.status).toBe(200)
  expect(dry.headers.get('content-type')).toBe('message/rfc822')
  const mime = new TextDecoder().decode(await dry.arrayBuffer())
  expect(mime).toMatch(/^DKIM-Signature: /)
  expect(mime).toMatch(/\r\nMessage-ID: <[^>]+>\r\n/)
  expect(mime).toMatch(/\r\nX-A: b\r\n/)
  expect(mime).not.toContain('hidden')
  expect(await sentIds()).toEqual(before)
  expect((await post('/emails?dry_run=true', mail({ to: 'x' }))).status).toBe(422)
  expect((await post('/emails?dry_run=perhaps', mail())).status).toBe(422)
  expect((await post('/emails', mail(), key)).status).toBe(200)
})

test('a query that a send does not know is refused, and nothing is sent', async () => {
  const before = await sentIds()
  const [id] = before
  const raw = `/outbound?from=${me.address}&to=delivered@resend.dev`
  const asked: [path: string, body: unknown, named: string][] = [
    ['/emails?dryrun=true', mail(), 'dryrun'],
    ['/emails/batch?dry_run=true', [mail()], 'dry_run'],
    [`${raw}&dry_run=true`, `From: ${me.address}\r\nSubject: s\r\n\r\nhi\r\n`, 'dry_run'],
    [`/messages/${id}/reply?dry_run=true`, { text: 't' }, 'dry_run'],
    [`/messages/${id}/forward?dry_run=true`, { to: 'delivered@resend.dev' }, 'dry_run'],
    [`/drafts/${id}/send?dry_run=true`, {}, 'dry_run'],
  ]
  for (const [path, body, named] of asked) {
    const type: Record<string, string> = typeof body === 'string' ? { 'content-type': 'message/rfc822' } : {}
    const answer = await post(path, body, type)
    expect([path, answer.status, await answer.json()]).toMatchObject([path, 422, { fields: [{ path: named }] }])
  }
  expect(await sentIds()).toEqual(before)
})

test('what is not served is refused by name, in a single mail and in a batch', async () => {
  const one = await post('/emails', mail({ topic_id: 'x' }))
  expect([one.status, await one.json()]).toMatchObject([422, { fields: [{ path: 'topic_id' }] }])
  const many = await post('/emails/batch', [mail(), mail({ topic_id: 'x' })])
  expect([many.status, await many.json()]).toMatchObject([422, { fields: [{ path: '[1].topic_id' }] }])
})

test('a scheduled mail shows its time, is given another, and is called off; a sent one is neither', async () => {
  const at = new Date(Date.now() + 3_600_000).toISOString()
  const { id } = await json(post('/emails', mail({ scheduled_at: at })))
  const shown = () => json(call('GET', `/emails/${id}`, { key: me.key }))
  expect(await shown()).toMatchObject({ scheduled_at: at, last_event: 'scheduled', text: 'Hi', to: ['you@y.test'] })
  const patch = (body: unknown) => call('PATCH', `/emails/${id}`, { key: me.key, body })
  const later = new Date(Date.now() + 7_200_000).toISOString()
  expect(await json(patch({ scheduled_at: later }))).toEqual({ object: 'email', id })
  expect(await shown()).toMatchObject({ scheduled_at: later, last_event: 'scheduled' })
  for (const body of [{}, { scheduled_at: 'yesterday' }, { scheduled_at: later, subject: 'x' }]) {
    expect((await patch(body)).status).toBe(422)
  }
  expect(await json(post(`/emails/${id}/cancel`, undefined))).toEqual({ object: 'email', id })
  expect(await shown()).toMatchObject({ last_event: 'canceled', recipients: [{ state: 'canceled' }] })
  expect((await patch({ scheduled_at: later })).status).toBe(422)

  const sent = await json(post('/emails', mail()))
  const late = await post(`/emails/${sent.id}/cancel`, undefined)
  expect([late.status, await late.json()]).toMatchObject([422, { message: expect.stringContaining('queued') }])
  expect((await post(`/emails/${crypto.randomUUID()}/cancel`, {})).status).toBe(404)
  expect((await post('/emails', mail({ scheduled_at: '2020-01-01T00:00:00Z' }))).status).toBe(422)
})

test('a dry run of a scheduled mail shows it as it will leave', async () => {
  const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000)
  const dry = await post('/emails?dry_run=true', mail({ scheduled_at: at.toISOString() }))
  const mime = new TextDecoder().decode(await dry.arrayBuffer())
  expect(mime).toMatch(/^DKIM-Signature: /)
  expect(mime).toContain(`Date: ${at.toUTCString().replace('GMT', '+0000')}`)
})
