import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { createRelay, patchRelay } from '../../../src/directory/relays/relays.ts'
import { call, operator } from '../../support/api.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

async function newKey(): Promise<string> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'A' } })
  const made: { api_key: { token: string } } = await answer.json()
  return made.api_key.token
}

const login = { user: 'u', password: 'never shown' }

test('a relay is made, shown without its password, changed and deleted', async () => {
  const key = await newKey()
  const body = { host: 'Localhost', port: 2525, security: 'starttls', domain: 'Own.Test', ...login }
  const made = await call('POST', '/relays', { key, body })
  expect(made.status).toBe(201)
  const relay: { id: string } = await made.json()
  expect(relay).toMatchObject({
    object: 'relay',
    name: 'Localhost',
    host: 'localhost',
    domain: 'own.test',
    user: 'u',
    has_password: true,
    verp: true,
    kind: 'smtp',
    priority: 10,
    enabled: true,
    max_connections: null,
    health: { state: 'working', since: null, last_error: null },
  })
  const patched = await call('PATCH', `/relays/${relay.id}`, { key, body: { verp: false, name: 'Mine', domain: null } })
  expect(await patched.json()).toMatchObject({ verp: false, name: 'Mine', domain: null, has_password: true })
  const listed = await call('GET', '/relays', { key })
  const text = await listed.text()
  expect(text).toContain(relay.id)
  expect(text).not.toContain(login.password)
  const gone = await call('DELETE', `/relays/${relay.id}`, { key })
  expect(await gone.json()).toEqual({ object: 'relay', id: relay.id, deleted: true })
  expect((await call('GET', `/relays/${relay.id}`, { key })).status).toBe(404)
})

test('the operator without X-Account keeps the instance’s relays, which no account sees', async () => {
  const key = await newKey()
  const body = { host: '127.0.0.1', port: 2525, security: 'none' }
  const made: { id: string } = await (await call('POST', '/relays', { key: operator, body })).json()
  expect((await call('GET', `/relays/${made.id}`, { key: operator })).status).toBe(200)
  expect((await call('GET', `/relays/${made.id}`, { key })).status).toBe(404)
  expect((await call('DELETE', `/relays/${made.id}`, { key: operator })).status).toBe(200)
})

test('a relay goes without TLS to loopback from a local copy alone, and never to port 25 elsewhere', async () => {
  const world = await makeWorld()
  const local = await makeAccount(world)
  const away: Caller = { ...local, config: { ...local.config, local: false } }
  const refused = (ctx: Caller, relay: Parameters<typeof createRelay>[1]) =>
    expect(createRelay(ctx, relay)).rejects.toMatchObject({ code: 'validation_error' })
  await createRelay(local, { host: '[::1]', port: 25, security: 'none' })
  await refused(local, { host: 'mail.example.com', port: 587, security: 'none' })
  await refused(away, { host: '127.0.0.1', port: 587, security: 'none' })
  await refused(away, { host: 'mail.example.com', port: 25, security: 'starttls' })
  await refused(away, { host: 'mail.example.com', port: 587, security: 'starttls', user: 'u' })
  await refused(away, { host: 'mail.example.com', port: 587, security: 'starttls', password: 'p' })
  await refused(away, { host: 'mail example', port: 587, security: 'starttls' })
})

test('the host is asked of the guard before anything is kept', async () => {
  const asked: string[] = []
  const { Problem } = await import('../../../src/base/problem.ts')
  const world = await makeWorld({
    net: {
      checkHost: async (host) => {
        asked.push(host)
        throw new Problem('validation_error', 'Invalid host: it is a private address.', {
          fields: [{ path: 'host', reason: 'is a private address' }],
        })
      },
    },
  })
  const ctx = await makeAccount(world)
  await expect(createRelay(ctx, { host: '10.0.0.1', port: 587, security: 'starttls' })).rejects.toMatchObject({
    message: 'Invalid `host`: is a private address',
    detail: { fields: [{ path: 'host', reason: 'is a private address' }] },
  })
  expect(asked).toEqual(['10.0.0.1'])
})

test('every limit and setting is shown as it was given, and null takes it away', async () => {
  const key = await newKey()
  const limits = { max_connections: 3, messages_per_second: 14, messages_per_minute: 600, provider: 'ses', priority: 2 }
  const body = { host: 'localhost', port: 2525, security: 'none', ...limits, enabled: false }
  const made: { id: string } = await (await call('POST', '/relays', { key, body })).json()
  expect(made).toMatchObject({ ...limits, enabled: false, health: { state: 'off' } })
  const none = { max_connections: null, messages_per_second: null, messages_per_minute: null, provider: null }
  const patched = await call('PATCH', `/relays/${made.id}`, { key, body: { ...none, enabled: true } })
  expect(await patched.json()).toMatchObject({ ...none, priority: 2, enabled: true, health: { state: 'working' } })
  for (const bad of [{ max_connections: 0 }, { messages_per_second: 0.5 }, { priority: -1 }, { provider: 'x' }]) {
    expect((await call('PATCH', `/relays/${made.id}`, { key, body: bad })).status).toBe(422)
  }
})

test('a server needs host, port and security, and every one that is missing is named', async () => {
  const answer = await call('POST', '/relays', { key: await newKey(), body: { host: 'localhost' } })
  expect(answer.status).toBe(422)
  expect(await answer.json()).toMatchObject({ fields: [{ path: 'port' }, { path: 'security' }] })
})

test('the platform’s own service is given by the operator alone, where it is bound, and takes no settings of a server', async () => {
  const world = await makeWorld({ net: { sendEmail: async () => ({ kind: 'taken', id: 'x' }) } })
  const user = await makeAccount(world)
  const boss: Caller = { ...user, access: { ...user.access, key: 'operator' } }
  await expect(createRelay(user, { kind: 'cloudflare' })).rejects.toMatchObject({
    detail: { fields: [{ path: 'kind' }] },
  })
  const { sendEmail: _, ...unbound } = boss.net
  await expect(createRelay({ ...boss, net: unbound }, { kind: 'cloudflare' })).rejects.toMatchObject({
    detail: { fields: [{ path: 'kind' }] },
  })
  await expect(createRelay(boss, { kind: 'cloudflare', host: 'x.test', port: 1 })).rejects.toMatchObject({
    detail: { fields: [{ path: 'host' }, { path: 'port' }] },
  })
  const made = await createRelay(boss, { kind: 'cloudflare', priority: 1 })
  expect(made).toMatchObject({
    kind: 'cloudflare',
    name: 'Cloudflare',
    host: null,
    port: null,
    security: null,
    verp: false,
  })
  await expect(patchRelay(boss, made.id, { host: 'x.test' })).rejects.toMatchObject({
    detail: { fields: [{ path: 'host' }] },
  })
  expect(await patchRelay(boss, made.id, { name: 'CF', messages_per_minute: 60 })).toMatchObject({
    name: 'CF',
    messages_per_minute: 60,
  })
})
