import { expect, test, vi } from 'vitest'
import type { Net } from '../../../src/context.ts'
import { forgetRelays } from '../../../src/directory/relays/next-hop.ts'
import { eventsOf, putOutbox, readOutbox } from '../outbox.ts'
import type { Manners } from '../remote.ts'
import { MINUTE } from '../scene.ts'
import { type Hop, hops } from './hops.ts'

const refuses: Net['connect'] = async () => {
  throw new Error('connection refused')
}

const USELESS: [string, Hop][] = [
  ['refuses connections', { connect: refuses }],
  ['is not served any more', { manners: { greeting: () => '554 no service' } }],
  ['is busy', { manners: { greeting: () => '421 too many connections' } }],
  ['hangs up', { manners: { greeting: () => 'drop' } }],
  ['is no mail server', { manners: { greeting: () => 'SSH-2.0-OpenSSH' } }],
  ['wants a login', { manners: { mail: () => '530 5.7.0 authentication required' } }],
  ['says 421 to MAIL', { manners: { mail: () => '421 4.3.2 going down' } }],
  ['says 421 to RCPT', { manners: { rcpt: () => '421 4.3.2 going down' } }],
  ['says 421 to the whole message', { manners: { dot: () => '421 4.3.2 going down' } }],
  ['hangs up at MAIL', { manners: { mail: () => 'drop' } }],
  ['hangs up at RCPT', { manners: { rcpt: () => 'drop' } }],
]

test.each(USELESS)(
  'a relay that %s passes its mail on at once: all of it is sent by the next, in one attempt',
  async (_, first) => {
    const { ctx, account, relay, taken, health } = await hops({ first, second: {} })
    const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
    await relay(...ids)
    expect(new Set(taken().second)).toEqual(new Set(ids.map((_, at) => `r${at}@there.test`)))
    for (const id of ids) {
      const row = await readOutbox(ctx, account, id)
      expect(row).toMatchObject({ last_event: 'sent', relay: 'second', claim: null, due: null })
      expect(row.recipients[0]).toMatchObject({ state: 'sent', attempts: 1 })
    }
    expect((await eventsOf(ctx, account)).every(({ type }) => type === 'email.sent')).toBe(true)
    expect(await health('first')).toMatchObject({ failures: 1, since: ctx.now() })
    expect(await health('second')).toMatchObject({ okAt: ctx.now() })
  },
)

const VERDICTS: [string, Manners, string][] = [
  ['550 to RCPT', { rcpt: () => '550 5.1.1 no such user' }, 'bounced'],
  ['451 to RCPT', { rcpt: () => '451 4.7.1 come back later' }, 'deferred'],
  ['552 to MAIL', { mail: () => '552 5.3.4 too large' }, 'bounced'],
  ['550 to the message', { dot: () => '550 5.7.1 spam' }, 'bounced'],
  ['452 to the message', { dot: () => '452 4.3.1 disk full' }, 'deferred'],
]

test.each(VERDICTS)('a verdict is no trouble of the relay: %s stays with it', async (_, manners, state) => {
  const { ctx, account, relay, remote, health } = await hops({ first: { manners }, second: {} })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state, attempts: 1 })
  expect(remote('second').connections).toBe(0)
  expect(await health('first')).not.toHaveProperty('since')
})

