import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { sweepMailbox } from '../../src/mailbox/sweep.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { putRaw, rawKey } from '../../src/store/objects.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { file, plain } from './mail.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** R2's own clock stamps objects, so the world's clock is set to it. */
async function realWorld() {
  const world = await makeWorld()
  world.pass(Date.now() - world.ctx.now())
  return world
}

test('raw mail that no row names is removed once it is over a day old, and nothing else', async () => {
  const world = await realWorld()
  const ctx = await makeAccount(world)
  const kept = await file(ctx, plain('kept'))
  const { number } = ctx.account
  const orphans = [
    rawKey(number, crypto.randomUUID(), 0, 'aaaa'),
    // Another attempt at the same message lost the race.
    rawKey(number, kept, 0, 'bbbb'),
    // Its account is gone.
    rawKey(999_999, crypto.randomUUID(), 0, 'cccc'),
  ]
  const foreign = `raw/${number}/not-ours`
  for (const key of [...orphans, foreign]) await putRaw(ctx.stores, key, new Uint8Array(1), 1)
  const keys = async () => (await ctx.stores.raw.list({ prefix: 'raw/' })).objects.map(({ key }) => key)

  // The bucket is looked through once a day; the first time an hour before all this was stored.
  world.pass(-HOUR)
  await sweepMailbox(world.ctx)
  world.pass(DAY)
  await sweepMailbox(world.ctx)
  expect(await keys()).toHaveLength(5)
  world.pass(DAY)
  await sweepMailbox(world.ctx)
  const left = await keys()
  expect(left).toHaveLength(2)
  expect(left).toContain(foreign)
  expect(left.some((key) => key.includes(kept) && !key.endsWith('bbbb'))).toBe(true)
})

test('a tick looks through a bounded number of pages, and the next goes on where it stood', async () => {
  const world = await realWorld()
  world.pass(10 * DAY)
  let listed: (string | undefined)[] = []
  const raw = new Proxy(world.ctx.stores.raw, {
    get(bucket, name) {
      if (name === 'list') {
        return async (options: { cursor?: string }) => {
          listed.push(options.cursor)
          const at = Number(options.cursor ?? 0)
          return { objects: [], truncated: at < 7, cursor: String(at + 1) }
        }
      }
      const member: unknown = Reflect.get(bucket, name)
      return typeof member === 'function' ? member.bind(bucket) : member
    },
  })
  const ctx = { ...world.ctx, stores: { ...world.ctx.stores, raw } }
  await sweepMailbox(ctx)
  expect(listed).toEqual([undefined, '1', '2', '3', '4'])
  listed = []
  await sweepMailbox(ctx)
  expect(listed).toEqual(['5', '6', '7'])
  listed = []
  await sweepMailbox(ctx)
  expect(listed).toEqual([])
  world.pass(DAY)
  await sweepMailbox(ctx)
  expect(listed).toHaveLength(5)
})

test('a tick that dies is taken up again once its claim has lapsed', async () => {
  const world = await realWorld()
  world.pass(20 * DAY)
  const broken = {
    ...world.ctx.stores,
    raw: new Proxy(world.ctx.stores.raw, { get: () => async () => Promise.reject(new Error('R2 is down')) }),
  }
  await expect(sweepMailbox({ ...world.ctx, stores: broken })).rejects.toThrow('R2 is down')
  const claimed = await world.ctx.stores.directory.all(
    sql`SELECT claim FROM tasks WHERE kind = 'orphans' AND claim IS NOT NULL`,
  )
  expect(claimed).toHaveLength(1)
  world.pass(6 * 60_000)
  await sweepMailbox(world.ctx)
  expect(await world.ctx.stores.directory.all(sql`SELECT claim, attempts FROM tasks WHERE kind = 'orphans'`)).toEqual([
    { claim: null, attempts: 0 },
  ])
})

test('kept answers go once nobody can be given them any more', async () => {
  const world = await makeWorld()
  const db = world.ctx.stores.directory
  const today = Math.floor(world.ctx.now() / DAY)
  await runBatch(
    db,
    [0, 1, 2, 3].map(
      (age) => sql`INSERT INTO idempotency (day, account, key, body, status, answer, created_at)
        VALUES (${today - age}, 1, 'k', 'b', 200, 'a', 0)`,
    ),
  )
  await sweepMailbox(world.ctx)
  expect(await db.all(sql`SELECT day FROM idempotency ORDER BY day`)).toEqual([{ day: today - 1 }, { day: today }])
})
