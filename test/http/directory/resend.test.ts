/** Resend's own client, unmodified, against our domains and keys. */
import { Resend } from 'resend'
import { expect, test, vi } from 'vitest'
import { call, operator } from '../../support/api.ts'

/** A client whose requests end in our Worker. */
async function client(): Promise<Resend> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'SDK' } })
  const made: { api_key: { token: string } } = await answer.json()
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const { pathname, search } = new URL(url)
    const body = typeof init.body === 'string' ? init.body : undefined
    return call(init.method ?? 'GET', pathname + search, { headers, ...(body === undefined ? {} : { body }) })
  })
  // A base URL that ends in a slash doubles the first one of each path.
  return new Resend(made.api_key.token, { baseUrl: 'http://localhost/' })
}

test('domains are created, listed, read, changed, verified and removed', async () => {
  const resend = await client()
  const created = await resend.domains.create({ name: 'sdk.test', region: 'eu-west-1', customReturnPath: 'bounce' })
  expect(created.error).toBeNull()
  const id = created.data?.id ?? ''
  expect(created.data).toMatchObject({
    name: 'sdk.test',
    status: 'verified',
    region: 'eu-west-1',
    capabilities: { sending: 'enabled', receiving: 'enabled' },
    open_tracking: false,
    click_tracking: false,
  })
  expect(created.data?.created_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const got = await resend.domains.get(id)
  expect(got.data).toEqual({ object: 'domain', ...created.data })
  const listed = await resend.domains.list({ limit: 10 })
  const { records: _, ...summary } = created.data ?? {}
  expect(listed.data).toEqual({ object: 'list', has_more: false, data: [summary] })
  const updated = await resend.domains.update({ id, openTracking: false, capabilities: { sending: 'disabled' } })
  expect(updated.data).toEqual({ object: 'domain', id })
  expect((await resend.domains.verify(id)).data).toEqual({ object: 'domain', id })
  expect((await resend.domains.remove(id)).data).toEqual({ object: 'domain', id, deleted: true })
  expect((await resend.domains.get(id)).error).toMatchObject({ statusCode: 404, name: 'not_found' })
})

test('keys are created, listed, renamed and removed, and a sending key is held to sending', async () => {
  const resend = await client()
  const created = await resend.apiKeys.create({ name: 'Send', permission: 'sending_access' })
  expect(Object.keys(created.data ?? {}).sort()).toEqual(['id', 'token'])
  const { id = '', token = '' } = created.data ?? {}
  const listed = await resend.apiKeys.list()
  expect(listed.data?.data.map(({ name }) => name)).toEqual(['Send', 'First key'])
  expect(listed.data?.data[0]).toMatchObject({ id, last_used_at: null })
  expect((await resend.apiKeys.update(id, { name: 'Renamed' })).data).toEqual({ object: 'api_key', id })
  const restricted = new Resend(token, { baseUrl: 'http://localhost' })
  expect((await restricted.domains.list()).error).toMatchObject({
    statusCode: 401,
    name: 'restricted_api_key',
    message: 'This API key is restricted to only send emails',
  })
  expect((await resend.apiKeys.remove(id)).data).toEqual({ object: 'api_key', id, deleted: true })
  expect((await restricted.domains.list()).error).toMatchObject({ statusCode: 403, name: 'invalid_api_key' })
})

test('the same idempotency key makes one domain through the client', async () => {
  const resend = await client()
  const options = { headers: { 'Idempotency-Key': 'once' } }
  const first = await resend.domains.create({ name: 'once.test' }, options)
  const second = await resend.domains.create({ name: 'once.test' }, options)
  expect(second.data).toEqual(first.data)
  const other = await resend.domains.create({ name: 'other.test' }, options)
  expect(other.error).toMatchObject({ statusCode: 409, name: 'invalid_idempotent_request' })
})