test('what a relay may have taken is given to no other in the same attempt', async () => {
  let messages = 0
  const { ctx, account, relay, taken } = await hops({
    first: { manners: { dot: () => (++messages === 3 ? 'drop' : '250 ok') } },
    second: {},
  })
  const ids = await Promise.all(Array.from({ length: 6 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  const unknown = rows.filter(({ recipients }) => recipients[0]?.unknown)
  expect(unknown).toHaveLength(1)
  expect(unknown[0]?.recipients[0]).toMatchObject({ state: 'deferred' })
  const doubtful = taken().first?.[2]
  expect(taken().second).not.toContain(doubtful)
})

test('each recipient of one transaction goes its own way', async () => {
  const replies: Record<string, string> = { 'dead@there.test': '550 5.1.1 no', 'slow@there.test': '451 4.2.0 later' }
  const { ctx, account, relay, taken } = await hops({
    first: { manners: { rcpt: (address) => replies[address] ?? '250 ok', dot: () => '421 4.3.2 going down' } },
    second: {},
  })
  const to = ['a@there.test', 'dead@there.test', 'b@there.test', 'slow@there.test']
  const id = await putOutbox(ctx, account, to)
  await relay(id)
  const { recipients } = await readOutbox(ctx, account, id)
  expect(recipients.map(({ state }) => state)).toEqual(['sent', 'bounced', 'sent', 'deferred'])
  expect(taken().second?.sort()).toEqual(['a@there.test', 'b@there.test'])
})

test('mail that one relay cannot take by its kind goes to one that can, and fails where none can', async () => {
  const small = { ehlo: ['PIPELINING', '8BITMIME', 'SIZE 1000'] }
  const raw = `From: hello@sender.test\r\nMessage-ID: <x@sender.test>\r\n\r\n${'x'.repeat(2000)}\r\n`
  const { ctx, account, relay, health } = await hops({ first: { manners: small }, second: {} })
  const id = await putOutbox(ctx, account, ['a@there.test'], { raw })
  await relay(id)
  expect(await readOutbox(ctx, account, id)).toMatchObject({ last_event: 'sent', relay: 'second' })
  expect(await health('first')).not.toHaveProperty('since')
  const alone = await hops({ first: { manners: small }, second: { manners: small } })
  const lost = await putOutbox(alone.ctx, alone.account, ['a@there.test'], { raw })
  await alone.relay(lost)
  expect((await readOutbox(alone.ctx, alone.account, lost)).recipients[0]).toMatchObject({ state: 'failed' })
})

test('a relay that failed is left alone, then tried by one batch, then left alone for longer; once it works it is the first again', async () => {
  let broken = true
  const { ctx, world, account, relay, remote, taken, health } = await hops({
    first: { manners: { greeting: () => (broken ? '421 down' : '220 hello') } },
    second: {},
  })
  const send = async () => relay(await putOutbox(ctx, account, ['a@there.test']))
  await send()
  expect(remote('first').connections).toBe(1)
  await send()
  await send()
  expect(remote('first').connections).toBe(1)
  const { retryAt: first = 0 } = await health('first')
  world.pass(first - ctx.now())
  // Whoever else comes at that time leaves it alone meanwhile.
  await Promise.all([send(), send(), send()])
  expect(remote('first').connections).toBe(2)
  const again = await health('first')
  expect(again).toMatchObject({ failures: 2, since: again.since })
  expect((again.retryAt ?? 0) - ctx.now()).toBe(2 * 15_000)
  broken = false
  world.pass(MINUTE)
  await send()
  const well = await health('first')
  expect(well).toMatchObject({ okAt: ctx.now(), error: expect.stringContaining('421') })
  expect(well).not.toHaveProperty('since')
  await send()
  expect(taken().first).toHaveLength(2)
  expect(taken().second).toHaveLength(6)
})

test('where every relay is left alone mail waits for the first of them, and that is no attempt', async () => {
  const { ctx, account, relay, remote } = await hops({ first: { connect: refuses }, second: { connect: refuses } })
  await relay(await putOutbox(ctx, account, ['a@there.test']))
  const id = await putOutbox(ctx, account, ['b@there.test'])
  await relay(id)
  expect(remote('first').asked).toHaveLength(1)
  const row = await readOutbox(ctx, account, id)
  expect(row).toMatchObject({ due: ctx.now() + 15_000, claim: null, last_event: 'delivery_delayed' })
  expect(row.recipients[0]).toMatchObject({ state: 'deferred', attempts: 0, reply: { code: 451 } })
  expect(row.recipients[0]?.reply?.text).toContain('connection refused')
})

test('health costs a row where something turns, and none for each mail', async () => {
  const { ctx, world, account, relay } = await hops({ first: { connect: refuses }, second: {} })
  const spent = async () => {
    const id = await putOutbox(ctx, account, ['a@there.test'])
    const before = world.tally.written
    await relay(id)
    return world.tally.written - before
  }
  expect(await spent()).toBe(4 + 2)
  expect(await spent()).toBe(4)
  expect(await spent()).toBe(4)
})

test('relays that fail in every way at once lose no mail, send none twice, and hold nothing up for long', async () => {
  const silent: Net['connect'] = () => new Promise<never>(() => undefined)
  const failing: Record<string, Hop> = Object.fromEntries(USELESS.map(([_, hop], at) => [`bad${at}`, hop]))
  const { ctx, account, relay, counts, taken } = await hops({
    hole: { connect: silent },
    ...failing,
    mute: { manners: { greeting: () => 'silence' } },
    mutters: { manners: { rcpt: () => 'silence' } },
    good: { manners: { ehlo: ['PIPELINING', 'SIZE', '8BITMIME', 'CHUNKING'].slice(0, 3) } },
  })
  const ids = await Promise.all(
    Array.from({ length: 40 }, (_, at) => putOutbox(ctx, account, [`a${at}@there.test`, `b${at}@there.test`])),
  )
  const wait = setTimeout
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let over = false
  const relaying = relay(...ids).finally(() => {
    over = true
  })
  let seconds = 0
  for (; seconds < 800 && !over; seconds++) {
    await vi.advanceTimersByTimeAsync(1000)
    await new Promise((resolve) => wait(resolve, 2))
  }
  vi.useRealTimers()
  await relaying
  expect(taken().good).toHaveLength(80)
  expect(Object.values(counts()).every((count) => count === 1)).toBe(true)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(
    rows.every(({ relay: by, claim, last_event }) => by === 'good' && claim === null && last_event === 'sent'),
  ).toBe(true)
  forgetRelays()
  const next = await putOutbox(ctx, account, ['c@there.test'])
  await relay(next)
  expect(await readOutbox(ctx, account, next)).toMatchObject({ last_event: 'sent', relay: 'good' })
}, 60_000)
