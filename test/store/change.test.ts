import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { made, makeChange, newSeq, runBatch } from '../../src/store/mail/change.ts'
import { makeAccount, makeWorld, START } from '../support/world.ts'

const world = await makeWorld()
const db = world.ctx.stores.directory

async function counters(account: number) {
  const [row] = await db.all<Record<string, unknown>>(sql`SELECT * FROM counters WHERE account = ${account}`)
  return row
}

test('a change moves counters, takes a seq for each event and makes what belongs to it', async () => {
  const { account } = await makeAccount(world)
  const change = {
    account: account.number,
    now: START,
    token: 'one',
    boxes: [{ mailbox: 1, messages: 1, unread: 1 }],
    bytes: 100,
    messages: 1,
    events: [
      { type: 'a', data: { n: 1 } },
      { type: 'b', message: 'm', data: { n: 2 } },
    ],
  }
  const keep = sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
    SELECT 'test', ${account.number}, 'x', ${newSeq(change)}, 0, '{}' WHERE ${made(change)}`
  expect(await makeChange(db, change, [keep])).toEqual({ seq: 2, listeners: 0 })
  expect(await counters(account.number)).toMatchObject({ seq: 2, bytes: 100, messages: 1, boxes: '{"1":[1,1]}' })
  expect(await db.all(sql`SELECT seq, type, data FROM events WHERE account = ${account.number}`)).toEqual([
    { seq: 1, type: 'a', data: '{"n":1}' },
    { seq: 2, type: 'b', data: '{"n":2}' },
  ])
  expect(await db.all(sql`SELECT due FROM tasks WHERE account = ${account.number}`)).toEqual([{ due: 2 }])
})

test('a change whose condition fails writes nothing at all', async () => {
  const { account } = await makeAccount(world)
  const change = {
    account: account.number,
    now: START,
    token: 'two',
    only: sql`1 = 0`,
    events: [{ type: 'a', data: {} }],
  }
  const other = sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
    SELECT 'test', ${account.number}, 'y', 1, 0, '{}' WHERE ${made(change)}`
  expect(await makeChange(db, change, [other])).toBeUndefined()
  expect(await counters(account.number)).toMatchObject({ seq: 0 })
  expect(await db.all(sql`SELECT 1 FROM events WHERE account = ${account.number}`)).toEqual([])
  expect(await db.all(sql`SELECT 1 FROM tasks WHERE account = ${account.number}`)).toEqual([])
})

test('a closed account can gain nothing', async () => {
  const { account } = await makeAccount(world)
  await runBatch(db, [sql`UPDATE counters SET state = 'closing' WHERE account = ${account.number}`])
  const change = { account: account.number, now: START, token: 'three', events: [{ type: 'a', data: {} }] }
  expect(await makeChange(db, change, [])).toBeUndefined()
})

test('storage and the day’s sends are refused where they would pass the quota, and a new day begins at nothing', async () => {
  const { account } = await makeAccount(world)
  await runBatch(db, [
    sql`UPDATE counters SET storage_bytes = 150, sends_per_day = 3 WHERE account = ${account.number}`,
  ])
  const send = (token: string, sends: number, bytes: number, now = START) =>
    makeChange(db, { account: account.number, now, token, sends, bytes, events: [] }, [])
  expect(await send('a', 2, 100)).toBeDefined()
  expect(await send('b', 2, 0)).toBeUndefined()
  expect(await send('c', 0, 51)).toBeUndefined()
  expect(await send('d', 1, 50)).toBeDefined()
  expect(await send('e', 3, 0, START + 86_400_000)).toBeDefined()
})

test('an error in any statement leaves nothing of the change behind', async () => {
  const { account } = await makeAccount(world)
  const change = { account: account.number, now: START, token: 'four', events: [{ type: 'a', data: {} }] }
  await expect(makeChange(db, change, [sql`INSERT INTO tasks (kind) VALUES (NULL)`])).rejects.toThrow()
  expect(await counters(account.number)).toMatchObject({ seq: 0, change: null })
})
