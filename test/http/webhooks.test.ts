import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { call, operator } from '../support/api.ts'
import { makeWorld } from '../support/world.ts'
import { happen } from '../webhook/receiver.ts'

const world = await makeWorld()

type Json = Record<string, unknown>

async function makeTenant() {
  const body = { name: 'Test', database: 'DB' }
  const made = await ok(await call('POST', '/accounts', { key: operator, body }), 201)
  const key = String(Reflect.get(Object(made.api_key), 'token'))
  const [row] = await world.ctx.stores.directory.all<{ number: number }>(
    sql`SELECT number FROM accounts WHERE id = ${String(made.id)}`,
  )
  const account = { number: row?.number ?? 0, id: String(made.id), mailDb: 'DB' }
  const ctx = { ...world.ctx, account, access: { key: 'k', scopes: new Set<string>() } }
  const api = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    call(method, path, { key, body, headers })
  return { ctx, api, account }
}

async function ok(answer: Response, status = 200): Promise<Json> {
  const body: Json = await answer.json()
  expect(answer.status, JSON.stringify(body)).toBe(status)
  return body
}

const endpoint = 'http://127.0.0.1:19009/hook'
const events = ['email.received', 'email.bounced']

test('an endpoint is made, listed, shown, changed and deleted in Resend’s shapes', async () => {
  const { api } = await makeTenant()
  const made = await ok(await api('POST', '/webhooks', { endpoint, events }), 201)
  expect(made).toEqual({ object: 'webhook', id: expect.any(String), signing_secret: expect.stringMatching(/^whsec_/) })
  expect(atob(String(made.signing_secret).slice(6))).toHaveLength(32)

  const shown = {
    id: made.id,
    created_at: expect.stringMatching(/Z$/),
    status: 'enabled',
    endpoint,
    events,
    payload: 'thin',
  }
  expect(await ok(await api('GET', '/webhooks'))).toEqual({ object: 'list', has_more: false, data: [shown] })
  expect(await ok(await api('GET', `/webhooks/${made.id}`))).toEqual({
    object: 'webhook',
    ...shown,
    signing_secret: made.signing_secret,
  })

  const change = {
    endpoint: 'http://127.0.0.1:19009/other',
    events: ['email.sent'],
    payload: 'full',
    status: 'disabled',
  }
  expect(await ok(await api('PATCH', `/webhooks/${made.id}`, change))).toEqual({ object: 'webhook', id: made.id })
  expect(await ok(await api('GET', `/webhooks/${made.id}`))).toMatchObject(change)
  expect(await ok(await api('DELETE', `/webhooks/${made.id}`))).toEqual({
    object: 'webhook',
    id: made.id,
    deleted: true,
  })
  expect((await api('GET', `/webhooks/${made.id}`)).status).toBe(404)
  expect((await api('DELETE', `/webhooks/${made.id}`)).status).toBe(404)
})

test('a list of endpoints is read in pages, newest first', async () => {
  const { api } = await makeTenant()
  const ids: unknown[] = []
  for (let times = 0; times < 3; times++)
    ids.unshift((await ok(await api('POST', '/webhooks', { endpoint, events }), 201)).id)
  const page = await ok(await api('GET', '/webhooks?limit=2'))
  expect(page).toMatchObject({ has_more: true, data: [{ id: ids[0] }, { id: ids[1] }] })
  expect(await ok(await api('GET', `/webhooks?limit=2&after=${ids[1]}`))).toMatchObject({
    has_more: false,
    data: [{ id: ids[2] }],
  })
})

test('an unknown type is refused by name, with what there is', async () => {
  const { api } = await makeTenant()
  const answer = await ok(
    await api('POST', '/webhooks', { endpoint, events: ['email.received', 'email.exploded'] }),
    422,
  )
  expect(answer).toMatchObject({ name: 'validation_error', fields: [{ path: 'events[1]' }] })
  expect(answer.message).toContain('"email.exploded"')
  expect(answer.message).toContain('email.bounced')
  expect(await ok(await api('POST', '/webhooks', { endpoint }), 422)).toMatchObject({ name: 'missing_required_field' })
  await ok(await api('POST', '/webhooks', { endpoint, events: [] }), 422)
})

