import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { dateFacts } from '../../../src/mailbox/search/dates.ts'
import { sweepSearch } from '../../../src/mailbox/search/sweep.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { openStores } from '../../../src/store/stores.ts'
import { env } from '../../support/env.ts'
import { makeAccount, makeWorld, START } from '../../support/world.ts'
import { file } from '../mail.ts'
import { page, plainMail } from './mail.ts'

const world = await makeWorld()
const COUNT = 10_000
let ctx: Caller

/** So many messages in the inbox, one a minute, and in the index as if they had been put in; every hundredth says more than the others. */
async function fill({ stores, account: { number } }: Caller, count: number): Promise<void> {
  const id = sql`substr(at, 1, 8) || '-' || substr(at, 9, 4) || '-7000-8000-' || printf('%012d', ${number})`
  const rows = sql`WITH RECURSIVE mail(n, at) AS (SELECT 1, printf('%012x', ${START} + 60000)
    UNION ALL SELECT n + 1, printf('%012x', ${START} + (n + 1) * 60000) FROM mail WHERE n < ${count})`
  const base = sql`CAST(${number * 2 ** 32} AS INTEGER)`
  const index = stores.search.get('SEARCH')
  if (!index) throw new Error('no index is bound')
  await runBatch(stores.directory, [
    sql`${rows} INSERT INTO messages (account, direction, id, created_at, mailbox, uid, filed, modseq, keywords, thread, msgid_hash,
        dedupe, sender, recipient, address, parties, subject, preview, size, has_attachment, parts, raw_key)
      SELECT ${number}, 0, ${id}, ${START} + n * 60000, 1, n, n, n, '{"$seen":true}', 't' || (n / 10), 'h' || n, 'd', 'a@b.test', 'x@y.test',
        'x@y.test', '{"from":[],"to":[],"cc":[],"bcc":[],"reply_to":[]}', 's', 'salom', 1, 0, NULL, 'key' FROM mail`,
    sql`UPDATE counters SET seq = ${count}, messages = ${count} WHERE account = ${number}`,
  ])
  await runBatch(index, [
    sql`${rows} INSERT INTO words (rowid, message, raw, subject, sender, recipients, copies, files, body, facts)
      SELECT ${base} + n, ${id}, 'key', 's', 'a b test', 'x y test', '', '',
        'salom number' || n || CASE WHEN n % 100 = 0 THEN ' hundredth' ELSE '' END,
        ${`${'\ue000m \ue000r'} ${dateFacts(START).slice(0, 2).join(' ')} `} || ${'\ue000d'}
          || strftime('%Y%m%d', (${START} + n * 60000) / 1000, 'unixepoch') || ' ' || ${'\ue000i'} || replace(${id}, '-', '') FROM mail ORDER BY n`,
    sql`INSERT INTO cursors (account, high, low) VALUES (${number}, ${count}, NULL)`,
  ])
}

beforeAll(async () => {
  ctx = await makeAccount(world)
  await fill(ctx, COUNT)
})

test('a page costs three trips and reads little more than itself, among ten thousand as among ten', async () => {
  const small = await makeAccount(world)
  await fill(small, 1000)
  for (const q of [
    'salom',
    'hundredth',
    'salom hundredth',
    'number500',
    '-hundredth',
    'subject:s',
    '"salom number500"',
  ]) {
    const costs = []
    for (const caller of [small, ctx]) {
      const { trips, read } = world.tally
      const { data } = await page(caller, { q, limit: '5' })
      expect(data.length, q).toBeGreaterThan(0)
      costs.push({ trips: world.tally.trips - trips, read: world.tally.read - read })
    }
    expect(costs[0], q).toEqual(costs[1])
    expect(costs[1]?.trips, q).toBe(3)
    expect(costs[1]?.read, q).toBeLessThan(50)
  }
})

