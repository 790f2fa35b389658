import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { replayOne } from '../../src/store/mail/dispatches.ts'
import { findBehind } from '../../src/store/mail/telling.ts'
import { START } from '../support/world.ts'
import { answered, dispatch, endpointAt, happen, listening, makeReceiver, rowsOf, sweep } from './receiver.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test('an event is told once, signed, with its seq, for two rows written and three round trips', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  const seq = await happen(ctx)
  Object.assign(receiver.world.tally, { trips: 0, written: 0 })
  await dispatch(ctx)
  expect(receiver.world.tally).toMatchObject({ trips: 3, written: 2 })
  expect(receiver.calls).toHaveLength(1)
  expect(receiver.calls[0]).toMatchObject({
    method: 'POST',
    url: `http://127.0.0.1:${receiver.port}/hook`,
    timeoutMs: 15_000,
    headers: { 'content-type': 'application/json', 'svix-timestamp': String(START / 1000) },
    id: `msg_${webhook.id.replaceAll('-', '')}_${seq}`,
    payload: { type: 'email.received', seq, created_at: '2026-11-23T12:00:00.000Z', data: { email_id: 'm1' } },
  })
  expect(receiver.calls[0]?.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/)
  await dispatch(ctx)
  await sweep(ctx)
  receiver.world.pass(10 * MINUTE)
  await sweep(ctx)
  expect(receiver.calls).toHaveLength(1)
  expect(await findBehind(ctx.stores, 'DB', ctx.now(), 10, [ctx.account.number])).toEqual([])
  expect(await rowsOf(ctx, 'dispatches')).toMatchObject([{ seq, status: 'success', due: null, tries: 1 }])
})

test('events of a backlog are told in order of their making, all of them, two rows for each ten and one for each', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.received', 25)
  Object.assign(receiver.world.tally, { written: 0 })
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual(Array.from({ length: 25 }, (_, at) => at + 1))
  expect(receiver.world.tally.written).toBe(25 + 3)
  expect(receiver.most.get('/hook')).toBe(2)
})

test('an endpoint is told only what it asks for, and not what happened before it was made', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.sent')
  await endpointAt(receiver, ctx, '/sent', { events: ['email.sent', 'message.deleted'] })
  await happen(ctx, 'email.sent')
  await happen(ctx, 'message.deleted')
  await happen(ctx, 'email.received')
  await dispatch(ctx)
  expect(receiver.calls.map((call) => [call.path, call.payload.seq]).sort()).toEqual([
    ['/hook', 4],
    ['/sent', 2],
    ['/sent', 3],
  ])
})

test('what nobody asks for costs nothing on a wake-up, and the sweep passes over it for one row', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.sent', 30)
  Object.assign(receiver.world.tally, { trips: 0, written: 0 })
  await dispatch(ctx)
  expect(receiver.world.tally).toMatchObject({ trips: 1, written: 0 })
  await sweep(ctx)
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ cursor: 30, claimed_to: 30 }])
  await happen(ctx)
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([31])
})

test('a failed try is repeated by the schedule with the same id and a new time, and later events do not wait for it', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  const first = await happen(ctx)
  receiver.on('/hook', (call) => (call.payload.seq === first ? answered(500, 'not now') : answered(200)))
  await dispatch(ctx)
  await happen(ctx)
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([1, 2])
  const [row] = await rowsOf(ctx, 'dispatches')
  expect(row).toMatchObject({ seq: 1, status: 'pending', tries: 1 })
  expect(Number(row?.due) - START).toBeGreaterThanOrEqual(4000)
  expect(Number(row?.due) - START).toBeLessThanOrEqual(6000)
  receiver.world.pass(3900)
  await sweep(ctx)
  expect(receiver.calls).toHaveLength(2)
  receiver.world.pass(2100)
  await sweep(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([1, 2, 1])
  expect(receiver.calls[2]?.id).toBe(receiver.calls[0]?.id)
  expect(receiver.calls[2]?.headers['webhook-timestamp']).toBe(String(START / 1000 + 6))
  expect(receiver.calls[2]?.body).toBe(receiver.calls[0]?.body)
  expect(receiver.calls[2]?.headers['svix-signature']).not.toBe(receiver.calls[0]?.headers['svix-signature'])
})

test('a try that is due within a minute has a wake-up of its own', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  const delays: (number | undefined)[] = []
  const wake = { ...ctx.wake, webhooks: (_: unknown, delay?: number) => void delays.push(delay) }
  receiver.on('/hook', () => answered(500))
  await happen(ctx)
  await dispatch({ ...ctx, wake })
  expect(delays).toEqual([expect.toSatisfy((delay: number) => delay >= 4 && delay <= 6)])
})

test('telling one event reads a few rows, however long the history and the list of tries that are not due', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  const account = ctx.account.number
  const numbers = sql`WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 5000)`
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO events (account, seq, type, message, data, created_at)
      ${numbers} SELECT ${account}, seq, 'email.received', 'm1', '{}', ${START} FROM n`,
    sql`INSERT INTO dispatches (account, webhook, seq, status, type, attempts, tries, due, created_at)
      ${numbers} SELECT ${account}, ${webhook.id}, seq, CASE WHEN seq % 2 THEN 'pending' ELSE 'success' END,
        'email.received', '[]', 1, CASE WHEN seq % 2 THEN ${START + DAY} END, ${START} FROM n`,
    sql`UPDATE webhooks SET cursor = 5000, claimed_to = 5000 WHERE account = ${account}`,
    sql`UPDATE counters SET seq = 5000 WHERE account = ${account}`,
  ])
  await happen(ctx)
  Object.assign(receiver.world.tally, { read: 0 })
  await dispatch(ctx)
  expect(receiver.calls).toHaveLength(1)
  expect(receiver.world.tally.read).toBeLessThan(150)

  await replayOne(ctx.stores, ctx.account, webhook.id, 2500, START)
  Object.assign(receiver.world.tally, { read: 0 })
  await dispatch(ctx)
  expect(receiver.calls.at(-1)?.payload.seq).toBe(2500)
  expect(receiver.world.tally.read).toBeLessThan(150)
})
