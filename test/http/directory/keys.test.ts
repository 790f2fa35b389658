import { expect, test } from 'vitest'
import { ACCOUNT_SCOPES } from '../../../src/contract/route.ts'
import { call, operator } from '../../support/api.ts'
import { env } from '../../support/env.ts'

type Refusal = { name: string; fields?: { path: string; reason: string }[] }

async function newAccount(): Promise<{ id: string; key: string }> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'A' } })
  const made: { id: string; api_key: { token: string } } = await answer.json()
  return { id: made.id, key: made.api_key.token }
}

async function newKey(key: string, body: Record<string, unknown>): Promise<{ id: string; token: string }> {
  const answer = await call('POST', '/api-keys', { key, body: { name: 'k', ...body } })
  expect(answer.status, await answer.clone().text()).toBe(201)
  return answer.json()
}

async function refusedFields(key: string, body: Record<string, unknown>): Promise<string[]> {
  const answer = await call('POST', '/api-keys', { key, body: { name: 'k', ...body } })
  expect(answer.status).toBe(422)
  const told: Refusal = await answer.json()
  return told.fields?.map(({ path }) => path) ?? []
}

test('a key has its permission’s scopes, or fewer where it names them', async () => {
  const { key } = await newAccount()
  await newKey(key, { permission: 'sending_access' })
  const { token } = await newKey(key, { scopes: ['domains:read', 'keys:read'] })
  const list = await call('GET', '/api-keys', { key: token })
  const { data }: { data: { permission: string; scopes: string[] }[] } = await list.json()
  expect(data.map(({ permission, scopes }) => [permission, scopes.length])).toEqual([
    ['custom', 2],
    ['sending_access', 1],
    ['full_access', ACCOUNT_SCOPES.length],
  ])
  expect(JSON.stringify(data)).not.toMatch(/re_|hash/)
  expect((await call('GET', '/domains', { key: token })).status).toBe(200)
  expect((await call('GET', '/addresses', { key: token })).status).toBe(401)
})

test('a key with full access has what scopes there will be, for its row names none', async () => {
  const { key } = await newAccount()
  const { id } = await newKey(key, { permission: 'full_access' })
  const row = await env.DB.prepare('SELECT scopes FROM api_keys WHERE id = ?').bind(id).first()
  expect(row).toEqual({ scopes: '["*"]' })
  expect((await call('GET', '/rules', { key })).status).toBe(200)
})

test('a key may not make one that does more than itself', async () => {
  const { key } = await newAccount()
  const { token } = await newKey(key, { scopes: ['keys:write', 'domains:read'] })
  expect(await refusedFields(token, { scopes: ['domains:read', 'emails:send'] })).toEqual(['scopes[1]'])
  expect(await refusedFields(token, {})).toContain('permission')
  expect(await refusedFields(key, { permission: 'sending_access', scopes: ['domains:read'] })).toEqual(['scopes[0]'])
  await newKey(token, { scopes: ['domains:read'] })
})

test('a key bound to a domain makes none that is not; the domain must be the account’s', async () => {
  const [own, other] = [await newAccount(), await newAccount()]
  const domain = await call('POST', '/domains', { key: own.key, body: { name: 'bound.test' } })
  const { id }: { id: string } = await domain.json()
  const { token } = await newKey(own.key, { domain_id: id })
  expect(await refusedFields(token, {})).toEqual(['domain_id'])
  await newKey(token, { domain_id: id })
  expect(await refusedFields(other.key, { domain_id: id })).toEqual(['domain_id'])
  const mail = { from: 'a@elsewhere.test', to: 'b@y.test', subject: 's', text: 't' }
  expect((await call('POST', '/emails', { key: token, body: mail })).status).toBe(403)
  expect((await call('POST', '/emails', { key: token, body: { ...mail, from: 'a@bound.test' } })).status).toBe(200)
})

test('inbound:write is for keys of the instance, and they have nothing else', async () => {
  const { id, key } = await newAccount()
  expect(await refusedFields(key, { permission: 'inbound:write' })).toEqual(['permission'])
  expect(await refusedFields(key, { scopes: ['inbound:write'] })).toEqual(['scopes[0]'])
  const acting = await call('POST', '/api-keys', {
    key: operator,
    account: id,
    body: { name: 'k', permission: 'inbound:write' },
  })
  expect(acting.status).toBe(422)
  expect(await refusedFields(operator, { permission: 'full_access' })).toEqual(['permission'])
  const made = await newKey(operator, { permission: 'inbound:write' })
  expect((await call('GET', '/inbound/recipient?to=x@y.test', { key: made.token })).status).toBe(404)
  expect((await call('GET', '/domains', { key: made.token })).status).toBe(401)
  expect((await call('GET', '/accounts', { key: made.token })).status).toBe(401)
  const listed = await call('GET', '/api-keys', { key: operator })
  expect(await listed.text()).toContain(made.id)
  expect(await (await call('GET', '/api-keys', { key })).text()).not.toContain(made.id)
  expect((await call('DELETE', `/api-keys/${made.id}`, { key })).status).toBe(404)
  expect((await call('DELETE', `/api-keys/${made.id}`, { key: operator })).status).toBe(200)
  expect((await call('GET', '/inbound/recipient?to=x@y.test', { key: made.token })).status).toBe(403)
})

test('a deleted key and the keys of a deleted account stop at once', async () => {
  const { id, key } = await newAccount()
  const made = await newKey(key, {})
  expect((await call('GET', '/domains', { key: made.token })).status).toBe(200)
  await call('DELETE', `/api-keys/${made.id}`, { key })
  expect((await call('GET', '/domains', { key: made.token })).status).toBe(403)
  expect((await call('DELETE', `/accounts/${id}`, { key: operator })).status).toBe(200)
  expect((await call('GET', '/domains', { key })).status).toBe(403)
  expect((await call('GET', '/domains', { key: operator, account: id })).status).toBe(404)
})
