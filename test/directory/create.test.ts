import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createAccount } from '../../src/directory/accounts.ts'
import { createAddress } from '../../src/directory/addresses.ts'
import { createKey } from '../../src/directory/keys.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

// One world for all: another would draw the same chance again, and with it the same ids.
const faults = noFaults()
const world = await makeWorld({ faults })

const once = (key: string, body = 'body') => ({ key, body })

test('equal requests at once with one idempotency key make one thing, and all get its answer', async () => {
  const ctx = await makeAccount(world)
  const asked = Array.from({ length: 20 }, () => createKey(ctx, { name: 'k' }, once('same')))
  const answers = await Promise.all(asked)
  expect(new Set(answers.map(({ token }) => token)).size).toBe(1)
  const made = await ctx.stores.directory.all(
    sql`SELECT 1 FROM api_keys WHERE account = ${ctx.account.number} AND name = 'k'`,
  )
  expect(made).toHaveLength(1)
  await expect(createKey(ctx, { name: 'k' }, once('same', 'other'))).rejects.toMatchObject({
    code: 'invalid_idempotent_request',
  })
  world.pass(86_400_000)
  expect((await createKey(ctx, { name: 'k' }, once('same', 'other'))).token).not.toBe(answers[0]?.token)
})

test('a refusal burns no idempotency key', async () => {
  const ctx = await makeAccount(world)
  const address = `taken@${ctx.domain}`
  await expect(createAddress(ctx, { address: 'taken@nowhere.test' }, once('a'))).rejects.toThrow()
  expect(await createAddress(ctx, { address }, once('a'))).toMatchObject({ address })
  await expect(createAddress(ctx, { address }, once('b'))).rejects.toMatchObject({ code: 'validation_error' })
})

test('a lost acknowledgement makes one thing, and its answer is the one that was made', async () => {
  faults.batches.push('lose-answer')
  const made = await createAccount(world.ctx, { name: 'Lost' }, once('lost'))
  const rows = await world.ctx.stores.directory.all(sql`SELECT id FROM accounts WHERE name = 'Lost'`)
  expect(rows).toEqual([{ id: made.id }])
  expect(await createAccount(world.ctx, { name: 'Lost' }, once('lost'))).toEqual(made)
})

test('a write that failed is tried again; one that keeps failing is said to have stored nothing', async () => {
  faults.batches.push('fail')
  const made = await createAccount(world.ctx, { name: 'Failed once' })
  expect(await world.ctx.stores.directory.all(sql`SELECT id FROM accounts WHERE name = 'Failed once'`)).toEqual([
    { id: made.id },
  ])
  faults.batches.push('fail', 'fail', 'fail')
  await expect(createAccount(world.ctx, { name: 'Never' })).rejects.toMatchObject({
    code: 'service_unavailable',
    message: expect.stringContaining('nothing was stored'),
  })
  expect(await world.ctx.stores.directory.all(sql`SELECT 1 FROM accounts WHERE name = 'Never'`)).toEqual([])
})

test('a closed account gains no key and no address', async () => {
  const ctx = await makeAccount(world)
  await ctx.stores.directory.run(sql`UPDATE accounts SET state = 'closing' WHERE number = ${ctx.account.number}`)
  await expect(createKey(ctx, { name: 'late' })).rejects.toThrow()
  await expect(createAddress(ctx, { address: `late@${ctx.domain}` })).rejects.toMatchObject({ code: 'not_found' })
  const left = await ctx.stores.directory.all(
    sql`SELECT name FROM api_keys WHERE account = ${ctx.account.number} AND name = 'late'
      UNION ALL SELECT address FROM addresses WHERE address = ${`late@${ctx.domain}`}`,
  )
  expect(left).toEqual([])
})

test('an address is one account’s, however many ask for it at once, and the limit holds', async () => {
  const [one, two] = [await makeAccount(world), await makeAccount(world)]
  const operator = { ...two, access: { ...two.access, key: 'operator' } }
  const address = `wanted@${one.domain}`
  const all = await Promise.allSettled(
    Array.from({ length: 6 }, (_, at) => createAddress(at % 2 ? one : operator, { address })),
  )
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)

  await world.ctx.stores.directory.run(sql`UPDATE accounts SET address_limit = 4 WHERE number = ${one.account.number}`)
  const more = await Promise.allSettled(
    Array.from({ length: 6 }, (_, at) => createAddress(one, { address: `a${at}@${one.domain}` })),
  )
  expect(more.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(3)
  const [held] = await world.ctx.stores.directory.all<{ n: number }>(
    sql`SELECT COUNT(*) AS n FROM addresses WHERE account = ${one.account.number}`,
  )
  expect(held?.n).toBe(4)
})

test('what making costs', async () => {
  const ctx = await makeAccount(world)
  const cost = async (act: () => Promise<unknown>) => {
    const before = { ...world.tally }
    await act()
    return { trips: world.tally.trips - before.trips, written: world.tally.written - before.written }
  }
  expect(await cost(() => createKey(ctx, { name: 'k' }))).toEqual({ trips: 1, written: 2 })
  expect(await cost(() => createAddress(ctx, { address: `a@${ctx.domain}` }))).toEqual({ trips: 1, written: 3 })
  // The row, its number, its unique id; key and its index; counters; six mailboxes; the task that looks for old mail, and its index.
  expect(await cost(() => createAccount(world.ctx, { name: 'A' }))).toEqual({ trips: 1, written: 14 })
  expect(await cost(() => createKey(ctx, { name: 'k' }, once('cost')))).toEqual({ trips: 2, written: 3 })
})
