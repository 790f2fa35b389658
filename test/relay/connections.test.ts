import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { relayBatch } from '../../src/relay/relay.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { eventsOf, putOutbox, readOutbox, run } from './outbox.ts'
import { Remote } from './remote.ts'
import { MINUTE, scene } from './scene.ts'

test('a hundred messages to one relay take two connections at most', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const ids = await Promise.all(Array.from({ length: 100 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  const { written, trips } = world.tally
  await relay(...ids)
  expect(remote.connections).toBeLessThanOrEqual(2)
  expect(remote.taken).toHaveLength(100)
  expect(Object.values(remote.counts()).every((count) => count === 1)).toBe(true)
  expect(world.tally.written - written).toBe(400)
  expect(world.tally.trips - trips).toBeLessThan(60)
})

test.each([
  ['refuses connections', { greeting: () => '554 no service' }],
  ['says it is busy', { greeting: () => '421 busy' }],
  ['hangs up', { greeting: () => 'drop' }],
])('a relay that %s defers all, is asked once, and fails nobody', async (_, manners) => {
  const { ctx, account, remote, relay } = await scene(manners)
  const ids = await Promise.all(Array.from({ length: 60 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(1)
  for (const id of ids) {
    const row = await readOutbox(ctx, account, id)
    expect(row).toMatchObject({ last_event: 'delivery_delayed', claim: null })
    expect(row.recipients[0]).toMatchObject({ state: 'deferred', attempts: 1, reply: { code: 451 } })
  }
})

test('a relay that wants TLS and offers none, or refuses our login, burns no mail', async () => {
  const { world, ctx, account } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const remote = new Remote({ mail: () => '530 5.7.0 authentication required' })
  const strict = { ...ctx, net: { ...ctx.net, connect: remote.connect } }
  await relayBatch(strict, [{ account, messages: [id] }])
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'deferred', reply: { code: 530 } })
  world.pass(2 * MINUTE)
  const tls = { ...strict, config: { ...ctx.config, RELAY_URL: 'smtp://u:p@relay.example:587' } }
  await relayBatch(tls, [{ account, messages: [id] }])
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'deferred', attempts: 2 })
  expect(recipient?.reply?.text).toContain('relay.example:587 cannot be used as it is set up')
})

test('a RELAY_URL that cannot be read makes mail wait, and says so without its password', async () => {
  const { ctx, account, relay } = await scene({}, 'smtp://u:s3cret%@relay.example')
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'deferred', attempts: 1 })
  expect(recipient?.reply?.text).toContain('RELAY_URL has a %')
  expect(JSON.stringify(recipient)).not.toContain('s3cret')
})

test('without any relay mail waits, and says what is missing', async () => {
  const { ctx, account, relay } = await scene({}, '')
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'deferred', attempts: 1 })
  expect(recipient?.reply?.text).toContain('no relay is configured')
})

test('a relay that ends the connection in the middle is connected to again, and no turn that did not come counts as an attempt', async () => {
  let left = 3
  const { ctx, account, remote, relay } = await scene({
    mail: () => {
      if (left-- > 0) return '250 ok'
      left = 3
      return '421 enough for one connection'
    },
  })
  const ids = await Promise.all(Array.from({ length: 9 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ claim }) => claim === null)).toBe(true)
  expect(rows.flatMap(({ recipients }) => recipients).every(({ attempts }) => attempts <= 1)).toBe(true)
  expect(remote.taken.length).toBeGreaterThanOrEqual(6)
  expect(Object.values(remote.counts()).every((count) => count === 1)).toBe(true)
})

test('messages of several accounts share a connection, and each account has its own history', async () => {
  const { world, ctx, account, remote } = await scene()
  const { account: other } = await makeAccount(world)
  const mine = await putOutbox(ctx, account, ['a@there.test'])
  const theirs = await putOutbox(ctx, other, ['b@there.test'])
  await relayBatch(ctx, [
    { account, messages: [mine] },
    { account: other, messages: [theirs] },
  ])
  expect(remote.connections).toBe(1)
  expect((await eventsOf(ctx, account)).map(({ data }) => data.email_id)).toEqual([mine])
  expect((await eventsOf(ctx, other)).map(({ data }) => data.email_id)).toEqual([theirs])
})

