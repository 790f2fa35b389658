import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'
import { makeWorld } from '../../support/world.ts'

const world = await makeWorld()

const account: { api_key: { token: string } } = await (
  await call('POST', '/accounts', { key: operator, body: { name: 'Providers' } })
).json()
const key = account.api_key.token

type Made = { id: string; secret: string | null; events_url: string }

async function make(
  body: unknown,
  options: { key?: string; headers?: Record<string, string> } = { key },
): Promise<Made> {
  const made = await call('POST', '/providers', { ...options, body })
  expect(made.status, await made.clone().text()).toBe(201)
  return made.json()
}

test('a provider is made, tells its URL and its secret once, is changed and deleted', async () => {
  const made = await make({ kind: 'postmark', name: 'Mine' })
  expect(made).toMatchObject({
    object: 'provider',
    kind: 'postmark',
    name: 'Mine',
    does: ['events', 'inbound'],
    topic_arn: null,
  })
  expect(made.events_url).toMatch(new RegExp(`^http.*/providers/${made.id}/events$`))
  expect(made.secret).toMatch(/^[a-z2-7]{32}$/)
  for (const path of [`/providers/${made.id}`, '/providers']) {
    const text = await (await call('GET', path, { key })).text()
    expect(text).toContain(made.id)
    expect(text).not.toContain(made.secret)
  }
  const [row] = await world.ctx.stores.directory.all<{ secrets: string }>(
    sql`SELECT secrets FROM providers WHERE id = ${made.id}`,
  )
  expect(row?.secrets).not.toContain(made.secret)
  const patched = await call('PATCH', `/providers/${made.id}`, { key, body: { name: null } })
  expect(await patched.json()).toMatchObject({ name: 'postmark' })
  expect((await call('DELETE', `/providers/${made.id}`, { key })).status).toBe(200)
  expect((await call('GET', `/providers/${made.id}`, { key })).status).toBe(404)
})

test('the same request makes one provider, and tells its secret again', async () => {
  const headers = { 'idempotency-key': 'once' }
  const one = await make({ kind: 'postmark' }, { key, headers })
  expect(await make({ kind: 'postmark' }, { key, headers })).toEqual(one)
})

test('what is no provider is refused by each field', async () => {
  const topic_arn = 'arn:aws:sns:us-east-1:123456789012:mail'
  expect(await make({ kind: 'ses', topic_arn })).toMatchObject({ topic_arn, secret: null })
  for (const [body, path] of [
    [{ kind: 'fax' }, 'kind'],
    [{}, 'kind'],
    [{ kind: 'ses', topic_arn: 'mail' }, 'topic_arn'],
    [{ kind: 'postmark', topic_arn }, 'topic_arn'],
    [{ kind: 'postmark', name: 'a\nb' }, 'name'],
    [{ kind: 'postmark', secret: 'x' }, 'secret'],
  ] as const) {
    const refused = await call('POST', '/providers', { key, body })
    expect(refused.status, JSON.stringify(body)).toBe(422)
    expect(await refused.json(), JSON.stringify(body)).toMatchObject({ fields: [{ path }] })
  }
})

test('the door takes calls that prove themselves, and tells others why it does not', async () => {
  const { id, secret } = await make({ kind: 'postmark' })
  const post = (body: string, headers: Record<string, string>, to = id) =>
    call('POST', `/providers/${to}/events`, { body, headers })
  const proof = { authorization: `Basic ${btoa(`pochta:${secret}`)}` }
  const taken = await post('{"RecordType":"Open"}', proof)
  expect([taken.status, await taken.json()]).toEqual([200, { object: 'taken', events: 0 }])
  expect((await post('{}', { 'x-pochta-secret': `${secret}` })).status).toBe(200)
  expect((await post('{}', {})).status).toBe(403)
  expect((await post('{', proof)).status).toBe(400)
  expect((await post('{}', proof, crypto.randomUUID())).status).toBe(404)
  expect((await post('{}', proof, 'x')).status).toBe(404)
  expect((await post(`"${'x'.repeat(1024 * 1024)}"`, proof)).status).toBe(413)
})

test('the instance has providers of its own, which no account sees', async () => {
  const { id } = await make({ kind: 'postmark' }, { key: operator })
  expect((await call('GET', `/providers/${id}`, { key: operator })).status).toBe(200)
  expect((await call('GET', `/providers/${id}`, { key })).status).toBe(404)
  expect(await (await call('GET', '/providers', { key })).text()).not.toContain(id)
})
