import { expect, test, vi } from 'vitest'
import { Dispatch } from '../../src/relay/dispatch.ts'
import { Gate } from '../../src/relay/gate.ts'

import { LEASE_MS, Lease } from '../../src/relay/lease.ts'
import { plan } from '../../src/relay/plan.ts'
import { Recorder } from '../../src/relay/recorder.ts'
import { claimDeliveries } from '../../src/store/mail/deliveries.ts'
import { settled, stillClock } from '../smtp/clock.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { putOutbox, readOutbox } from './outbox.ts'
import { Remote } from './remote.ts'

async function held() {
  const faults = noFaults()
  const world = await makeWorld({ faults })
  const { account, ctx } = await makeAccount(world).then((caller) => ({ account: caller.account, ctx: world.ctx }))
  const id = await putOutbox(ctx, account, ['a@y.test'])
  const claim = { token: 'mine', now: ctx.now(), until: ctx.now() + LEASE_MS }
  const helds = await claimDeliveries(ctx.stores, [{ account, id }], claim)
  const clock = stillClock()
  const lease = new Lease(ctx, clock, claim)
  lease.keep(helds)
  const pass = async (ms: number) => {
    world.pass(ms)
    // Storage answers in its own time: then the next renewal is set, or there is none any more.
    if (clock.fireNext())
      await vi.waitUntil(() => clock.timers > 0 || lease.lost.aborted, { timeout: 10_000, interval: 1 })
  }
  const claimedUntil = async () => (await readOutbox(ctx, account, id)).claimed_until
  return { world, ctx, account, id, faults, clock, lease, pass, claimedUntil }
}

test('a claim is kept while we work, and ends soon after we die', async () => {
  const { ctx, account, id, lease, pass, claimedUntil } = await held()
  for (let round = 0; round < 6; round++) await pass(25_000)
  expect(await claimedUntil()).toBe(ctx.now() + LEASE_MS)
  expect(lease.lost.aborted).toBe(false)
  lease.end()
  await pass(LEASE_MS + 10_000)
  const other = { token: 'other', now: ctx.now(), until: ctx.now() + LEASE_MS }
  expect(await claimDeliveries(ctx.stores, [{ account, id }], other)).toHaveLength(1)
})

test('work that ends while its claim is being renewed leaves no clock running', async () => {
  const { world, clock, lease, claimedUntil } = await held()
  world.pass(25_000)
  clock.fireNext()
  lease.end()
  await vi.waitUntil(async () => (await claimedUntil()) === world.ctx.now() + LEASE_MS, { timeout: 10_000 })
  await settled()
  expect(clock.timers).toBe(0)
})

test('work under a claim that cannot be kept is broken off before another may begin it', async () => {
  const { world, ctx, faults, lease, pass } = await held()
  const until = ctx.now() + LEASE_MS
  faults.down = true
  while (!lease.lost.aborted && world.ctx.now() < until) await pass(25_000)
  expect(lease.lost.aborted).toBe(true)
  expect(ctx.now()).toBeLessThan(until)
})

test('a relay that answers while the claim is lost is hung up on, and the mail is tried again as unknown', async () => {
  const lost = new AbortController()
  const whole = Promise.withResolvers<void>()
  const remote = new Remote({
    dot: () => {
      whole.resolve()
      return new Promise(() => {})
    },
  })
  const world = await makeWorld({ net: { connect: remote.connect }, config: { RELAY_URL: 'smtp://127.0.0.1:2525' } })
  const { account } = await makeAccount(world)
  const { ctx } = world
  const id = await putOutbox(ctx, account, ['a@y.test'])
  const claim = { token: 'mine', now: ctx.now(), until: ctx.now() + LEASE_MS }
  const helds = await claimDeliveries(ctx.stores, [{ account, id }], claim)
  const recorder = new Recorder(ctx)
  const errands = await plan(ctx, helds, recorder)
  const bounds = { mayBegin: () => !lost.signal.aborted, gate: new Gate(1), recorder, lost: lost.signal }
  const done = new Dispatch(ctx, bounds).run(errands)
  await whole.promise
  lost.abort()
  await done
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'deferred', unknown: true })
})
