import { sql } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { noneUnsubscribed } from '../../src/store/sending/unsubscribes.ts'
import { submit } from '../../src/submission/submit.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

test('a key’s limit and a list cost no trip and no row more', async () => {
  const world = await makeWorld()
  const free = await makeAccount(world)
  const limited: Caller = { ...free, access: { ...free.access, limits: { sends_per_day: 9, senders: [free.address] } } }
  const costOf = async (ctx: Caller, more: Record<string, unknown> = {}) => {
    const before = { ...world.tally }
    await submit(ctx, SendEmailBody.parse({ from: free.address, to: 'a@y.test', subject: 's', text: 't', ...more }))
    return [world.tally.trips - before.trips, world.tally.written - before.written]
  }
  await costOf(free)
  const plain = await costOf(free)
  expect(await costOf(limited)).toEqual(plain)
  expect(await costOf(free, { unsubscribe: { list: 'news' } })).toEqual(plain)
})

test('whether somebody has left a list is found by key, however many have', async () => {
  const ctx = await makeAccount(await makeWorld())
  const condition = noneUnsubscribed(ctx.account.number, [{ list: 'news', email: 'a@y.test' }])
  const query = new SQLiteAsyncDialect().sqlToQuery(sql`EXPLAIN QUERY PLAN SELECT ${condition}`)
  const plan = await ctx.stores.directory.$client
    .prepare(query.sql)
    .bind(...query.params)
    .all<{ detail: string }>()
  const searched = plan.results.map(({ detail }) => detail).filter((detail) => /\bu\b/.test(detail))
  expect(searched).toEqual(['SEARCH u USING PRIMARY KEY (account=? AND list=? AND email=?)'])
})
