import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { testRelay } from '../../../src/relay/probe.ts'
import { run } from '../outbox.ts'
import { type Hop, hops } from './hops.ts'

async function tried(hop: Hop, name = 'one') {
  const { ctx, account, health, remote } = await hops({ one: hop })
  const caller: Caller = { ...ctx, account, access: { key: 'k', scopes: new Set() } }
  return { found: () => testRelay(caller, name), ctx, account, health, remote }
}

test('a relay that answers passes: what it offers is told, and no mail was sent', async () => {
  const { found, remote } = await tried({ manners: { ehlo: ['PIPELINING', 'SIZE 1000', 'X-OTHER'] } })
  expect(await found()).toMatchObject({
    ok: true,
    stage: null,
    offers: ['PIPELINING', 'SIZE 1000'],
    object: 'relay_test',
  })
  expect(remote('one').taken).toEqual([])
})

test.each<[string, Hop, string]>([
  ['refuses connections', { connect: async () => Promise.reject(new Error('connection refused')) }, 'connect'],
  ['hangs up', { manners: { greeting: () => 'drop' } }, 'greeting'],
  ['is not served', { manners: { greeting: () => '554 no' } }, 'greeting'],
])('a relay that %s fails, and where is told', async (_, hop, stage) => {
  const { found } = await tried(hop)
  expect(await found()).toMatchObject({ ok: false, stage, offers: [] })
})

test('a relay that had failed and passes is used again at once', async () => {
  const { found, ctx, account, health } = await tried({})
  await run(
    ctx,
    sql`UPDATE relays SET health = '{"since":1,"failures":3,"retryAt":99999999999999,"error":"no"}' WHERE account = ${account.number}`,
  )
  expect(await found()).toMatchObject({ ok: true })
  expect(await health('one')).toEqual({ error: 'no', okAt: ctx.now() })
})

test('a relay that is not there is not found', async () => {
  const { found } = await tried({}, 'two')
  await expect(found()).rejects.toMatchObject({ code: 'not_found' })
})
