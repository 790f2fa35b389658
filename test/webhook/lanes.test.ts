import { expect, test } from 'vitest'
import { dispatchAccount, dispatchAccounts } from '../../src/webhook/dispatch.ts'
import { makeAccount } from '../support/world.ts'
import { answered, dispatch, endpointAt, happen, listening, makeReceiver, rowsOf, silent, sweep } from './receiver.ts'

test('two who dispatch at once tell each event once', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 30)
  await Promise.all([
    dispatch(ctx),
    dispatch(ctx),
    sweep(ctx),
    dispatchAccounts(ctx, [ctx.account, ctx.account], { readFull: async () => undefined }),
  ])
  expect(receiver.calls.map((call) => call.payload.seq).sort((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 30 }, (_, at) => at + 1),
  )
  expect(receiver.most.get('/hook')).toBe(2)
})

test('an event that comes while the endpoint is being told is told by who is telling', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx)
  let late: number | undefined
  receiver.on('/hook', async () => {
    if (late === undefined) {
      late = await happen(ctx)
      // Its own wake-up finds the endpoint claimed, and leaves it be.
      await dispatch(ctx)
      expect(receiver.calls).toHaveLength(1)
    }
    return answered(204)
  })
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([1, late])
})

test('one endpoint that is silent holds up no other, whichever comes first', async () => {
  const receiver = await makeReceiver()
  const ctx = await makeAccount(receiver.world)
  for (const path of ['/first', '/slow', '/hook']) {
    await endpointAt(receiver, ctx, path)
    receiver.world.pass(1)
  }
  const gate = Promise.withResolvers<void>()
  receiver.on('/slow', async () => {
    await gate.promise
    return silent
  })
  await happen(ctx, 'email.received', 12)
  const running = dispatch(ctx)
  await expect.poll(() => receiver.calls.filter((call) => call.path === '/hook').length).toBe(12)
  expect(receiver.calls.filter((call) => call.path === '/first')).toHaveLength(12)
  expect(receiver.calls.filter((call) => call.path === '/slow')).toHaveLength(2)
  gate.resolve()
  await running
  expect(receiver.calls.filter((call) => call.path === '/slow')).toHaveLength(12)
  expect(receiver.most.get('/slow')).toBe(2)
})

test('an endpoint that failed once is not held up by one that is silent', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await endpointAt(receiver, ctx, '/slow')
  receiver.on('/hook', () => answered(500))
  receiver.on('/slow', () => silent)
  await happen(ctx)
  await dispatch(ctx)
  for (let times = 0; times < 5; times++) {
    const gate = Promise.withResolvers<void>()
    receiver.on('/slow', () => gate.promise.then(() => silent))
    const seq = await happen(ctx)
    const running = dispatch(ctx)
    await expect.poll(() => receiver.calls.some((call) => call.path === '/hook' && call.payload.seq === seq)).toBe(true)
    gate.resolve()
    await running
  }
})

test('who is silent gives his place to others after the first attempts, however much he is behind', async () => {
  const receiver = await makeReceiver()
  const ctx = await makeAccount(receiver.world)
  for (const path of ['/slow', '/dead', '/hook']) {
    await endpointAt(receiver, ctx, path)
    receiver.world.pass(1)
  }
  receiver.on('/slow', () => silent)
  receiver.on('/dead', () => silent)
  await happen(ctx, 'email.received', 10)
  await dispatch(ctx)
  expect(receiver.calls.findIndex((call) => call.path === '/hook')).toBeLessThan(10)
  expect(receiver.calls).toHaveLength(30)
})

test('a wake-up is soon over though an endpoint is silent, and what it left for later has a wake-up of its own', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  const gate = Promise.withResolvers<void>()
  receiver.on('/hook', async () => {
    await gate.promise
    receiver.world.pass(15_000)
    return silent
  })
  await happen(ctx, 'email.received', 4)
  await dispatchAccount(ctx, ctx.account, { readFull: async () => undefined })
  expect(receiver.calls).toHaveLength(2)
  expect(await rowsOf(ctx, 'dispatches')).toEqual([])
  gate.resolve()
  await receiver.world.idle()
  // Two were tried and wait by the schedule; two were not, and are due.
  expect((await rowsOf(ctx, 'dispatches')).map((row) => [row.status, row.tries])).toEqual([
    ['pending', 1],
    ['pending', 1],
    ['pending', 0],
    ['pending', 0],
  ])
  expect(receiver.world.woken.at(-1)).toEqual({ what: 'webhooks', account: ctx.account.id })
  receiver.on('/hook', () => answered(200))
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([1, 2, 3, 4])
})

test('retries and new events together are never more than two in flight', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  receiver.on('/hook', () => answered(500))
  await happen(ctx, 'email.received', 8)
  await dispatch(ctx)
  receiver.world.pass(10_000)
  receiver.on('/hook', async () => {
    await new Promise((resolve) => setTimeout(resolve, 2))
    return answered(200)
  })
  await happen(ctx, 'email.received', 8)
  await Promise.all([dispatch(ctx), dispatch(ctx), sweep(ctx)])
  expect(receiver.calls).toHaveLength(24)
  expect(receiver.most.get('/hook')).toBe(2)
})
