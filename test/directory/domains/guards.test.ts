import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createAddress } from '../../../src/directory/addresses.ts'
import { createDomain } from '../../../src/directory/domains/domains.ts'
import { newsOf } from '../../../src/directory/domains/news.ts'
import { claimCheck, recordCheck } from '../../../src/store/directory/domain-checks.ts'
import { deleteDomain } from '../../../src/store/directory/domain-removal.ts'
import { findDomain } from '../../../src/store/directory/domains.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

const world = await makeWorld()
const ctx = await makeAccount(world)
const { stores } = ctx
const now = world.ctx.now()

async function made(name: string) {
  const { id } = await createDomain(ctx, { name })
  const row = (await findDomain(stores, ctx.account.number, id)) ?? expect.fail('it was made')
  const claim = (token: string) => claimCheck(stores, row, { token, now, until: now + 1000 }, { until: 0, tries: 0 })
  const task = (await claim('mine')) ?? expect.fail('it was claimed')
  const after = { ...row, status: 'failed' as const, checks: '{"at":1,"records":{}}' }
  const outcome = { before: row, after, next: undefined, news: newsOf(world.ctx, 'updated', after) }
  return { row, task, outcome, claim, status: async () => (await findDomain(stores, row.account, row.id))?.status }
}

/** What is owed of a domain, and whether it is still to be checked. */
async function owed(id: string) {
  await world.idle()
  const rows = await stores.directory.all<{ kind: string }>(
    sql`SELECT kind FROM tasks WHERE ref LIKE ${`${id}%`} ORDER BY kind`,
  )
  return rows.map(({ kind }) => kind)
}

test('an outcome is written by whoever holds the task, and by no one else', async () => {
  const { row, task, outcome, claim, status } = await made('held.test')
  await claim('theirs')
  expect(await recordCheck(stores, task, outcome)).toBe(false)
  expect(await status()).toBe('verified')
  expect(await owed(row.id)).toEqual(['check-domain'])
  expect(await recordCheck(stores, { ...task, claim: 'theirs' }, outcome)).toBe(true)
  expect(await status()).toBe('failed')
  expect(await owed(row.id)).toEqual(['tell-domain'])
})

test('an outcome that was judged of another row is not written over it', async () => {
  const { row, task, outcome, status } = await made('changed.test')
  for (const change of [sql`settings = '{"region":"x"}'`, sql`other_key = '{}'`, sql`checks = '{}'`]) {
    await stores.directory.run(sql`UPDATE domains SET ${change} WHERE id = ${row.id}`)
    expect(await recordCheck(stores, task, outcome)).toBe(false)
    await stores.directory.run(
      sql`UPDATE domains SET settings = ${row.settings}, other_key = NULL, checks = NULL WHERE id = ${row.id}`,
    )
  }
  expect(await status()).toBe('verified')
  expect(await owed(row.id)).toEqual(['check-domain'])
  expect(await recordCheck(stores, task, outcome)).toBe(true)
})

test('a name is not gained while another holds it, whatever was read before', async () => {
  const { row, task, outcome } = await made('gained.test')
  await stores.directory.run(sql`UPDATE domains SET verified_at = NULL, status = 'pending' WHERE id = ${row.id}`)
  const rival = await makeAccount(world, 'gained.test')
  const before = { ...row, verifiedAt: null, status: 'pending' as const }
  const gain = { ...outcome, before, after: { ...row, checks: '{}' } }
  expect(await recordCheck(stores, task, gain)).toBe(false)
  await stores.directory.run(sql`DELETE FROM addresses WHERE account = ${rival.account.number}`)
  expect(await recordCheck(stores, task, gain)).toBe(false)
  await stores.directory.run(sql`UPDATE domains SET status = 'failed' WHERE account = ${rival.account.number}`)
  expect(await recordCheck(stores, task, gain)).toBe(true)
})

test('an address that came after the count keeps its domain', async () => {
  const { row, status } = await made('late.test')
  await createAddress(ctx, { address: 'late@late.test' })
  expect(await deleteDomain(stores, row, newsOf(world.ctx, 'deleted', row))).toBe(false)
  expect(await status()).toBe('verified')
  expect(await owed(row.id)).toEqual(['check-domain'])
})