test('a search that many messages answer by their words and none by the rest ends early, and leads on to the end', async () => {
  let after: string | undefined
  let pages = 0
  do {
    const { read, trips } = world.tally
    const { data, has_more, next } = await page(ctx, { q: 'salom is:unread', ...(after ? { after } : {}) })
    expect(data).toEqual([])
    expect(has_more).toBe(next !== undefined)
    expect(world.tally.trips - trips).toBeLessThan(20)
    // A candidate is a hit of the index, a place in a list, and two seeks.
    expect(world.tally.read - read).toBeLessThan(4000 * 6)
    after = next
    pages++
  } while (after !== undefined)
  expect(pages).toBe(Math.ceil(COUNT / 4000))
})

test('mail of a day is found without looking at that of others', async () => {
  const at = (minutes: number) => new Date(START + minutes * 60_000).toISOString()
  const { read, trips } = world.tally
  // The clock of the worlds begins at noon: 720 minutes of the day, ten of them asked for.
  const { data } = await page(ctx, { q: `salom after:${at(400)} before:${at(410)}`, limit: '100' })
  expect(data).toHaveLength(10)
  expect((await page(ctx, { q: `salom before:${at(-1000)}` })).data).toEqual([])
  expect((await page(ctx, { q: `salom after:${at(COUNT + 2000)}` })).data).toEqual([])
  expect((await page(ctx, { q: `salom after:${at(20)} before:${at(10)}` })).data).toEqual([])
  expect(world.tally.trips - trips).toBeLessThan(20)
  expect(world.tally.read - read).toBeLessThan(720 * 6)
})

test('no statement of a search, of indexing or of the sweep scans a table', async () => {
  const owner = await makeAccount(world)
  await file(owner, plainMail({ text: 'salom' }))
  const asked = { DB: new Map<string, unknown[]>(), SEARCH: new Map<string, unknown[]>() }
  const stores = openStores({ DB: noting(env.DB, asked.DB), SEARCH: noting(env.SEARCH, asked.SEARCH) }, env.RAW)
  const noted = { ...owner, stores }
  await page(noted, {
    q: 'salom in:inbox is:unread larger:1 before:2030-01-01 after:2000-01-01 -has:attachment',
    address: 'a@b.test',
  })
  await page(noted, { q: 'salom', after: (await page(noted, { q: 'salom' })).data[0]?.id ?? '' })
  await page(noted, { q: 'salom', mailbox: 'inbox', thread: 't' })
  await runBatch(owner.stores.directory, [sql`UPDATE counters SET seq = 5000 WHERE account = ${owner.account.number}`])
  world.pass(31_000)
  await sweepSearch({ ...world.ctx, stores })
  expect(asked.DB.size).toBeGreaterThan(7)
  expect(asked.SEARCH.size).toBeGreaterThan(5)
  for (const [database, statements] of [
    [env.DB, asked.DB],
    [env.SEARCH, asked.SEARCH],
  ] as const) {
    for (const [text, values] of statements) {
      const plan = await database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .bind(...values)
        .all<{ detail: string }>()
      const steps = plan.results.map(({ detail }) => detail).join('\n')
      // An FTS table shows as a scan; what follows tells that it goes by MATCH or by rowid. The rest are values of the statement itself.
      expect(steps, text).not.toMatch(
        /SCAN (?!(j|json_each|CONSTANT|\(|words VIRTUAL TABLE INDEX \d+:(M|=|>|<)|w VIRTUAL TABLE INDEX \d+:=))/,
      )
    }
  }
})

/** Notes every statement with what was bound to it. */
function noting(database: D1Database, noted: Map<string, unknown[]>): D1Database {
  return new Proxy(database, {
    get(target, name) {
      if (name === 'prepare') {
        return (text: string) => {
          const statement = target.prepare(text)
          noted.set(text, [])
          return new Proxy(statement, {
            get(prepared, member) {
              if (member === 'bind') {
                return (...values: unknown[]) => {
                  noted.set(text, values)
                  return prepared.bind(...values)
                }
              }
              const value: unknown = Reflect.get(prepared, member)
              return typeof value === 'function' ? value.bind(prepared) : value
            },
          })
        }
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
