import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import {
  addSuppression,
  addSuppressions,
  removeSuppression,
  removeSuppressions,
} from '../../src/feedback/suppressions.ts'
import { eventsOf } from '../relay/outbox.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()

async function listOf({ stores, account }: Caller) {
  const rows = await stores.directory.all<{ email: string; id: string }>(
    sql`SELECT email, id FROM suppressions WHERE account = ${account.number} ORDER BY email`,
  )
  return rows.map(({ email }) => email)
}

const toldOf = async (ctx: Caller) =>
  (await eventsOf(ctx, ctx.account)).map(({ type, data }) => `${type.replace('suppression.', '')} ${data.email}`)

/** The same account behind storage that fails as it is told. */
async function shakyAccount() {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  return { faults, owner, ctx: { ...shaky.ctx, account: owner.account, access: owner.access } }
}

test('a hundred additions at once of overlapping addresses make each once, and all are told the same ids', async () => {
  const ctx = await makeAccount(world)
  const emails = ['a@x.test', 'b@x.test', 'c@x.test']
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, at) => addSuppressions(ctx, at % 2 ? emails : emails.slice(0, 2))),
  )
  const ids = new Set(answers.flatMap(({ data }) => data.map(({ id }) => id)))
  expect(ids.size).toBe(3)
  expect(await listOf(ctx)).toEqual(emails)
  expect((await toldOf(ctx)).sort()).toEqual(emails.map((email) => `added ${email}`))
})

test('fifty equal requests with one key are one, and removals at once remove once', async () => {
  const ctx = await makeAccount(world)
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const answers = await Promise.all(Array.from({ length: 50 }, () => addSuppression(ctx, 'a@x.test', once)))
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  const ends = await Promise.allSettled(Array.from({ length: 10 }, () => removeSuppression(ctx, 'a@x.test')))
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await toldOf(ctx)).toEqual(['added a@x.test', 'removed a@x.test'])
})

test('a lost acknowledgement is a success, and storage that fails says so', async () => {
  const { faults, owner, ctx } = await shakyAccount()
  const once = { key: 'o'.repeat(64), body: 'b'.repeat(64) }
  for (const key of [undefined, once]) {
    faults.batches = ['lose-answer']
    const { id } = await addSuppression(ctx, 'a@x.test', key)
    faults.batches = ['lose-answer']
    expect(await removeSuppression(ctx, 'a@x.test')).toEqual({ object: 'suppression', id, deleted: true })
  }
  // An answer that changes nothing is kept all the same.
  const idle = { key: 'i'.repeat(64), body: 'b'.repeat(64) }
  faults.batches = ['fail']
  expect(await removeSuppressions(ctx, { emails: ['never@x.test'] }, idle)).toEqual({ data: [] })
  await expect(
    removeSuppressions(ctx, { emails: ['b@x.test'] }, { ...idle, body: 'c'.repeat(64) }),
  ).rejects.toMatchObject({
    code: 'invalid_idempotent_request',
  })
  faults.batches = ['fail', 'fail', 'fail']
  await expect(addSuppression(ctx, 'b@x.test')).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await listOf(owner)).toEqual([])
  expect(await toldOf(owner)).toEqual(['added a@x.test', 'removed a@x.test', 'added a@x.test', 'removed a@x.test'])
})

test('a closing account’s list does not change', async () => {
  const ctx = await makeAccount(world)
  await addSuppression(ctx, 'a@x.test')
  await ctx.stores.directory.run(sql`UPDATE counters SET state = 'closing' WHERE account = ${ctx.account.number}`)
  await expect(addSuppression(ctx, 'b@x.test')).rejects.toHaveProperty('code')
  await expect(removeSuppressions(ctx, { emails: ['a@x.test'] })).rejects.toHaveProperty('code')
  expect(await listOf(ctx)).toEqual(['a@x.test'])
})

test('who listens is woken, and nobody else', async () => {
  const ctx = await makeAccount(world)
  const woken = () => world.woken.filter(({ account }) => account === ctx.account.id).length
  await addSuppression(ctx, 'a@x.test')
  expect(woken()).toBe(0)
  await ctx.stores.directory.run(sql`UPDATE counters SET listeners = 1 WHERE account = ${ctx.account.number}`)
  await addSuppression(ctx, 'a@x.test')
  await addSuppression(ctx, 'a@x.test', { key: 'w'.repeat(64), body: 'b'.repeat(64) })
  expect(woken()).toBe(0)
  await addSuppression(ctx, 'b@x.test')
  await removeSuppression(ctx, 'b@x.test')
  expect(woken()).toBe(2)
})

test('one or a hundred cost two trips; each is three rows to add and two to remove, and the counters one', async () => {
  const ctx = await makeAccount(world)
  const cost = async (act: () => Promise<unknown>) => {
    Object.assign(world.tally, { trips: 0, written: 0 })
    await act()
    return [world.tally.trips, world.tally.written]
  }
  const emails = Array.from({ length: 100 }, (_, at) => `u${at}@x.test`)
  expect(await cost(() => addSuppression(ctx, 'a@x.test'))).toEqual([2, 4])
  expect(await cost(() => addSuppression(ctx, 'a@x.test'))).toEqual([1, 0])
  expect(await cost(() => addSuppressions(ctx, emails))).toEqual([2, 301])
  expect(await cost(() => removeSuppressions(ctx, { emails }))).toEqual([2, 201])
})
