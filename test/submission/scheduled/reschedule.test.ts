import { expect, test } from 'vitest'
import { sweepScheduled } from '../../../src/submission/scheduled/release.ts'
import { cancel, reschedule } from '../../../src/submission/scheduled/reschedule.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { eventsOf, HOUR, rowOf, schedule, typesOf } from './scene.ts'

const world = await makeWorld()

test('another time holds: the mail goes then and not before', async () => {
  const ctx = await makeAccount(world)
  const id = await schedule(ctx)
  const at = ctx.now() + 3 * HOUR
  expect(await reschedule(ctx, id, new Date(at).toISOString())).toEqual({ object: 'email', id })
  expect(await rowOf(ctx, id)).toMatchObject({ scheduled_at: at, due: at, last_event: 'scheduled' })
  expect((await eventsOf(ctx)).map(({ data }) => data.scheduled_at)).toEqual([
    new Date(ctx.now() + HOUR).toISOString(),
    new Date(at).toISOString(),
  ])
  await reschedule(ctx, id, new Date(at).toISOString())
  expect(await typesOf(ctx)).toHaveLength(2)
  world.pass(2 * HOUR)
  await sweepScheduled(ctx)
  expect(await rowOf(ctx, id)).toMatchObject({ last_event: 'scheduled' })
  await expect(reschedule(ctx, id, 'in 0 hours')).rejects.toMatchObject({ code: 'invalid_parameter' })
  world.pass(HOUR)
  await sweepScheduled(ctx)
  expect(await rowOf(ctx, id)).toMatchObject({ last_event: 'queued' })
  await expect(reschedule(ctx, id, 'in 1 hour')).rejects.toMatchObject({ code: 'validation_error' })
})

test('a mail that is called off never goes, shows so, and can be called off again but not put off', async () => {
  const ctx = await makeAccount(world)
  const id = await schedule(ctx, 'in 1 hour', { to: ['a@y.test', 'b@y.test'] })
  await cancel(ctx, id)
  const row = await rowOf(ctx, id)
  expect(row).toMatchObject({ last_event: 'canceled', due: null })
  expect(row.recipients.map(({ state }) => state)).toEqual(['canceled', 'canceled'])
  expect(await cancel(ctx, id)).toEqual({ object: 'email', id })
  await expect(reschedule(ctx, id, 'in 1 hour')).rejects.toMatchObject({
    code: 'validation_error',
    message: expect.stringContaining('canceled'),
  })
  world.pass(2 * HOUR)
  await sweepScheduled(ctx)
  expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.canceled'])
})

test('another account’s mail is not found', async () => {
  const [owner, stranger] = [await makeAccount(world), await makeAccount(world)]
  const id = await schedule(owner)
  await expect(cancel(stranger, id)).rejects.toMatchObject({ code: 'not_found' })
  await expect(reschedule(stranger, id, 'in 1 hour')).rejects.toMatchObject({ code: 'not_found' })
  expect(await rowOf(owner, id)).toMatchObject({ last_event: 'scheduled' })
})

test('each of scheduling, putting off and calling off costs few rows', async () => {
  const ctx = await makeAccount(world)
  await schedule(ctx)
  const cost = async (act: () => Promise<unknown>) => {
    Object.assign(world.tally, { trips: 0, written: 0 })
    await act()
    const { trips, written } = world.tally
    return { trips, written }
  }
  let id = ''
  expect(await cost(async () => (id = await schedule(ctx)))).toEqual({ trips: 1, written: 7 })
  expect(await cost(() => reschedule(ctx, id, 'in 2 hours'))).toEqual({ trips: 2, written: 4 })
  expect(await cost(() => cancel(ctx, id))).toEqual({ trips: 2, written: 3 })
})
