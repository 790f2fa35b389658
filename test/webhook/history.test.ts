import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { updateWebhook } from '../../src/webhook/endpoints.ts'
import { getTold, listAttempts, listTold, replayEvent, replayEvents } from '../../src/webhook/history.ts'
import { answered, dispatch, endpointAt, happen, listening, makeReceiver, rowsOf, silent, sweep } from './receiver.ts'

test('what was told is listed newest first, in pages, each with its payload', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await happen(ctx, 'email.received', 3)
  await dispatch(ctx)
  const ids = receiver.calls.map((call) => call.id)
  const page = await listTold(ctx, webhook.id, { limit: 2 })
  expect(page).toEqual({
    object: 'list',
    has_more: true,
    data: [ids[2], ids[1]].map((id) => ({
      id,
      type: 'email.received',
      created_at: '2026-11-23T12:00:00.000Z',
      status: 'success',
    })),
  })
  expect(await listTold(ctx, webhook.id, { limit: 2, after: ids[1] })).toMatchObject({
    has_more: false,
    data: [{ id: ids[0] }],
  })
  expect(await listTold(ctx, webhook.id, { limit: 1, before: ids[0] })).toMatchObject({
    has_more: true,
    data: [{ id: ids[1] }],
  })
  await expect(listTold(ctx, webhook.id, { limit: 1, after: 'msg_x' })).rejects.toMatchObject({
    code: 'invalid_parameter',
  })
  const told = await getTold(ctx, webhook.id, ids[0] ?? '')
  expect(told).toMatchObject({ object: 'webhook_event', id: ids[0], status: 'success', next_attempt_at: null })
  expect(told.payload).toEqual(receiver.calls[0]?.payload)
})

test('every attempt is listed, and the status says how it stands', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  receiver.on('/hook', () => answered(500, 'broken'))
  await happen(ctx)
  await dispatch(ctx)
  const id = receiver.calls[0]?.id ?? ''
  expect(await getTold(ctx, webhook.id, id)).toMatchObject({
    status: 'pending',
    next_attempt_at: expect.stringMatching(/^2026-11-23T12:00:0[4-6]\.\d{3}Z$/),
  })

  receiver.world.pass(6000)
  receiver.on('/hook', async () => {
    expect(await getTold(ctx, webhook.id, id)).toMatchObject({ status: 'attempting', next_attempt_at: null })
    expect(await listAttempts(ctx, webhook.id, id, { limit: 1 })).toMatchObject({
      data: [{ http_status_code: 0, response: 'It is being made.' }],
    })
    return silent
  })
  await dispatch(ctx)
  receiver.world.pass(400_000)
  receiver.on('/hook', () => answered(200, 'fine'))
  await sweep(ctx)
  expect(await getTold(ctx, webhook.id, id)).toMatchObject({ status: 'success', next_attempt_at: null })
  const attempts = await listAttempts(ctx, webhook.id, id, { limit: 20 })
  expect(attempts).toMatchObject({
    has_more: false,
    data: [
      { http_status_code: 200, response: 'fine', sent_at: '2026-11-23T12:06:46.000Z' },
      { http_status_code: 0, response: 'no whole answer within 15 s', sent_at: '2026-11-23T12:00:06.000Z' },
      { http_status_code: 500, response: 'broken', sent_at: '2026-11-23T12:00:00.000Z' },
    ],
  })
  const newest = attempts.data[0]?.id
  expect(await listAttempts(ctx, webhook.id, id, { limit: 1 })).toMatchObject({
    has_more: true,
    data: [{ id: newest }],
  })
  expect(await listAttempts(ctx, webhook.id, id, { limit: 2, after: newest })).toMatchObject({ has_more: false })
})

test('an event is told again under the same id, from the beginning of the schedule', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await happen(ctx)
  await dispatch(ctx)
  const id = receiver.calls[0]?.id ?? ''
  receiver.on('/hook', () => answered(500))
  expect(await replayEvent(ctx, webhook.id, id)).toEqual({ object: 'webhook_event', id })
  expect(receiver.world.woken.at(-1)).toEqual({ what: 'webhooks', account: ctx.account.id })
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.id)).toEqual([id, id])
  expect(await rowsOf(ctx, 'dispatches')).toMatchObject([{ status: 'pending', tries: 1 }])
  await replayEvent(ctx, webhook.id, id)
  await dispatch(ctx)
  expect(receiver.calls).toHaveLength(3)
})

