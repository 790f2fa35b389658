import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { type Caller, newToken } from '../../../src/context.ts'
import { SendEmailBody } from '../../../src/contract/emails.ts'
import { forgetSenders } from '../../../src/directory/senders.ts'
import { newSuppression } from '../../../src/record/suppression.ts'
import { claimDeliveries } from '../../../src/store/mail/deliveries.ts'
import { addSuppressions } from '../../../src/store/suppressions.ts'
import { submitBatch } from '../../../src/submission/batch.ts'
import { sweepScheduled } from '../../../src/submission/scheduled/release.ts'
import { cancel, reschedule } from '../../../src/submission/scheduled/reschedule.ts'
import { makeAccount, makeWorld, type World } from '../../support/world.ts'
import { countersOf, eventsOf, HOUR, objectsOf, rowOf, schedule, typesOf } from './scene.ts'

/** The messages of each wake-up of the relay for the account. */
const wokenFor = (world: World, ctx: Caller) =>
  world.woken.flatMap(({ what, account, messages }) =>
    what === 'relay' && account === ctx.account.id ? [messages] : [],
  )

test('a scheduled mail waits without Date and signature, counts no send, and nobody relays it', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx, 'in 1 hour', { bcc: 'hidden@y.test', headers: { 'X-A': 'b' } })
  const row = await rowOf(ctx, id)
  const at = world.ctx.now() + HOUR
  expect(row).toMatchObject({ last_event: 'scheduled', scheduled_at: at, due: at, dated: null })
  expect(row.mime).not.toMatch(/^(DKIM-Signature|Date|Bcc):/im)
  expect(row.mime).toMatch(/^X-A: b\r\n/m)
  expect(await countersOf(ctx)).toMatchObject({ sent: 0, messages: 1, bytes: row.size })
  expect(await eventsOf(ctx)).toMatchObject([
    { type: 'email.scheduled', data: { email_id: id, scheduled_at: new Date(at).toISOString() } },
  ])
  expect(wokenFor(world, ctx)).toEqual([])
  world.pass(2 * HOUR)
  const claim = { token: 't', now: world.ctx.now(), until: world.ctx.now() + 1 }
  expect(await claimDeliveries(ctx.stores, [{ account: ctx.account, id }], claim)).toEqual([])
})

test('at its time, and not before, it is dated, signed, counted and due, under a new uid, and the old bytes go', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx, 'in 1 hour', {
    to: ['a@y.test', 'b@y.test'],
    attachments: [{ filename: 'a', content: 'YQ==' }],
  })
  const before = await rowOf(ctx, id)
  world.pass(HOUR - 1)
  await sweepScheduled(ctx)
  expect((await rowOf(ctx, id)).raw_key).toBe(before.raw_key)
  world.pass(1)
  const now = world.ctx.now()
  await sweepScheduled(ctx)
  await world.idle()
  const row = await rowOf(ctx, id)
  expect(row).toMatchObject({
    last_event: 'queued',
    scheduled_at: null,
    due: now,
    dated: now,
    claim: null,
    has_attachment: 1,
  })
  expect(row.mime).toMatch(/^DKIM-Signature: /)
  expect(row.mime).toContain(`\r\nDate: ${new Date(now).toUTCString().replace('GMT', '+0000')}\r\n`)
  expect(row.mime).toContain(before.mime.slice(before.mime.indexOf('\r\n\r\n')))
  expect(row.mime.match(/^Message-ID:.*$/gim)).toEqual(before.mime.match(/^Message-ID:.*$/gim))
  expect(row.recipients).toMatchObject([
    { state: 'queued', due: now, since: now },
    { state: 'queued', due: now, since: now },
  ])
  expect(row.uid).toBeGreaterThan(Number(before.uid))
  expect(row.uid).toBe(row.modseq)
  expect(row.size).toBe(row.mime.length)
  const parts = JSON.parse(String(row.parts))
  expect(row.mime.slice(0, parts.body)).toMatch(/\r\n\r\n$/)
  expect(await countersOf(ctx)).toMatchObject({ sent: 2, bytes: row.size, messages: 1, boxes: '{"2":[1,0]}' })
  expect(await objectsOf(ctx)).toEqual([row.raw_key])
  expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.queued'])
  expect(wokenFor(world, ctx)).toEqual([[id]])
  const claim = { token: 't', now, until: now + 1 }
  expect(await claimDeliveries(ctx.stores, [{ account: ctx.account, id }], claim)).toHaveLength(1)
  await sweepScheduled(ctx)
  expect(await typesOf(ctx)).toHaveLength(2)
})

