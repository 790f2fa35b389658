import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { made, makeChange, newSeq, runBatch } from '../../src/store/mail/change.ts'
import { findSendsLeft } from '../../src/store/sending/quota.ts'
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

test('one change moves as many mailboxes as an account can have, and each is counted once', async () => {
  const { account } = await makeAccount(world)
  const boxes = Array.from({ length: 250 }, (_, at) => ({ mailbox: at + 1, messages: at + 2, unread: 1 }))
  const change = { account: account.number, now: START, events: [] }
  await makeChange(db, { ...change, token: 'all', boxes }, [])
  await makeChange(db, { ...change, token: 'twice', boxes: [...boxes.slice(0, 1), ...boxes.slice(0, 1)] }, [])
  const told = JSON.parse(String((await counters(account.number))?.boxes))
  expect(Object.keys(told)).toHaveLength(250)
  expect([told['1'], told['2'], told['250']]).toEqual([
    [6, 3],
    [3, 1],
    [251, 1],
  ])
})

test('storage that is nearly full is told once, in the step before the change, and again only after there was room', async () => {
  const { account } = await makeAccount(world)
  await runBatch(db, [sql`UPDATE counters SET storage_bytes = 1000 WHERE account = ${account.number}`])
  const gain = (bytes: number) =>
    makeChange(
      db,
      { account: account.number, now: START, token: `${bytes}.${gains++}`, bytes, events: [{ type: 'a', data: {} }] },
      [],
    )
  let gains = 0
  const told = async () =>
    (
      await db.all<{ seq: number; type: string; data: string }>(
        sql`SELECT seq, type, data FROM events WHERE account = ${account.number} ORDER BY seq`,
      )
    ).map(({ seq, type, data }) => (type === 'a' ? seq : { seq, ...JSON.parse(data) }))
  const warning = (seq: number, used: number) => ({
    seq,
    account: account.id,
    used_bytes: used,
    storage_bytes: 1000,
  })
  await gain(899)
  expect(await told()).toEqual([1])
  expect(await gain(11)).toMatchObject({ seq: 3 })
  await gain(10)
  await gain(-60)
  await gain(60)
  expect(await told()).toEqual([1, warning(2, 910), 3, 4, 5, 6])
  await gain(-80)
  await gain(60)
  expect(await told()).toEqual([1, warning(2, 910), 3, 4, 5, 6, 7, warning(8, 900), 9])
  expect(await gain(101)).toBeUndefined()
})

test('a day’s counts of keys stay small, however many send: another one is refused, those that are counted go on', async () => {
  const caller = await makeAccount(world)
  const { number } = caller.account
  const day = Math.floor(START / 86_400_000)
  const counts = Object.fromEntries(Array.from({ length: 1700 }, (_, at) => [`${at}`.padStart(36, '0'), 1]))
  const known = Object.keys(counts)[0] ?? ''
  await db.run(sql`UPDATE counters SET key_sent = ${JSON.stringify(counts)}, day = ${day} WHERE account = ${number}`)
  const sends = (key: string, token: string, now = START) => {
    const keySends = { key, sends: 1, perDay: 9 }
    return makeChange(db, { account: number, now, token, sends: 1, keySends, events: [] }, [])
  }
  expect(await sends('another', 'one')).toBeUndefined()
  const ofAnother = { now: START, keySends: { key: 'another', sends: 1, perDay: 9 } }
  expect((await findSendsLeft(caller.stores, caller.account, ofAnother)).key).toEqual({ limit: 9, left: 0 })
  expect(await sends(known, 'two')).toMatchObject({ left: { limit: 9, left: 7 } })
  expect(await sends('another', 'three', START + 86_400_000)).toMatchObject({ left: { limit: 9, left: 8 } })
  expect((await counters(number))?.key_sent).toBe('{"another":1}')
})
