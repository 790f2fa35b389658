import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

async function newAccount(body: Record<string, unknown> = {}): Promise<{ id: string; api_key: { token: string } }> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'A', ...body } })
  expect(answer.status).toBe(201)
  return answer.json()
}

test('an account is read by the operator and by its own key, with quota and usage', async () => {
  const { id, api_key } = await newAccount({ quota: { sends_per_day: 5 } })
  const quota = { storage_bytes: null, sends_per_day: 5, addresses: null, requests_per_second: null }
  const usage = { messages: 0, storage_bytes: 0, sends_today: 0, addresses: 0 }
  const shown = await (await call('GET', `/accounts/${id}`, { key: operator })).json()
  expect(shown).toMatchObject({ object: 'account', id, name: 'A', quota, usage })
  expect(await (await call('GET', '/accounts/me', { key: api_key.token })).json()).toEqual(shown)
  expect((await call('GET', `/accounts/${id}`, { key: api_key.token })).status).toBe(401)
})

test('usage follows the mail, and the quota holds where it was changed', async () => {
  const { id, api_key } = await newAccount()
  const key = api_key.token
  await call('POST', '/domains', { key, body: { name: 'usage.test' } })
  await call('POST', '/addresses', { key, body: { address: 'a@usage.test' } })
  const mail = { from: 'a@usage.test', to: ['b@y.test', 'c@y.test'], subject: 's', text: 't' }
  expect((await call('POST', '/emails', { key, body: mail })).status).toBe(200)
  const me: { usage: Record<string, number> } = await (await call('GET', '/accounts/me', { key })).json()
  expect(me.usage).toMatchObject({ messages: 1, sends_today: 2, addresses: 1 })
  expect(me.usage.storage_bytes).toBeGreaterThan(100)

  const body = { name: 'B', quota: { sends_per_day: 3, addresses: 1 } }
  const patched = await call('PATCH', `/accounts/${id}`, { key: operator, body })
  expect(await patched.json()).toMatchObject({
    name: 'B',
    quota: { storage_bytes: null, sends_per_day: 3, addresses: 1, requests_per_second: null },
  })
  expect((await call('POST', '/emails', { key, body: mail })).status).toBe(429)
  const more = await call('POST', '/addresses', { key, body: { address: 'b@usage.test' } })
  expect(more.status).toBe(422)
  const wider = { quota: { sends_per_day: null, addresses: null } }
  expect((await call('PATCH', `/accounts/${id}`, { key: operator, body: wider })).status).toBe(200)
  expect((await call('POST', '/emails', { key, body: mail })).status).toBe(200)
})

test('accounts are listed newest first, page by page, and not those that are closed', async () => {
  const made = [await newAccount(), await newAccount(), await newAccount()].map(({ id }) => id).reverse()
  const page = async (query: string): Promise<{ ids: string[]; more: boolean }> => {
    const answer = await call('GET', `/accounts?${query}`, { key: operator })
    const list: { object: string; has_more: boolean; data: { id: string }[] } = await answer.json()
    expect(list.object).toBe('list')
    return { ids: list.data.map(({ id }) => id), more: list.has_more }
  }
  expect(await page('limit=2')).toEqual({ ids: made.slice(0, 2), more: true })
  expect((await page(`limit=1&after=${made[0]}`)).ids).toEqual([made[1]])
  expect(await page(`limit=2&before=${made[2]}`)).toEqual({ ids: made.slice(0, 2), more: false })
  expect(await page(`limit=1&before=${made[2]}`)).toEqual({ ids: [made[1]], more: true })
  expect((await call('GET', '/accounts?after=x', { key: operator })).status).toBe(422)
  await call('DELETE', `/accounts/${made[1]}`, { key: operator })
  expect((await page('limit=2')).ids).toEqual([made[0], made[2]])
  expect((await call('GET', `/accounts/${made[1]}`, { key: operator })).status).toBe(404)
})