test.each([
  'ftp://example.com/',
  'not a url',
  'http://10.0.0.1/',
  'http://169.254.169.254/latest/',
  'http://user:pass@127.0.0.1/',
  'http://127.0.0.1:25/',
  'http://127.0.0.1:8787/emails',
])('an endpoint at %s is refused, when it is made and when it is changed', async (url) => {
  const { api } = await makeTenant()
  const refusal = { name: 'validation_error', fields: [{ path: 'endpoint' }] }
  expect(await ok(await api('POST', '/webhooks', { endpoint: url, events }), 422)).toMatchObject(refusal)
  const made = await ok(await api('POST', '/webhooks', { endpoint, events }), 201)
  expect(await ok(await api('PATCH', `/webhooks/${made.id}`, { endpoint: url }), 422)).toMatchObject(refusal)
})

test('the same request under one idempotency key makes one endpoint, and another body is refused', async () => {
  const { api } = await makeTenant()
  const headers = { 'idempotency-key': 'once' }
  const body = { endpoint, events }
  const answers = await Promise.all([1, 2, 3].map(() => api('POST', '/webhooks', body, headers)))
  const made = await Promise.all(answers.map((answer) => ok(answer, 201)))
  expect(new Set(made.map((one) => JSON.stringify(one))).size).toBe(1)
  expect(await ok(await api('GET', '/webhooks'))).toMatchObject({ data: [{ id: made[0]?.id }] })
  await ok(await api('POST', '/webhooks', { endpoint, events: ['email.sent'] }, headers), 409)
})

test('a rotation under one idempotency key gives one new secret; the old one is not lost at once', async () => {
  const { api, account } = await makeTenant()
  const made = await ok(await api('POST', '/webhooks', { endpoint, events }), 201)
  const path = `/webhooks/${made.id}/signing-secret/rotate`
  const rotate = () => api('POST', path, undefined, { 'idempotency-key': 'turn' })
  const rotated = await ok(await rotate())
  expect(rotated).toEqual({ object: 'webhook', id: made.id, signing_secret: expect.stringMatching(/^whsec_/) })
  expect(rotated.signing_secret).not.toBe(made.signing_secret)
  expect(await ok(await rotate())).toEqual(rotated)
  expect(await ok(await api('GET', `/webhooks/${made.id}`))).toMatchObject({ signing_secret: rotated.signing_secret })
  const [row] = await world.ctx.stores.directory.all<Json>(
    sql`SELECT * FROM webhooks WHERE account = ${account.number}`,
  )
  expect(row?.previous_secret).not.toBeNull()
  expect(JSON.stringify(row)).not.toContain('whsec_')
})

test('an account has at most twenty endpoints, and listeners counts those that are enabled', async () => {
  const { api, account } = await makeTenant()
  const listeners = async () => {
    const [row] = await world.ctx.stores.directory.all<Json>(
      sql`SELECT listeners FROM counters WHERE account = ${account.number}`,
    )
    return row?.listeners
  }
  const ids: unknown[] = []
  for (let times = 0; times < 20; times++)
    ids.push((await ok(await api('POST', '/webhooks', { endpoint, events }), 201)).id)
  expect(await ok(await api('POST', '/webhooks', { endpoint, events }), 422)).toMatchObject({
    name: 'validation_error',
  })
  expect(await listeners()).toBe(20)
  await api('PATCH', `/webhooks/${ids[0]}`, { status: 'disabled' })
  await api('PATCH', `/webhooks/${ids[0]}`, { status: 'disabled' })
  await api('DELETE', `/webhooks/${ids[1]}`)
  expect(await listeners()).toBe(18)
  await api('PATCH', `/webhooks/${ids[0]}`, { status: 'enabled' })
  expect(await listeners()).toBe(19)
})

