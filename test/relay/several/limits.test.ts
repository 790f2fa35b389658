import { expect, test } from 'vitest'
import { relayBatch } from '../../../src/relay/relay.ts'
import { holdConnections, releaseConnections, reserveTurns } from '../../../src/store/relays/health.ts'
import { putOutbox, readOutbox } from '../outbox.ts'
import { hops } from './hops.ts'

/** What reserves nothing, and so only learns when the next turn is. */
const asking = (now: number) => ({ now, count: 0, least: 0, interval: 2000, horizon: now })

test('turns are handed out one after the other, however many ask at once, and no further ahead than is asked', async () => {
  const { ctx, account } = await hops({ one: {} })
  const key = { account: account.number, id: 'one' }
  const wanted = { now: 1000, count: 10, least: 1, interval: 100, horizon: 2500 }
  const both = await Promise.all([reserveTurns(ctx.stores, key, wanted), reserveTurns(ctx.stores, key, wanted)])
  expect(both.map((turns) => turns?.count).sort()).toEqual([10, 5])
  expect(both.map((turns) => turns?.first).sort()).toEqual([1000, 2000])
  expect(await reserveTurns(ctx.stores, key, wanted)).toEqual({ first: 2500, count: 0 })
  expect(await reserveTurns(ctx.stores, key, { ...wanted, now: 9000, horizon: 9001 })).toEqual({
    first: 9000,
    count: 1,
  })
  expect(await reserveTurns(ctx.stores, { ...key, id: 'gone' }, wanted)).toBeUndefined()
})

test('turns that are of use together alone are given together or not at all, and none is lost by asking', async () => {
  const { ctx, account } = await hops({ one: {} })
  const key = { account: account.number, id: 'one' }
  const wanted = { now: 1000, count: 60, least: 50, interval: 100, horizon: 2500 }
  expect(await reserveTurns(ctx.stores, key, { ...wanted, count: 14, least: 1 })).toEqual({ first: 1000, count: 14 })
  expect(await reserveTurns(ctx.stores, key, wanted)).toEqual({ first: 2400, count: 50 })
  expect(await reserveTurns(ctx.stores, key, wanted)).toEqual({ first: 7400, count: 0 })
  expect(await reserveTurns(ctx.stores, key, { ...wanted, now: 7400, horizon: 7500 })).toEqual({
    first: 7400,
    count: 50,
  })
})

test('a mail to many goes in its turn, however slow the relay and whatever else goes by it', async () => {
  const { world, ctx, account, relay, taken } = await hops({ one: { settings: { perMinute: 30 } } })
  const key = { account: account.number, id: 'one' }
  const to = Array.from({ length: 100 }, (_, at) => `r${at}@there.test`)
  await relay(await putOutbox(ctx, account, ['first@there.test']))
  const many = await putOutbox(ctx, account, to)
  world.pass(2000)
  await relay(many)
  expect(taken().one).toHaveLength(101)
  const after = await putOutbox(ctx, account, ['last@there.test'])
  await relay(after)
  expect((await readOutbox(ctx, account, after)).due).toBe(ctx.now() + 200_000)
  const two = [await putOutbox(ctx, account, to), await putOutbox(ctx, account, to)]
  await Promise.all(two.map((id) => relay(id)))
  world.pass(200_000)
  await Promise.all([relay(after), ...two.map((id) => relay(id))])
  const { first } = (await reserveTurns(ctx.stores, key, asking(ctx.now()))) ?? {}
  // What was reserved was used.
  expect((first ?? 0) - ctx.now()).toBe((taken().one?.length ?? 0) * 2000 - 202_000)
})

