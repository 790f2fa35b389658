import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { deleteWebhook, updateWebhook } from '../../src/webhook/endpoints.ts'
import { answered, dispatch, endpointAt, happen, listening, makeReceiver, rowsOf, silent, sweep } from './receiver.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test('after ten tries within four days an event is given up', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  receiver.on('/hook', () => answered(503))
  await happen(ctx)
  await dispatch(ctx)
  let hours = 0
  for (; hours < 110; hours++) {
    for (let minute = 0; minute < 60; minute += 5) {
      receiver.world.pass(5 * MINUTE)
      await dispatch(ctx)
    }
    const [row] = await rowsOf(ctx, 'dispatches')
    if (row?.status === 'failed') break
  }
  expect(receiver.calls).toHaveLength(10)
  // 5 s + 5 m + 30 m + 2 h + 5 h + 10 h + 14 h + 20 h + 24 h, a fifth less or more.
  expect(hours).toBeGreaterThan(60)
  expect(hours).toBeLessThan(91)
  const [row] = await rowsOf(ctx, 'dispatches')
  expect(row).toMatchObject({ status: 'failed', due: null, tries: 10 })
  expect(JSON.parse(String(row?.attempts))).toHaveLength(10)
})

test('410 ends the calls at once, and an event says so', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await endpointAt(receiver, ctx, '/watch', { events: ['webhook.disabled'] })
  receiver.on('/hook', () => answered(410))
  await happen(ctx, 'email.received', 2)
  await dispatch(ctx)
  await happen(ctx)
  await dispatch(ctx)
  await sweep(ctx)
  expect(receiver.calls.filter((call) => call.path === '/hook').length).toBeLessThanOrEqual(2)
  const told = receiver.calls.filter((call) => call.path === '/watch').map((call) => call.payload)
  expect(told).toMatchObject([
    { type: 'webhook.disabled', data: { webhook_id: webhook.id, reason: 'It answered 410 Gone.' } },
  ])
  expect(await rowsOf(ctx, 'counters')).toMatchObject([{ listeners: 1 }])
})

test('five days of nothing but failure end the calls, and one success in between does not', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  receiver.on('/hook', () => answered(500))
  const pass = async (ms: number) => {
    receiver.world.pass(ms)
    await happen(ctx)
    await dispatch(ctx)
  }
  await pass(0)
  await pass(4 * DAY)
  receiver.on('/hook', () => answered(200))
  await pass(HOUR)
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ failing_since: null }])
  receiver.on('/hook', () => silent)
  await pass(HOUR)
  await pass(5 * DAY - HOUR)
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ status: 'enabled' }])
  await pass(2 * HOUR)
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ status: 'disabled' }])
  expect(await rowsOf(ctx, 'counters')).toMatchObject([{ listeners: 0 }])
  expect((await rowsOf(ctx, 'events')).map((row) => row.type)).toContain('webhook.disabled')
  const before = receiver.calls.length
  await pass(DAY)
  await sweep(ctx)
  expect(receiver.calls).toHaveLength(before)
})

test('an endpoint that is deleted while it is being told leaves nothing behind', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  receiver.on('/hook', async () => {
    await deleteWebhook(ctx, webhook.id)
    return answered(500)
  })
  await happen(ctx)
  await dispatch(ctx)
  expect(receiver.calls).toHaveLength(1)
  expect(await rowsOf(ctx, 'dispatches')).toEqual([])
  expect(await rowsOf(ctx, 'counters')).toMatchObject([{ listeners: 0 }])
})

test('an endpoint that is disabled is not called; enabled again, it is told what happens from then on', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await updateWebhook(ctx, webhook.id, { status: 'disabled' })
  expect(await rowsOf(ctx, 'counters')).toMatchObject([{ listeners: 0 }])
  await happen(ctx)
  await dispatch(ctx)
  await sweep(ctx)
  await updateWebhook(ctx, webhook.id, { status: 'enabled' })
  expect(await rowsOf(ctx, 'counters')).toMatchObject([{ listeners: 1 }])
  const seq = await happen(ctx)
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([seq])
})

test('a closing account is not told of', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx)
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET state = 'closing' WHERE account = ${ctx.account.number}`,
  ])
  await dispatch(ctx)
  await sweep(ctx)
  expect(receiver.calls).toEqual([])
})

test('after thirty days what an endpoint was told is forgotten, in bounded steps, also of one that is deleted', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  const other = await listening(receiver)
  await happen(ctx, 'email.received', 3)
  await happen(other.ctx, 'email.received', 2)
  await dispatch(ctx)
  await dispatch(other.ctx)
  receiver.world.pass(29 * DAY)
  await happen(ctx)
  await dispatch(ctx)
  await sweep(ctx)
  expect(await rowsOf(ctx, 'dispatches')).toHaveLength(4)
  receiver.world.pass(2 * DAY)
  await runBatch(ctx.stores.directory, [sql`DELETE FROM webhooks WHERE id = ${other.webhook.id}`])
  for (let tick = 0; tick < 5; tick++) await sweep(ctx)
  expect(await rowsOf(ctx, 'dispatches')).toMatchObject([{ webhook: webhook.id, seq: 4 }])
  expect(await rowsOf(other.ctx, 'dispatches')).toEqual([])
})