test('an event from before the endpoint was made can be told to it too', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx, 'email.sent')
  const late = await endpointAt(receiver, ctx, '/late', { events: ['email.sent'] })
  await replayEvent(ctx, late.id, `msg_${late.id.replaceAll('-', '')}_1`)
  await dispatch(ctx)
  expect(receiver.calls.map((call) => [call.path, call.payload.seq])).toEqual([['/late', 1]])
})

test('a range is told again in its order, only what is asked for', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await happen(ctx, 'email.received', 4)
  await happen(ctx, 'email.sent', 2)
  await happen(ctx, 'email.received', 4)
  await dispatch(ctx)
  receiver.calls.length = 0
  expect(await replayEvents(ctx, webhook.id, { after_seq: 2, until_seq: 8 })).toEqual({
    object: 'webhook',
    id: webhook.id,
    replayed: 4,
    has_more: false,
    next_after_seq: 8,
  })
  await dispatch(ctx)
  expect(receiver.calls.map((call) => call.payload.seq)).toEqual([3, 4, 7, 8])
  expect(await replayEvents(ctx, webhook.id, { after_seq: 10 })).toMatchObject({ replayed: 0, has_more: false })
})

test('a range over a long history is looked through in bounded steps', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await runBatch(ctx.stores.directory, [sql`UPDATE counters SET seq = 15000 WHERE account = ${ctx.account.number}`])
  await happen(ctx)
  await sweep(ctx)
  const first = await replayEvents(ctx, webhook.id, { after_seq: 0 })
  expect(first).toMatchObject({ replayed: 0, has_more: true, next_after_seq: 10_000 })
  expect(await replayEvents(ctx, webhook.id, { after_seq: 10_000 })).toMatchObject({
    replayed: 1,
    has_more: false,
    next_after_seq: 15_001,
  })
  expect(await replayEvents(ctx, webhook.id, { after_seq: 99_999 })).toMatchObject({
    replayed: 0,
    has_more: false,
    next_after_seq: 99_999,
  })
})

test('a range of thousands is told again in steps that say where to go on', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  for (let times = 0; times < 3; times++) await happen(ctx, 'email.sent', 350)
  const late = await endpointAt(receiver, ctx, '/late', { events: ['email.sent'] })
  expect(await replayEvents(ctx, late.id, { after_seq: 0 })).toMatchObject({
    replayed: 1000,
    has_more: true,
    next_after_seq: 1000,
  })
  expect(await replayEvents(ctx, late.id, { after_seq: 1000 })).toMatchObject({
    replayed: 50,
    has_more: false,
    next_after_seq: 1050,
  })
})

test('replaying while the endpoint is being told neither loses nor hides anything', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  await happen(ctx, 'email.received', 3)
  receiver.on('/hook', async () => {
    receiver.on('/hook', () => answered(200))
    await replayEvents(ctx, webhook.id, { after_seq: 0 })
    // The claim must still stand: nobody else may have the endpoint now.
    await dispatch(ctx)
    return answered(500)
  })
  await dispatch(ctx)
  expect(receiver.most.get('/hook')).toBe(2)
  receiver.world.pass(10_000)
  await sweep(ctx)
  expect((await rowsOf(ctx, 'dispatches')).map((row) => row.status)).toEqual(['success', 'success', 'success'])
  expect(receiver.calls.filter((call) => call.payload.seq === 1).length).toBeGreaterThanOrEqual(2)
})

test('what was not told, or is told to nobody, is not found or refused', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  const other = await endpointAt(receiver, ctx, '/other')
  await happen(ctx)
  await dispatch(ctx)
  const id = receiver.calls.find((call) => call.path === '/hook')?.id ?? ''
  for (const event of ['', 'x', 'msg_', id.replace(/1$/, '2'), id.replace(/1$/, '01'), `${id}0`, `${id}'`]) {
    await expect(getTold(ctx, webhook.id, event), event).rejects.toMatchObject({ code: 'not_found' })
    await expect(replayEvent(ctx, webhook.id, event), event).rejects.toMatchObject({ code: 'not_found' })
  }
  await expect(getTold(ctx, other.id, id)).rejects.toMatchObject({ code: 'not_found' })
  await updateWebhook(ctx, webhook.id, { status: 'disabled' })
  await expect(replayEvent(ctx, webhook.id, id)).rejects.toMatchObject({ code: 'validation_error' })
  await expect(replayEvents(ctx, webhook.id, { after_seq: 0 })).rejects.toMatchObject({ code: 'validation_error' })
})
