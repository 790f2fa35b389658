import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { replayOne } from '../../src/store/mail/dispatches.ts'
import { findBehind } from '../../src/store/mail/telling.ts'
import { dispatchAccount, dispatchAccounts } from '../../src/webhook/dispatch.ts'
import { deleteWebhook, updateWebhook } from '../../src/webhook/endpoints.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, START } from '../support/world.ts'
import { answered, dispatch, endpointAt, happen, listening, makeReceiver, rowsOf, silent, sweep } from './receiver.ts'

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
