import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { Problem } from '../../src/base/problem.ts'
import type { Caller } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { type Row, runBatch } from '../../src/store/mail/change.ts'
import { openStores } from '../../src/store/stores.ts'
import { submitBatch } from '../../src/submission/batch.ts'
import { env } from '../support/env.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()

const mail = (from: string, more: Record<string, unknown> = {}) =>
  SendEmailBody.parse({ from, to: 'you@y.test', subject: 'Salom', text: 'Hi', ...more })

const rowsOf = (ctx: Caller) =>
  ctx.stores.directory.all<Row>(sql`SELECT * FROM messages WHERE account = ${ctx.account.number} ORDER BY uid`)

const objectsOf = async (ctx: Caller) =>
  (await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects.map(({ key }) => key)

const countersOf = async (ctx: Caller) => {
  const [row] = await ctx.stores.directory.all<Row>(sql`SELECT * FROM counters WHERE account = ${ctx.account.number}`)
  return row ?? expect.fail()
}

test('a batch is as many single sends: attachments and times with them, each with a uid and an event of its own', async () => {
  const ctx = await makeAccount(world)
  const attachments = [{ filename: 'a.bin', content: 'AAEC' }]
  const mails = [
    mail(ctx.address),
    mail(ctx.address, { attachments, bcc: 'b@y.test' }),
    mail(ctx.address, { scheduled_at: 'in 1 hour' }),
  ]
  const { data, ...rest } = await submitBatch(ctx, mails, 'strict')
  expect(rest).toEqual({})
  const rows = await rowsOf(ctx)
  expect(rows.map(({ id }) => id)).toEqual(data.map(({ id }) => id))
  expect(rows.map(({ uid }) => uid)).toEqual([1, 2, 3])
  expect(rows.map((row) => row.has_attachment)).toEqual([0, 1, 0])
  expect(rows.map((row) => row.last_event)).toEqual(['queued', 'queued', 'scheduled'])
  const events = await ctx.stores.directory.all<Row>(
    sql`SELECT seq, type, message FROM events WHERE account = ${ctx.account.number} ORDER BY seq`,
  )
  expect(events).toEqual(
    ['email.queued', 'email.queued', 'email.scheduled'].map((type, at) => ({
      seq: at + 1,
      type,
      message: data[at]?.id,
    })),
  )
  expect(await countersOf(ctx)).toMatchObject({ seq: 3, messages: 3, sent: 3, boxes: '{"2":[3,0]}' })
  expect((await countersOf(ctx)).bytes).toBe(rows.reduce((sum, { size }) => sum + Number(size), 0))
  expect(world.woken.at(-1)).toEqual({
    what: 'relay',
    account: ctx.account.id,
    messages: data.slice(0, 2).map(({ id }) => id),
  })
})

test('strict: one faulty mail and none is sent, and every fault is named by its place', async () => {
  const ctx = await makeAccount(world)
  const mails = [
    mail(ctx.address),
    mail(ctx.address, { to: ['a b', 'ok@y.test', 'c d'] }),
    mail('me@stranger.test'),
    new Problem('missing_required_field', 'Missing `to` field.', { fields: [{ path: 'to', reason: 'is required' }] }),
    mail(ctx.address, { scheduled_at: 'yesterday', attachments: [] }),
    mail(ctx.address, { attachments: [{ content: '!!' }] }),
  ]
  const refusal = await submitBatch(ctx, mails, 'strict').catch((error) => error)
  expect(refusal).toMatchObject({ code: 'validation_error' })
  expect(refusal.detail.fields.map(({ path }: { path: string }) => path)).toEqual([
    '[1].to[0]',
    '[1].to[2]',
    '[2].from',
    '[3].to',
    '[4].scheduled_at',
    '[5].attachments[0].content',
  ])
  expect(await rowsOf(ctx)).toEqual([])
  expect(await objectsOf(ctx)).toEqual([])
})

test('permissive: the good ones are sent, and each of the others is named', async () => {
  const ctx = await makeAccount(world)
  const mails = [mail('me@stranger.test'), mail(ctx.address), mail(ctx.address, { template: { id: 'x' } })]
  const answer = await submitBatch(ctx, mails, 'permissive')
  expect((await rowsOf(ctx)).map(({ id }) => ({ id }))).toEqual(answer.data)
  expect(answer.data).toHaveLength(1)
  expect(answer.errors).toMatchObject([{ index: 0 }, { index: 2, message: expect.stringContaining('template') }])
  expect(await submitBatch(ctx, [mail('me@stranger.test')], 'permissive')).toMatchObject({
    data: [],
    errors: [{ index: 0 }],
  })
  expect(await submitBatch(ctx, [mail(ctx.address)], 'permissive')).toMatchObject({ errors: [] })
})

test('fifty equal batches at once with one idempotency key make each mail once, and all get the same ids', async () => {
  const ctx = await makeAccount(world)
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const mails = [mail(ctx.address), mail(ctx.address), mail(ctx.address)]
  const answers = await Promise.all(Array.from({ length: 50 }, () => submitBatch(ctx, mails, 'strict', once)))
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  const rows = await rowsOf(ctx)
  expect(rows.map(({ id }) => ({ id }))).toEqual(answers[0]?.data)
  expect((await objectsOf(ctx)).sort()).toEqual(rows.map((row) => row.raw_key).sort())
  expect(await countersOf(ctx)).toMatchObject({ messages: 3, sent: 3 })
  await expect(submitBatch(ctx, mails, 'strict', { ...once, body: 'c' })).rejects.toMatchObject({
    code: 'invalid_idempotent_request',
  })
})

test('the daily quota takes a batch or refuses it as a whole', async () => {
  const ctx = await makeAccount(world)
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET sends_per_day = 3 WHERE account = ${ctx.account.number}`,
  ])
  const two = mail(ctx.address, { to: ['a@y.test', 'b@y.test'] })
  for (const mode of ['strict', 'permissive'] as const) {
    await expect(submitBatch(ctx, [two, two], mode)).rejects.toMatchObject({ code: 'daily_quota_exceeded' })
  }
  expect(await objectsOf(ctx)).toEqual([])
  await submitBatch(ctx, [two, mail(ctx.address)], 'strict')
  expect(await countersOf(ctx)).toMatchObject({ sent: 3, messages: 2 })
})

test('whatever storage fails at, a batch is there whole or not at all, and its repeat makes nothing twice', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  const ctx = { ...shaky.ctx, account: owner.account, access: owner.access }
  const mails = [mail(owner.address), mail(owner.address)]
  for (const [at, plan] of [
    { puts: ['pass', 'fail'], batches: [] },
    { puts: ['lose-answer'], batches: [] },
    { puts: [], batches: ['fail', 'fail', 'fail'] },
    { puts: [], batches: ['lose-answer'] },
    { puts: [], batches: ['fail', 'lose-answer'] },
  ].entries()) {
    const before = (await rowsOf(owner)).length
    const once = { key: `${at}`.repeat(64), body: 'b'.repeat(64) }
    Object.assign(faults, { puts: [...plan.puts], batches: [...plan.batches] })
    const first = await submitBatch(ctx, mails, 'strict', once).catch(() => undefined)
    Object.assign(faults, noFaults())
    expect((await rowsOf(owner)).length - before).toBe(first ? 2 : 0)
    const again = await submitBatch(ctx, mails, 'strict', once)
    if (first) expect(again).toEqual(first)
    expect((await rowsOf(owner)).length - before).toBe(2)
    for (const row of await rowsOf(owner)) expect(await objectsOf(owner)).toContain(row.raw_key)
  }
})

test('a batch that storage makes only after it was given up for lost keeps its bytes, and is told as sent', async () => {
  const owner = await makeAccount(world)
  let late: D1PreparedStatement[] | undefined
  let batches = 0
  const slow = new Proxy(env.DB, {
    get(database, name) {
      const member: unknown = Reflect.get(database, name)
      if (typeof member !== 'function') return member
      if (name !== 'batch') return member.bind(database)
      return async (statements: D1PreparedStatement[]) => {
        if (batches++ === 0) {
          late = statements
          throw new Error('D1_ERROR: Network connection lost.')
        }
        if (late) await database.batch(late)
        return database.batch(statements)
      }
    },
  })
  const ctx = { ...owner, stores: openStores({ DB: slow }, env.RAW) }
  const { data } = await submitBatch(ctx, [mail(owner.address), mail(owner.address)], 'strict')
  const rows = await rowsOf(owner)
  expect(rows.map(({ id }) => ({ id }))).toEqual(data)
  expect((await objectsOf(owner)).sort()).toEqual(rows.map((row) => row.raw_key).sort())
})

test('a hundred mails cost one batch and one wake-up, six rows and one put each', async () => {
  const ctx = await makeAccount(world)
  await submitBatch(ctx, [mail(ctx.address)], 'strict')
  const mails = Array.from({ length: 100 }, () => mail(ctx.address))
  const woken = world.woken.length
  Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
  await submitBatch(ctx, mails, 'strict')
  expect(world.tally).toMatchObject({ trips: 1, written: 601, puts: 100 })
  expect(world.woken.length - woken).toBe(1)
  expect(new Set((await rowsOf(ctx)).map(({ uid }) => uid)).size).toBe(101)
})

test('the mails of one request may be no larger together than one may be', async () => {
  const small = await makeWorld({ config: { MAX_MESSAGE_BYTES: 20_000, MAX_ATTACHMENT_BYTES: 5000 } })
  const ctx = await makeAccount(small)
  const text = 'x'.repeat(9000)
  const most = Array.from({ length: 3 }, () => mail(ctx.address, { text }))
  await expect(submitBatch(ctx, most, 'permissive')).rejects.toMatchObject({ code: 'payload_too_large' })
  await submitBatch(ctx, most.slice(1), 'strict')
  const attachments = [{ filename: 'a', content: Array.from({ length: 3000 }, () => 65) }]
  const heavy = [mail(ctx.address, { attachments }), mail(ctx.address, { attachments })]
  expect(await submitBatch(ctx, heavy, 'permissive')).toMatchObject({ data: [{}], errors: [{ index: 1 }] })
})

test('a file that many mails attach is fetched once', async () => {
  const asked: string[] = []
  const net = {
    fetch: async ({ url }: { url: string }) => {
      asked.push(url)
      return { kind: 'answered' as const, status: 200, headers: new Headers(), body: new Uint8Array([1, 2, 3]) }
    },
  }
  const ctx = await makeAccount(await makeWorld({ net }))
  const attachments = [{ path: 'https://y.test/a.bin' }]
  await submitBatch(ctx, [mail(ctx.address, { attachments }), mail(ctx.address, { attachments })], 'strict')
  expect(asked).toEqual(['https://y.test/a.bin'])
})