test('a relay that takes one connection only gets everything over that one', async () => {
  const { ctx, account, remote, relay } = await scene({
    greeting: (connection) => (connection === 1 ? '220 hello' : '421 too many connections'),
  })
  const ids = await Promise.all(Array.from({ length: 60 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(2)
  expect(remote.taken).toHaveLength(60)
})

test('a relay that ends every connection at once is left alone after three, and nobody fails', async () => {
  const { ctx, account, remote, relay } = await scene({ mail: () => '421 go away' })
  const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(3)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ claim, recipients }) => claim === null && recipients[0]?.state === 'deferred')).toBe(true)
})

test('mail goes by the relay of its sender’s domain, over few connections at a time, and by RELAY_URL where that is down', async () => {
  const { ctx, account, remote } = await scene({
    dot: () => new Promise((resolve) => setTimeout(resolve, 20, '250 ok')),
  })
  const connect: typeof remote.connect = async (to) => {
    if (to.host === 'relay0.example') throw new Error('connection refused')
    return remote.connect(to)
  }
  const ids: string[] = []
  for (let at = 0; at < 8; at++) {
    await run(
      ctx,
      sql`INSERT INTO relays (account, id, domain, name, host, port, security, verp, created_at)
        VALUES (${account.number}, ${`relay${at}`}, ${`s${at}.test`}, 'x', ${`relay${at}.example`}, 2525, 'none', ${at % 2}, 0)`,
    )
    for (const to of ['a', 'b'])
      ids.push(await putOutbox(ctx, account, [`${to}@there.test`], { from: `x@s${at}.test` }))
  }
  await relayBatch({ ...ctx, net: { ...ctx.net, connect } }, [{ account, messages: ids }])
  const others = [1, 2, 3, 4, 5, 6, 7].map((at) => `relay${at}.example:2525`)
  expect(new Set(remote.asked)).toEqual(new Set([...others, '127.0.0.1:2525']))
  expect(remote.connections).toBe(8)
  expect(remote.mostOpen).toBe(4)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.map((row) => row.relay)).toEqual([
    'config',
    'config',
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((at) => [`relay${at}`, `relay${at}`]),
  ])
  const froms = remote.taken.map(({ from }) => from)
  expect(froms.filter((from) => from.startsWith('b-'))).toHaveLength(10)
})

test('the password of a relay goes to its server and into no row, event or log', async () => {
  const said: string[] = []
  const { ctx, account } = await scene({}, 'smtp://user:hunter2%21@127.0.0.1:2525')
  const log: typeof ctx.log = (_level, fact, about) => void said.push(`${fact} ${JSON.stringify(about)}`)
  const remote = new Remote({ ehlo: ['AUTH PLAIN'], auth: (line) => `535 5.7.8 no: ${line}` })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relayBatch({ ...ctx, log, net: { ...ctx.net, connect: remote.connect } }, [{ account, messages: [id] }])
  const row = await readOutbox(ctx, account, id)
  expect(row.recipients[0]).toMatchObject({ state: 'deferred', reply: { code: 451, enhanced: '4.3.5' } })
  const everything = JSON.stringify([row, await eventsOf(ctx, account), said])
  for (const secret of ['hunter2', btoa('\0user\0hunter2!')]) expect(everything).not.toContain(secret)
})

test.each([
  ['never takes the connection', new Remote(), () => new Promise<never>(() => undefined)],
  ['never greets', new Remote({ greeting: () => 'silence' }), undefined],
  ['falls silent', new Remote({ mail: () => 'silence' }), undefined],
])('a relay that %s is given up by a timer', async (_, remote, connect) => {
  const world = await makeWorld({
    net: { connect: connect ?? remote.connect },
    config: { RELAY_URL: 'smtp://127.0.0.1:2525' },
  })
  const { account } = await makeAccount(world)
  const id = await putOutbox(world.ctx, account, ['a@there.test'])
  const wait = setTimeout
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let over = false
  const relaying = relayBatch(world.ctx, [{ account, messages: [id] }]).finally(() => {
    over = true
  })
  for (let second = 0; second < 600 && !over; second++) {
    await vi.advanceTimersByTimeAsync(1000)
    await new Promise((resolve) => wait(resolve, 1))
  }
  vi.useRealTimers()
  await relaying
  const row = await readOutbox(world.ctx, account, id)
  expect(row).toMatchObject({ claim: null, recipients: [{ state: 'deferred', attempts: 1 }] })
})
