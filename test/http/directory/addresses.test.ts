import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

async function newAccount(domain: string): Promise<{ id: string; key: string }> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'A' } })
  const made: { id: string; api_key: { token: string } } = await answer.json()
  const key = made.api_key.token
  expect((await call('POST', '/domains', { key, body: { name: domain } })).status).toBe(201)
  return { id: made.id, key }
}

test('an address is found by its id and by itself, raw and percent-encoded', async () => {
  const { key } = await newAccount('found.test')
  const body = {
    address: 'A+b@Found.test',
    name: 'Me',
    forward_to: ['me@else.test', 'ME@else.test'],
    expires_at: '2030-01-01T00:00:00+02:00',
  }
  const made = await call('POST', '/addresses', { key, body })
  const address: { id: string } = await made.json()
  expect(address).toMatchObject({
    address: 'a+b@found.test',
    name: 'Me',
    forward_to: ['me@else.test', 'ME@else.test'],
    expires_at: '2029-12-31T22:00:00.000Z',
  })
  for (const path of [address.id, 'a+b@found.test', 'a%2Bb%40found.test', 'A+B@FOUND.TEST']) {
    expect(await (await call('GET', `/addresses/${path}`, { key })).json(), path).toEqual(address)
  }
  const patch = { name: null, forward_to: null, expires_at: null }
  const patched = await call('PATCH', '/addresses/a+b@found.test', { key, body: patch })
  expect(await patched.json()).toMatchObject({ name: null, forward_to: [], expires_at: null })
  const gone = await call('DELETE', '/addresses/a%2Bb@found.test', { key })
  expect(await gone.json()).toEqual({ object: 'address', id: address.id, deleted: true })
  expect((await call('GET', `/addresses/${address.id}`, { key })).status).toBe(404)
})

test('a taken address is refused without a word of whose it is', async () => {
  const one = await newAccount('taken.test')
  const two = await newAccount('other.test')
  expect((await call('POST', '/addresses', { key: one.key, body: { address: '*@taken.test' } })).status).toBe(201)
  const body = { address: '*@taken.test' }
  const again = await call('POST', '/addresses', { key: operator, account: two.id, body })
  expect(again.status).toBe(422)
  const text = await again.text()
  expect(JSON.parse(text)).toMatchObject({
    name: 'validation_error',
    fields: [{ path: 'address', reason: 'is taken' }],
  })
  expect(text).not.toContain(one.id)
})

test('an account takes addresses on its own verified domains; the operator places one on any', async () => {
  const owner = await newAccount('owned.test')
  const guest = await newAccount('guest.test')
  const body = { address: 'guest@owned.test' }
  const refused = await call('POST', '/addresses', { key: guest.key, body })
  expect(refused.status).toBe(403)
  expect(await refused.json()).toMatchObject({
    name: 'validation_error',
    fix: expect.stringContaining('POST /domains'),
  })
  expect((await call('POST', '/addresses', { key: operator, account: guest.id, body })).status).toBe(201)
  const nowhere = { address: 'a@nowhere.test' }
  expect((await call('POST', '/addresses', { key: operator, account: guest.id, body: nowhere })).status).toBe(403)
  expect((await call('GET', '/addresses/guest@owned.test', { key: owner.key })).status).toBe(404)
})

test('every field at fault is named, and addresses are listed by domain', async () => {
  const { key } = await newAccount('list.test')
  for (const address of ['a@list.test', 'b@list.test']) {
    await call('POST', '/addresses', { key, body: { address } })
  }
  const listed = await call('GET', '/addresses?domain=LIST.test&limit=1', { key })
  expect(await listed.json()).toMatchObject({ has_more: true, data: [{ address: 'b@list.test' }] })
  const none = await call('GET', '/addresses?domain=else.test', { key })
  expect(await none.json()).toEqual({ object: 'list', has_more: false, data: [] })
  const bad = { address: 'c@list.test', forward_to: ['ok@x.test', 'x', 'y\r\nz'] }
  const refused = await call('POST', '/addresses', { key, body: bad })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ fields: [{ path: 'forward_to[1]' }, { path: 'forward_to[2]' }] })
  expect((await call('POST', '/addresses', { key, body: { address: 'not one' } })).status).toBe(422)
})

test('how an address takes mail is set, shown, and asked about as a mail server does', async () => {
  const { key } = await newAccount('gate.test')
  const auto_reply = { subject: 'Away', text: 'Back on Monday', ends_at: '2030-01-01T00:00:00+02:00' }
  const body = { address: 'in@gate.test', block: ['@Evil.test'], max_bytes: 1000, auto_reply }
  const made = await call('POST', '/addresses', { key, body })
  expect(await made.json()).toMatchObject({
    pause: null,
    max_bytes: 1000,
    allow: [],
    block: ['@evil.test'],
    deliver_to: [],
    auto_reply: { ...auto_reply, html: null, interval_days: 7, starts_at: null, ends_at: '2029-12-31T22:00:00.000Z' },
  })
  const asked = async (query: string) => (await call('GET', `/inbound/recipient?${query}`, { key: operator })).status
  expect(await asked('to=in@gate.test')).toBe(200)
  expect(await asked('to=in@gate.test&from=a@x.test&size=1000')).toBe(200)
  expect(await asked('to=in@gate.test&from=a@evil.test')).toBe(422)
  expect(await asked('to=in@gate.test&from=a@x.test&size=1001')).toBe(413)
  await call('PATCH', '/addresses/in@gate.test', { key, body: { pause: 'defer', auto_reply: null } })
  expect(await asked('to=in@gate.test')).toBe(503)
  const shown = await call('GET', '/addresses/in@gate.test', { key })
  expect(await shown.json()).toMatchObject({ pause: 'defer', block: ['@evil.test'], auto_reply: null })
  const bad = { auto_reply: { text: 'x', starts_at: '2030-01-02T00:00:00Z', ends_at: '2030-01-01T00:00:00Z' } }
  const refused = await call('PATCH', '/addresses/in@gate.test', { key, body: bad })
  expect(await refused.json()).toMatchObject({ fields: [{ path: 'auto_reply.ends_at' }] })
})
