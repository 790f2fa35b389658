import { expect, test } from 'vitest'
import { noFaults } from '../support/faults.ts'
import { answered, dispatch, happen, listening, makeReceiver, rowsOf, sweep } from './receiver.ts'

const MINUTE = 60_000

test('a teller that dies in the middle loses nothing: each event of its page is tried again by itself', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 3)
  const gate = Promise.withResolvers<never>()
  receiver.on('/hook', () => gate.promise)
  void dispatch(ctx)
  await expect.poll(() => receiver.calls.length).toBe(2)
  receiver.on('/hook', () => answered(200))
  await happen(ctx)
  receiver.world.pass(3 * MINUTE)
  await sweep(ctx)
  expect(receiver.calls).toHaveLength(2)
  receiver.world.pass(MINUTE)
  await sweep(ctx)
  expect(
    receiver.calls
      .slice(2)
      .map((call) => call.payload.seq)
      .sort(),
  ).toEqual([1, 2, 3, 4])
  expect((await rowsOf(ctx, 'dispatches')).map((row) => row.status)).toEqual([
    'success',
    'success',
    'success',
    'success',
  ])
})

test('an event that kills its teller is given up in the end, and takes no other along', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 4)
  // The first two die with their teller, who dies of the first.
  const dies = () => new Promise<never>(() => {})
  const told = (seq: number) => receiver.calls.filter((call) => call.payload.seq === seq).length
  receiver.on('/hook', (call) => (call.payload.seq === 1 || receiver.calls.length <= 2 ? dies() : answered(200)))
  for (let times = 0; times < 45; times++) {
    await Promise.race([dispatch(ctx), new Promise((resolve) => setTimeout(resolve, 50))])
    if (times === 4) await happen(ctx)
    if (times === 7) expect(told(5)).toBe(1)
    receiver.world.pass(5 * MINUTE)
  }
  const statuses = (await rowsOf(ctx, 'dispatches')).map((row) => row.status)
  expect(statuses).toEqual(['failed', 'success', 'success', 'success', 'success'])
  expect(told(1)).toBe(10)
  expect([2, 3, 4, 5].map(told)).toEqual([2, 1, 1, 1])
})

test('who comes back after his claim lapsed changes nothing', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx)
  const gate = Promise.withResolvers<void>()
  receiver.on('/hook', async () => {
    if (receiver.calls.length > 1) return answered(200)
    await gate.promise
    return answered(500)
  })
  const slow = dispatch(ctx)
  await expect.poll(() => receiver.calls.length).toBe(1)
  receiver.world.pass(5 * MINUTE)
  await dispatch(ctx)
  gate.resolve()
  await slow
  expect(await rowsOf(ctx, 'dispatches')).toMatchObject([{ status: 'success', due: null }])
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ failing_since: null }])
})

test('an acknowledgement that is lost is no reason to tell twice, and a batch that fails is made again', async () => {
  const faults = noFaults()
  const receiver = await makeReceiver(faults)
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 32)
  faults.batches = ['lose-answer', 'pass', 'fail', 'lose-answer', 'pass', 'lose-answer', 'fail']
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual(Array.from({ length: 32 }, (_, at) => at + 1))
  expect(await rowsOf(ctx, 'dispatches')).toHaveLength(32)
  expect(faults.batches).toEqual([])
})

test('where outcomes cannot be written, the events are told again and none is lost', async () => {
  const faults = noFaults()
  const receiver = await makeReceiver(faults)
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 2)
  receiver.on('/hook', () => {
    faults.down = true
    return answered(200)
  })
  await dispatch(ctx)
  faults.down = false
  receiver.on('/hook', () => answered(200))
  receiver.world.pass(5 * MINUTE)
  await sweep(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([1, 2, 1, 2])
  expect((await rowsOf(ctx, 'dispatches')).map((row) => row.status)).toEqual(['success', 'success'])
})
