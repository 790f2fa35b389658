import { expect, test } from 'vitest'
import { findOrphans } from '../../../src/store/orphans.ts'
import { openStores } from '../../../src/store/stores.ts'
import { sweepScheduled } from '../../../src/submission/scheduled/release.ts'
import { cancel } from '../../../src/submission/scheduled/reschedule.ts'
import { type Failure, Fuse, fused } from '../../relay/fuse.ts'
import { env } from '../../support/env.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { countersOf, HOUR, objectsOf, rowOf, schedule, typesOf } from './scene.ts'

const MINUTE = 60_000

/** Releases three mails with a failure at a point, lets the sweep go on, and checks that each was released once. False once the point is past the end. */
async function survives(at: number, how: Failure): Promise<boolean> {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const ids = [await schedule(ctx), await schedule(ctx), await schedule(ctx)]
  world.pass(HOUR)
  const fuse = new Fuse(at, how, () => undefined)
  await sweepScheduled(fused(ctx, fuse)).catch(() => undefined)
  await world.idle().catch(() => undefined)
  for (let tick = 0; tick < 5; tick++) {
    world.pass(MINUTE)
    await sweepScheduled(ctx)
  }
  const where = `${how} ${at}`
  const rows = await Promise.all(ids.map((id) => rowOf(ctx, id)))
  for (const row of rows) {
    expect(row, where).toMatchObject({ last_event: 'queued', scheduled_at: null, claim: null })
    expect(row.mime, where).toMatch(/^DKIM-Signature: /)
  }
  expect(
    (await typesOf(ctx)).filter((type) => type === 'email.queued'),
    where,
  ).toHaveLength(3)
  const bytes = rows.reduce((sum, { size }) => sum + Number(size), 0)
  expect(await countersOf(ctx), where).toMatchObject({ sent: 3, messages: 3, bytes })
  // What is left behind is named by no row, so the daily sweep finds it.
  const named = new Set(rows.map(({ raw_key }) => raw_key))
  const left = (await objectsOf(ctx)).filter((key) => !named.has(key))
  const { orphans } = await findOrphans(ctx.stores, Number.POSITIVE_INFINITY)
  expect(orphans, where).toEqual(expect.arrayContaining(left))
  for (const key of named) expect(orphans, where).not.toContain(key)
  await ctx.stores.raw.delete(left)
  return fuse.blown
}

test.each<Failure>(['before', 'after', 'dead'])(
  'whatever operation fails (%s), every mail is released once, with bytes and counters exact',
  { timeout: 120_000 },
  async (how) => {
    let at = 0
    while (await survives(at, how)) at++
    expect(at).toBeGreaterThan(8)
  },
)

test.each<Failure>(['before', 'after'])(
  'a cancellation whose storage fails (%s) is either done or not, and its repeat makes it so',
  async (how) => {
    for (let at = 0; ; at++) {
      const world = await makeWorld()
      const ctx = await makeAccount(world)
      const id = await schedule(ctx)
      const fuse = new Fuse(at, how, () => undefined)
      const answer = await cancel({ ...ctx, ...fused(ctx, fuse) }, id).catch(() => undefined)
      if (answer) expect((await rowOf(ctx, id)).last_event).toBe('canceled')
      await cancel(ctx, id)
      expect(await rowOf(ctx, id)).toMatchObject({ last_event: 'canceled', due: null })
      expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.canceled'])
      if (!fuse.blown) return
    }
  },
)

/** The account's context with a database whose batches pass through `around`, told which in order they are. */
function withBatches(
  ctx: Account,
  around: (at: number, make: () => Promise<D1Result[]>) => Promise<D1Result[]>,
): Account {
  let count = 0
  const database = new Proxy(env.DB, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name !== 'batch') return member.bind(target)
      return (statements: D1PreparedStatement[]) => around(count++, () => target.batch(statements))
    },
  })
  return { ...ctx, stores: openStores({ DB: database }, env.RAW) }
}

type Account = Awaited<ReturnType<typeof makeAccount>>

test('a release that storage makes only after it was given up for lost keeps its bytes, and is relayed', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const ids = [await schedule(ctx), await schedule(ctx)]
  world.pass(HOUR)
  let late: (() => Promise<unknown>) | undefined
  const slow = withBatches(ctx, async (at, make) => {
    if (at === 0) {
      late = make
      throw new Error('D1_ERROR: Network connection lost.')
    }
    if (at === 1) await late?.()
    return make()
  })
  await sweepScheduled(slow)
  await world.idle()
  for (const id of ids) expect((await rowOf(ctx, id)).mime).toMatch(/^DKIM-Signature: /)
  expect(await objectsOf(ctx)).toHaveLength(2)
  expect(await countersOf(ctx)).toMatchObject({ sent: 2 })
  const woken = world.woken.filter(({ what, account }) => what === 'relay' && account === ctx.account.id)
  expect(woken.flatMap(({ messages }) => messages).sort()).toEqual([...ids].sort())
})

test('a mail that is called off while it is being given up stays called off', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx)
  await ctx.stores.raw.delete((await rowOf(ctx, id)).raw_key)
  world.pass(HOUR)
  const racing = withBatches(ctx, async (at, make) => {
    if (at === 0) await cancel(ctx, id)
    return make()
  })
  await sweepScheduled(racing)
  expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.canceled'])
  expect(await rowOf(ctx, id)).toMatchObject({ last_event: 'canceled' })
})

test('a mail that is released while it is being called off goes, and its caller is told', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const id = await schedule(ctx)
  world.pass(HOUR)
  const racing = withBatches(ctx, async (at, make) => {
    if (at === 0) await sweepScheduled(ctx)
    return make()
  })
  await expect(cancel(racing, id)).rejects.toMatchObject({ code: 'validation_error' })
  expect(await typesOf(ctx)).toEqual(['email.scheduled', 'email.queued'])
})