test('two sweeps at once release it once', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx)
  world.pass(HOUR)
  await Promise.all([sweepScheduled(ctx), sweepScheduled(ctx), sweepScheduled(ctx)])
  await world.idle()
  expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.queued'])
  expect(await objectsOf(ctx)).toEqual([(await rowOf(ctx, id)).raw_key])
})

test('called off or put off while it is being released, it is either released or not, and told as it is', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const ids = await Promise.all(Array.from({ length: 12 }, () => schedule(ctx)))
  world.pass(HOUR)
  const acts = ids.map((id, at) => (at % 2 === 0 ? cancel(ctx, id) : reschedule(ctx, id, 'in 1 hour')))
  const [outcomes] = await Promise.all([Promise.allSettled(acts), sweepScheduled(ctx)])
  await world.idle()
  for (const [at, outcome] of outcomes.entries()) {
    const row = await rowOf(ctx, ids[at] ?? '')
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toMatchObject({ code: 'validation_error' })
      expect(row).toMatchObject({ last_event: 'queued', scheduled_at: null })
    } else expect(row.last_event).toBe(at % 2 === 0 ? 'canceled' : 'scheduled')
    expect(row.mime).not.toBe('')
  }
  expect((await objectsOf(ctx)).length).toBe(ids.length)
})

test('a change that comes in the middle of a release wins, and the others of the page are released all the same', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const [first, second, third] = [await schedule(ctx), await schedule(ctx), await schedule(ctx)]
  world.pass(HOUR)
  let raced = false
  const raw = new Proxy(ctx.stores.raw, {
    get(bucket, name) {
      const member: unknown = Reflect.get(bucket, name)
      if (typeof member !== 'function') return member
      return async (...given: unknown[]) => {
        if (name === 'put' && !raced) {
          raced = true
          await cancel(ctx, first)
          await reschedule(ctx, second, 'in 1 hour')
        }
        return member.apply(bucket, given)
      }
    },
  })
  await sweepScheduled({ ...ctx, stores: { ...ctx.stores, raw } })
  await world.idle()
  expect((await rowOf(ctx, first)).last_event).toBe('canceled')
  expect((await rowOf(ctx, second)).last_event).toBe('scheduled')
  expect((await rowOf(ctx, third)).last_event).toBe('queued')
  expect(await objectsOf(ctx)).toHaveLength(3)
  expect(await countersOf(ctx)).toMatchObject({ sent: 1 })
})

test('a sender that is verified no more fails the mail, and its owner is told why', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx)
  await ctx.stores.directory.run(sql`DELETE FROM domains WHERE account = ${ctx.account.number}`)
  forgetSenders()
  world.pass(HOUR)
  await sweepScheduled(ctx)
  const row = await rowOf(ctx, id)
  expect(row).toMatchObject({ last_event: 'failed', due: null })
  expect(row.recipients).toMatchObject([{ state: 'failed', reply: { text: expect.stringContaining('not verified') } }])
  expect(await eventsOf(ctx)).toMatchObject([
    {},
    { type: 'email.failed', data: { email_id: id, failed: { reason: expect.stringContaining('not verified') } } },
  ])
  await expect(cancel(ctx, id)).rejects.toMatchObject({ code: 'validation_error' })
})