test('connections are held by no more than are allowed, are renewed by their holder, and lapse with it', async () => {
  const { ctx, account } = await hops({ one: {} })
  const key = { account: account.number, id: 'one' }
  const hold = (holder: string, count: number, now: number) =>
    holdConnections(ctx.stores, key, { holder, count, most: 3, now, until: now + 100 })
  expect(await Promise.all([hold('2A', 2, 0), hold('B', 2, 0), hold('C', 2, 0)])).toSatisfy((held: number[]) => {
    return held.toSorted().join() === '0,1,2'
  })
  expect(await hold('D', 1, 50)).toBe(0)
  await releaseConnections(ctx.stores, key, '2A')
  expect(await hold('D', 2, 60)).toBeGreaterThan(0)
  expect(await hold('D', 2, 120)).toBe(2)
  expect(await hold('E', 2, 130)).toBe(1)
})

test('a rate is kept over all batches: nothing goes before its turn, what is too far ahead waits, and that is no attempt', async () => {
  const times: number[] = []
  const dot = () => {
    times.push(performance.now())
    return '250 ok'
  }
  const { ctx, account, relay, letTimeRun, counts } = await hops({
    one: { settings: { perSecond: 40 }, manners: { dot } },
  })
  const ids = await Promise.all(Array.from({ length: 30 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  const began = performance.now()
  letTimeRun()
  await Promise.all([relay(...ids.slice(0, 15)), relay(...ids.slice(15))])
  expect(Object.values(counts())).toHaveLength(30)
  // The clocks of timers and of dates are not quite one.
  const early = times.filter((time, at) => time < began + at * 25 - 10)
  expect(early).toEqual([])
})

test('what is over a rate waits without a connection, in its order and with its time, and costs three rows each', async () => {
  const { world, ctx, account, relay, remote } = await hops({ one: { settings: { perMinute: 1 } } })
  const key = { account: account.number, id: 'one' }
  await reserveTurns(ctx.stores, key, {
    now: ctx.now(),
    count: 2,
    least: 1,
    interval: 60_000,
    horizon: ctx.now() + 90_000,
  })
  const ids = await Promise.all([1, 2, 3].map((at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  const { written } = world.tally
  await relay(...ids)
  // Each is claimed, and given back with another time, which is in an index; and the row of the relay.
  expect(world.tally.written - written).toBe(3 + 2 * 3 + 1)
  expect(remote('one').connections).toBe(0)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.map(({ due }) => ((due ?? 0) - ctx.now()) / 60_000).sort()).toEqual([2, 3, 4])
  for (const row of rows) {
    expect(row).toMatchObject({ last_event: 'queued', claim: null, recipients: [{ state: 'queued', attempts: 0 }] })
  }
})

test('a batch that finds all connections of a relay taken waits for one, and defers nothing', async () => {
  const { ctx, account, remote, letTimeRun, counts } = await hops({
    one: {
      settings: { maxConnections: 1 },
      manners: { dot: () => new Promise((resolve) => setTimeout(resolve, 30, '250 ok')) },
    },
  })
  const ids = await Promise.all(Array.from({ length: 30 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  letTimeRun()
  const batch = (from: number) => relayBatch(ctx, [{ account, messages: ids.slice(from, from + 15) }])
  await Promise.all([batch(0), batch(15)])
  expect(remote('one').mostOpen).toBe(1)
  expect(Object.values(counts())).toHaveLength(30)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ recipients }) => recipients[0]?.state === 'sent' && recipients[0].attempts === 1)).toBe(true)
})

test('a relay that takes one connection, and says so to the second batch, gets both over one after the other', async () => {
  let open = 0
  const { ctx, account, letTimeRun, counts, health } = await hops({
    one: {
      manners: {
        greeting: () => (++open > 1 ? '421 4.7.0 too many connections' : '220 hello'),
        dot: () => new Promise((resolve) => setTimeout(resolve, 30, '250 ok')),
        quit: () => {
          open = 0
        },
      },
    },
    other: {},
  })
  const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  letTimeRun()
  const batch = (from: number) => relayBatch(ctx, [{ account, messages: ids.slice(from, from + 10) }])
  await Promise.all([batch(0), batch(10)])
  expect(Object.values(counts())).toHaveLength(20)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ relay: by, recipients }) => by === 'one' && recipients[0]?.attempts === 1)).toBe(true)
  expect(await health('one')).not.toHaveProperty('since')
})
