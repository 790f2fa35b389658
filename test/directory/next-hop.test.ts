import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { chooseRelays, type RelayTarget, relayOfUrl } from '../../src/directory/relays/next-hop.ts'
import { createRelay, deleteRelay, getRelay, patchRelay } from '../../src/directory/relays/relays.ts'
import { INSTANCE } from '../../src/store/stores.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld({ config: { RELAY_URL: 'smtps://u:p%40ss@config.example' } })
const login = { user: 'u', password: 'secret' }
const hosts = (targets: RelayTarget[]) => targets.map((target) => (target.kind === 'smtp' ? target.host : target.kind))
const relay = (host: string, domain?: string) => ({ host, domain, port: 587, security: 'starttls' as const, ...login })

test('all relays stand in their order: the account’s for the domain, its own, the instance’s for the domain, its own, RELAY_URL', async () => {
  const ctx = await makeAccount(world)
  const instance: Caller = { ...ctx, account: INSTANCE }
  const chosen = async () => hosts(await chooseRelays(world.ctx, ctx.account, 'a.test'))
  const made: { by: Caller; id: string }[] = []
  const make = async (by: Caller, host: string, domain?: string) =>
    void made.push({ by, id: (await createRelay(by, relay(host, domain))).id })

  expect(await chosen()).toEqual(['config.example'])
  await make(instance, 'instance.example')
  await make(instance, 'instance-a.example', 'A.test')
  await make(ctx, 'own.example')
  await make(ctx, 'own-a.example', 'a.test')
  await make(ctx, 'own-b.example', 'b.test')
  expect(await chosen()).toEqual([
    'own-a.example',
    'own.example',
    'instance-a.example',
    'instance.example',
    'config.example',
  ])

  for (const { by, id } of made.reverse()) await deleteRelay(by, id)
  expect(await chosen()).toEqual(['config.example'])
})

test('among relays for the same mail a lower priority comes first, and one that is switched off not at all', async () => {
  const ctx = await makeAccount(world)
  const chosen = async () => hosts(await chooseRelays(world.ctx, ctx.account, 'a.test')).slice(0, -1)
  await createRelay(ctx, { ...relay('second.example'), priority: 20 })
  const { id } = await createRelay(ctx, { ...relay('first.example'), priority: 5 })
  await createRelay(ctx, { ...relay('off.example'), priority: 1, enabled: false })
  expect(await chosen()).toEqual(['first.example', 'second.example'])
  expect(await patchRelay(ctx, id, { priority: 30 })).toMatchObject({ priority: 30, enabled: true })
  expect(await chosen()).toEqual(['second.example', 'first.example'])
  expect(await patchRelay(ctx, id, { enabled: false })).toMatchObject({ enabled: false, health: { state: 'off' } })
  expect(await chosen()).toEqual(['second.example'])
})

test('whoever changes a relay at the same time as others has the change made, and nobody’s is lost', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createRelay(ctx, relay('own.example'))
  await Promise.all([
    patchRelay(ctx, id, { name: 'Named' }),
    patchRelay(ctx, id, { verp: false }),
    patchRelay(ctx, id, { priority: 3 }),
    patchRelay(ctx, id, { max_connections: 1 }),
    patchRelay(ctx, id, { messages_per_second: 14 }),
    patchRelay(ctx, id, { messages_per_minute: 100 }),
    patchRelay(ctx, id, { provider: 'ses' }),
    ...['a', 'b', 'c', 'd', 'e', 'f'].map((password) => patchRelay(ctx, id, { password })),
  ])
  expect(await getRelay(ctx, id)).toMatchObject({
    name: 'Named',
    verp: false,
    priority: 3,
    max_connections: 1,
    messages_per_second: 14,
    messages_per_minute: 100,
    provider: 'ses',
    has_password: true,
  })
})

test('a choice is read once in half a minute, and its password is opened nowhere else', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createRelay(ctx, relay('own.example'))
  const before = world.tally.trips
  for (let time = 0; time < 3; time++) {
    expect((await chooseRelays(world.ctx, ctx.account, 'x.test'))[0]).toEqual({
      kind: 'smtp',
      id,
      key: { account: ctx.account.number, id },
      provider: null,
      maxConnections: null,
      health: {},
      host: 'own.example',
      port: 587,
      security: 'starttls',
      auth: login,
      verp: true,
      clearAuth: false,
    })
  }
  expect(world.tally.trips - before).toBe(1)
  const rows = await world.ctx.stores.directory.all(sql`SELECT * FROM relays WHERE id = ${id}`)
  expect(JSON.stringify(rows)).not.toContain('secret')
  await patchRelay(ctx, id, { verp: false })
  expect((await chooseRelays(world.ctx, ctx.account, 'x.test'))[0]).toMatchObject({ verp: false, auth: login })
})

test('a password does not follow a relay to another place', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createRelay(ctx, relay('own.example'))
  for (const patch of [
    { host: 'thief.example' },
    { port: 2525 },
    { security: 'implicit' as const },
    { user: 'other' },
  ]) {
    await expect(patchRelay(ctx, id, patch)).rejects.toMatchObject({ detail: { fields: [{ path: 'password' }] } })
  }
  expect(await patchRelay(ctx, id, { host: 'new.example', password: 'new' })).toMatchObject({ has_password: true })
  expect((await chooseRelays(world.ctx, ctx.account, 'y.test'))[0]).toMatchObject({
    host: 'new.example',
    auth: { user: 'u', password: 'new' },
  })
  expect(await patchRelay(ctx, id, { user: null })).toMatchObject({ user: null, has_password: false })
})

test('RELAY_URL is read as it is written, and TLS is left out to loopback only', () => {
  const read = (text: string) => relayOfUrl(text)
  expect(read('')).toBeUndefined()
  expect(read('smtps://u:p%40ss@mail.example')).toEqual({
    id: 'config',
    kind: 'smtp',
    provider: null,
    maxConnections: null,
    health: {},
    host: 'mail.example',
    port: 465,
    security: 'implicit',
    auth: { user: 'u', password: 'p@ss' },
    verp: true,
    clearAuth: false,
  })
  expect(read('smtp://mail.example')).toMatchObject({ port: 587, security: 'starttls' })
  expect(read('smtp://mail.example')).not.toHaveProperty('auth')
  expect(read('smtp://127.0.0.1:2525')).toMatchObject({ port: 2525, security: 'none', clearAuth: true })
  expect(read('smtp://[::1]:2525')).toMatchObject({ security: 'none', clearAuth: true })
  expect(read('smtp://localhost?tls=starttls')).toMatchObject({ security: 'starttls' })
  expect(read('smtp://mail.example:465?tls=implicit&verp=false')).toMatchObject({ security: 'implicit', verp: false })
  for (const text of [
    'mail.example',
    'https://mail.example',
    'smtp://',
    'smtp://mail.example?tls=none',
    'smtp://h?tls=yes',
    'smtp://u:5%zz@h',
  ]) {
    expect(() => read(text), text).toThrow(/^RELAY_URL/)
  }
})