test('the feed has every event in order, and its pages meet without a gap', async () => {
  const { api, ctx } = await makeTenant()
  expect(await ok(await api('GET', '/events'))).toEqual({ object: 'list', has_more: false, next_after: 0, data: [] })
  await happen(ctx, 'email.received', 3)
  await happen(ctx, 'email.sent', 2)
  const first = await ok(await api('GET', '/events?limit=2'))
  expect(first).toEqual({
    object: 'list',
    has_more: true,
    next_after: 2,
    data: [1, 2].map((seq) => ({
      object: 'event',
      seq,
      type: 'email.received',
      created_at: '2026-11-23T12:00:00.000Z',
      data: { email_id: 'm1' },
    })),
  })
  expect(await ok(await api('GET', '/events?limit=9&after=2'))).toMatchObject({
    has_more: false,
    next_after: 5,
    data: [{ seq: 3 }, { seq: 4 }, { seq: 5 }],
  })
  expect(await ok(await api('GET', '/events?types=email.sent,email.bounced&limit=1'))).toMatchObject({
    has_more: true,
    next_after: 4,
    data: [{ seq: 4 }],
  })
  const refused = await ok(await api('GET', '/events?types=email.sent,nope'), 422)
  expect(refused).toMatchObject({ name: 'invalid_parameter', fields: [{ path: 'types' }] })
  expect(refused.message).toContain('"nope"')
  await ok(await api('GET', '/events?after=x'), 422)
  await ok(await api('GET', '/events?limit=101'), 422)
})

test('who waits for an event is answered as soon as it is there, and with an empty page where none comes', async () => {
  const { api, ctx } = await makeTenant()
  await happen(ctx, 'email.sent', 1)
  const waiting = api('GET', '/events?after=1&types=email.received&wait=20')
  await new Promise((resolve) => setTimeout(resolve, 300))
  await happen(ctx, 'email.sent', 1)
  await happen(ctx, 'email.received', 1)
  expect(await ok(await waiting)).toMatchObject({ has_more: false, next_after: 3, data: [{ seq: 3 }] })
  expect(await ok(await api('GET', '/events?after=3&wait=1'))).toMatchObject({ next_after: 3, data: [] })
  await ok(await api('GET', '/events?wait=31'), 422)
})

test('a filter looks at a bounded stretch of the history, and says where to go on', async () => {
  const { api, ctx, account } = await makeTenant()
  await happen(ctx, 'email.received')
  await runBatch(ctx.stores.directory, [sql`UPDATE counters SET seq = 25000 WHERE account = ${account.number}`])
  const last = await happen(ctx, 'email.bounced')
  const seen: unknown[] = []
  let after = 0
  let pages = 0
  for (let more = true; more; pages++) {
    const page = await ok(await api('GET', `/events?types=email.bounced&after=${after}`))
    seen.push(...(Array.isArray(page.data) ? page.data : []))
    more = page.has_more === true
    after = Number(page.next_after)
  }
  expect(seen).toMatchObject([{ seq: last }])
  expect(pages).toBe(3)
})

test('an account neither sees nor touches another’s endpoints, dispatches and events', async () => {
  const mine = await makeTenant()
  const theirs = await makeTenant()
  const { id } = await ok(await theirs.api('POST', '/webhooks', { endpoint, events }), 201)
  const seq = await happen(theirs.ctx)
  const event = `msg_${String(id).replaceAll('-', '')}_${seq}`
  const requests: [string, string, unknown?][] = [
    ['GET', `/webhooks/${id}`],
    ['PATCH', `/webhooks/${id}`, { status: 'disabled' }],
    ['DELETE', `/webhooks/${id}`],
    ['POST', `/webhooks/${id}/signing-secret/rotate`],
    ['GET', `/webhooks/${id}/events`],
    ['GET', `/webhooks/${id}/events/${event}`],
    ['GET', `/webhooks/${id}/events/${event}/attempts`],
    ['POST', `/webhooks/${id}/events/${event}/replay`],
    ['POST', `/webhooks/${id}/replay`, { after_seq: 0 }],
  ]
  for (const [method, path, body] of requests)
    expect((await mine.api(method, path, body)).status, `${method} ${path}`).toBe(404)
  expect(await ok(await mine.api('GET', '/webhooks'))).toMatchObject({ data: [] })
  expect(await ok(await mine.api('GET', '/events'))).toMatchObject({ data: [] })
  expect(await ok(await theirs.api('GET', `/webhooks/${id}`))).toMatchObject({ status: 'enabled' })
})
