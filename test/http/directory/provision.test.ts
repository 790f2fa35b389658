import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

test('an operator key leads to an account that sends and receives, in four calls', async () => {
  const made = await call('POST', '/accounts', { key: operator, body: { name: 'Demo' } })
  expect(made.status).toBe(201)
  const account: { id: string; api_key: { id: string; token: string } } = await made.json()
  expect(account).toMatchObject({
    object: 'account',
    name: 'Demo',
    quota: { storage_bytes: null, sends_per_day: null, addresses: null, requests_per_second: null },
    api_key: { token: expect.stringMatching(/^re_[a-z2-7]{32}$/) },
  })
  const key = account.api_key.token

  const domain = await call('POST', '/domains', { key, body: { name: 'Demo.Test' } })
  expect(domain.status).toBe(201)
  expect(await domain.json()).toMatchObject({ name: 'demo.test', status: 'verified', region: 'us-east-1' })

  const address = await call('POST', '/addresses', { key, body: { address: 'Hello@demo.test' } })
  expect(address.status).toBe(201)
  expect(await address.json()).toMatchObject({ object: 'address', address: 'hello@demo.test', domain: 'demo.test' })

  const body = { name: 'gateway', permission: 'inbound:write' }
  const instance = await call('POST', '/api-keys', { key: operator, body })
  expect(instance.status).toBe(201)
  const { token }: { token: string } = await instance.json()
  const asked = await call('GET', '/inbound/recipient?to=hello%2Btag@demo.test', { key: token })
  expect(await asked.json()).toEqual({ accept: true })
})