test('the day’s sends are counted at release: what they do not hold waits for the next day, and is given up in the end', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  await ctx.stores.directory.run(sql`UPDATE counters SET sends_per_day = 2 WHERE account = ${ctx.account.number}`)
  const to = (...names: string[]) => ({ to: names.map((name) => `${name}@y.test`) })
  const ids = [
    await schedule(ctx, 'in 57 minutes', to('a')),
    await schedule(ctx, 'in 58 minutes', to('a', 'b')),
    await schedule(ctx, 'in 59 minutes', to('a')),
  ]
  const huge = await schedule(ctx, 'in 60 minutes', to('a', 'b', 'c'))
  world.pass(HOUR)
  await sweepScheduled(ctx)
  const eventsNow = async () => Promise.all([...ids, huge].map(async (id) => (await rowOf(ctx, id)).last_event))
  expect(await eventsNow()).toEqual(['queued', 'delivery_delayed', 'queued', 'delivery_delayed'])
  const midnight = Date.UTC(2026, 10, 24)
  expect(await rowOf(ctx, ids[1] ?? '')).toMatchObject({ due: midnight, scheduled_at: world.ctx.now() - 2 * 60_000 })
  world.pass(midnight - world.ctx.now())
  await sweepScheduled(ctx)
  expect(await eventsNow()).toEqual(['queued', 'queued', 'queued', 'delivery_delayed'])
  expect((await typesOf(ctx)).filter((type) => type === 'email.delivery_delayed')).toHaveLength(2)
  for (let day = 0; day < 2; day++) {
    world.pass(24 * HOUR)
    await sweepScheduled(ctx)
  }
  expect(await rowOf(ctx, huge)).toMatchObject({ last_event: 'failed', due: null })
  expect(await countersOf(ctx)).toMatchObject({ sent: 2 })
})

test('recipients that were suppressed meanwhile are left out, and a full account does not hold its mail back', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const both = await schedule(ctx, 'in 1 hour', { to: ['dead@y.test', 'ok@y.test'] })
  const none = await schedule(ctx, 'in 1 hour', { to: ['dead@y.test'] })
  const change = { now: ctx.now(), token: newToken(ctx) }
  await addSuppressions(ctx.stores, ctx.account, change, [newSuppression(ctx, 'dead@y.test', 'bounce')])
  await ctx.stores.directory.run(sql`UPDATE counters SET storage_bytes = bytes WHERE account = ${ctx.account.number}`)
  world.pass(HOUR)
  await sweepScheduled(ctx)
  expect((await rowOf(ctx, both)).recipients.map(({ state }) => state)).toEqual(['suppressed', 'queued'])
  expect(await rowOf(ctx, both)).toMatchObject({ due: world.ctx.now(), scheduled_at: null })
  expect(await rowOf(ctx, none)).toMatchObject({ last_event: 'suppressed', due: null, scheduled_at: null })
  expect(await countersOf(ctx)).toMatchObject({ sent: 1 })
  expect(wokenFor(world, ctx)).toEqual([[both]])
})

test('mail whose bytes are gone fails, and of a closed account nothing is released', async () => {
  const world = await makeWorld()
  const [ctx, closed] = [await makeAccount(world), await makeAccount(world)]
  const [gone, kept] = [await schedule(ctx), await schedule(closed)]
  await ctx.stores.raw.delete((await rowOf(ctx, gone)).raw_key)
  await ctx.stores.directory.run(sql`UPDATE counters SET state = 'closing' WHERE account = ${closed.account.number}`)
  world.pass(HOUR)
  await sweepScheduled(ctx)
  expect(await rowOf(ctx, gone)).toMatchObject({ last_event: 'failed', due: null })
  expect(await rowOf(closed, kept)).toMatchObject({ last_event: 'scheduled' })
})

test('a page of one account costs a claim, one batch and one wake-up: five rows a mail and two for the account', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const sent = SendEmailBody.parse({ from: ctx.address, to: 'you@y.test', subject: 'x', text: 'x' })
  for (let count = 0; count < 3; count++)
    await submitBatch(
      ctx,
      Array.from({ length: 100 }, () => sent),
      'strict',
    )
  for (let count = 0; count < 30; count++) await schedule(ctx)
  world.woken.length = 0
  world.pass(HOUR)
  Object.assign(world.tally, { trips: 0, written: 0, read: 0, puts: 0, gets: 0 })
  await sweepScheduled(ctx)
  await world.idle()
  expect(world.tally).toMatchObject({ written: 30 * 5 + 2 * 2, puts: 30, gets: 30 })
  // Two pages, and those prepared side by side each ask for the sender at first.
  expect(world.tally.trips).toBeLessThanOrEqual(8)
  // However much mail there is beside them.
  expect(world.tally.read).toBeLessThan(30 * 60)
  expect(wokenFor(world, ctx)).toHaveLength(2)
})
