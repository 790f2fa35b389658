import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { verifyDomain } from '../../../src/directory/domains/check.ts'
import { createDomain, getDomain } from '../../../src/directory/domains/domains.ts'
import { rotateDkim } from '../../../src/directory/domains/rotation.ts'
import { findSender } from '../../../src/directory/senders.ts'
import { sweepDirectory } from '../../../src/directory/sweep.ts'
import { parseAddress } from '../../../src/mail/address.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { makeRemoteWorld } from './zone.ts'

const { world, zone } = await makeRemoteWorld()
const HOUR = 3_600_000

test('a new key signs once its record is seen; the one before is shown a week longer', async () => {
  const ctx = await makeAccount(world)
  const { id, records } = await createDomain(ctx, { name: 'turn.test' })
  zone.publish('turn.test', records)
  await verifyDomain(ctx, id)
  const from = parseAddress('a@turn.test') ?? expect.fail('it is an address')
  const signs = async () => (await findSender(ctx, from)).dkim
  const keys = async () =>
    (await getDomain(ctx, id)).records
      .filter(({ record }) => record === 'DKIM')
      .map(({ name, status, required }) => [name.split('.')[0], status, required])
  const first = await signs()

  const rotated = await rotateDkim(ctx, id)
  expect(rotated).toMatchObject({ object: 'domain', id, status: 'verified' })
  const [answers] = await Promise.all([rotateDkim(ctx, id), world.idle()])
  expect(answers.records.map(({ value }) => value)).toEqual(rotated.records.map(({ value }) => value))
  expect(await keys()).toEqual([
    ['pochta', 'verified', true],
    ['pochta2', 'pending', true],
  ])
  world.pass(HOUR)
  await sweepDirectory(world.ctx)
  expect(await signs()).toEqual(first)

  zone.publish('turn.test', rotated.records)
  world.pass(HOUR)
  await sweepDirectory(world.ctx)
  expect(await keys()).toEqual([
    ['pochta2', 'verified', true],
    ['pochta', 'verified', false],
  ])
  const second = await signs()
  expect(second).toMatchObject({ selector: 'pochta2', domain: 'turn.test' })
  expect(second.privatePem).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  expect(second.privatePem).not.toBe(first.privatePem)

  zone.records.delete('TXT pochta._domainkey.turn.test')
  for (let day = 0; day < 10; day++) {
    world.pass(29 * HOUR)
    await sweepDirectory(world.ctx)
  }
  expect(await keys()).toEqual([['pochta2', 'verified', true]])
  expect((await getDomain(ctx, id)).status).toBe('verified')
  expect((await rotateDkim(ctx, id)).records.map(({ name }) => name)).toContain('pochta3._domainkey')
  const stored = await ctx.stores.directory.all(sql`SELECT * FROM domains WHERE id = ${id}`)
  expect(JSON.stringify(stored)).not.toContain('PRIVATE KEY')
})

test('rotations at once make one key', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDomain(ctx, { name: 'twice.test' })
  const all = await Promise.all(Array.from({ length: 3 }, () => rotateDkim(ctx, id)))
  const keys = all.map(({ records }) => records.find(({ name }) => name === 'pochta2._domainkey')?.value)
  expect(new Set(keys).size).toBe(1)
})

test('a local copy turns at once', async () => {
  const here = await makeWorld()
  const ctx = await makeAccount(here)
  const { id } = await createDomain(ctx, { name: 'here.test' })
  const { records } = await rotateDkim(ctx, id)
  expect(records.filter(({ record }) => record === 'DKIM').map(({ name }) => name)).toEqual([
    'pochta2._domainkey',
    'pochta._domainkey',
  ])
})
