import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runBatch } from '../../src/store/mail/change.ts'
import { addTask, advanceTask, claimTasks, finishTask, isOurs, postponeTask } from '../../src/store/mail/tasks.ts'
import { makeWorld, START } from '../support/world.ts'

const { ctx } = await makeWorld()
const db = ctx.stores.directory

const add = (kind: string, ref: string, due: number) =>
  runBatch(db, [addTask({ kind, account: 1, ref, due, state: { step: 0 } })])

const claim = (kind: string, token: string, now: number, limit = 10) =>
  claimTasks(db, [kind], { token, now, until: now + 1000, limit })

test('a task is claimed once, when it is due, the longest due first', async () => {
  await add('a', 'late', START + 10)
  await add('a', 'first', START)
  await add('other', 'x', START)
  expect(await claim('a', 'early', START - 1)).toEqual([])
  const both = await Promise.all([claim('a', 't1', START + 20, 1), claim('a', 't2', START + 20, 1)])
  expect(both.map(([task]) => task?.ref).sort()).toEqual(['first', 'late'])
  expect(await claim('a', 't3', START + 20)).toEqual([])
  expect(both[0]?.[0]).toMatchObject({ kind: 'a', account: 1, attempts: 1, state: { step: 0 } })
})

test('adding a task that is there leaves it as it stands', async () => {
  await add('b', 'x', START)
  const [task] = await claim('b', 'mine', START)
  await add('b', 'x', START + 5)
  expect(await db.all(sql`SELECT due, claim FROM tasks WHERE kind = 'b'`)).toEqual([{ due: START, claim: 'mine' }])
  expect(task?.claim).toBe('mine')
})

test('a lapsed claim is another’s to take, counts as a try, and its first holder can write nothing any more', async () => {
  await add('c', 'x', START)
  const [mine] = await claim('c', 'mine', START)
  const [theirs] = await claim('c', 'theirs', START + 1001)
  if (!mine || !theirs) expect.fail('both were claimed')
  expect(theirs.attempts).toBe(2)
  expect(await advanceTask(db, mine, { state: { step: 9 }, until: START + 9999 })).toBe(false)
  expect(await postponeTask(db, mine, { due: START + 9999 })).toBe(false)
  expect(await finishTask(db, mine)).toBe(false)
  expect(await db.all(sql`SELECT 1 WHERE ${isOurs(mine)}`)).toEqual([])
  expect(await db.all(sql`SELECT 1 AS one WHERE ${isOurs(theirs)}`)).toEqual([{ one: 1 }])
  expect(await advanceTask(db, theirs, { state: { step: 1 }, until: START + 5000 })).toBe(true)
  expect(await claim('c', 'late', START + 4000)).toEqual([])
  expect(await finishTask(db, theirs)).toBe(true)
  expect(await claim('c', 'none', START + 9999)).toEqual([])
})

test('a postponed task waits until its time, stands where it was left, and counts anew only after progress', async () => {
  await add('d', 'x', START)
  const [first] = await claim('d', 'one', START)
  if (!first) expect.fail('it was due')
  await postponeTask(db, first, { due: START + 100, state: { step: 3 } })
  expect(await claim('d', 'early', START + 99)).toEqual([])
  const [second] = await claim('d', 'two', START + 100)
  if (!second) expect.fail('it was due')
  expect(second).toMatchObject({ attempts: 2, state: { step: 3 } })
  await postponeTask(db, second, { due: START + 200, progress: true })
  const [third] = await claim('d', 'three', START + 200)
  expect(third).toMatchObject({ attempts: 1, state: { step: 3 } })
})
