import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { createAddress } from '../../../src/directory/addresses.ts'
import { deleteDomain } from '../../../src/directory/domains/deletion.ts'
import { createDomain, getDomain } from '../../../src/directory/domains/domains.ts'
import { findRecipient } from '../../../src/directory/recipients.ts'
import { parseAddress } from '../../../src/mail/address.ts'
import { noFaults } from '../../support/faults.ts'
import { addAddress, makeAccount, makeWorld } from '../../support/world.ts'

const faults = noFaults()
const world = await makeWorld({ faults })
const away = (ctx: Caller): Caller => ({ ...ctx, config: { ...ctx.config, local: false, checksDomains: true } })
const recipient = (text: string) => parseAddress(text) ?? expect.fail(`${text} is an address`)
const has = async (text: string) => (await findRecipient(world.ctx, recipient(text))) !== undefined

test('a domain with addresses on it stays, until they are gone or their deletion is asked for', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDomain(ctx, { name: 'mine.test' })
  await createAddress(ctx, { address: 'a@mine.test' })
  await expect(deleteDomain(ctx, id)).rejects.toMatchObject({
    code: 'validation_error',
    message: '1 address of yours stands on this domain, and would stop taking mail.',
    detail: { fix: expect.stringContaining('?addresses=delete') },
  })
  expect(await has('a@mine.test')).toBe(true)
  expect(await deleteDomain(ctx, id, { addresses: 'delete' })).toEqual({ object: 'domain', id, deleted: true })
  expect(await has('a@mine.test')).toBe(false)
  await expect(getDomain(ctx, id)).rejects.toMatchObject({ code: 'not_found' })
  await expect(deleteDomain(ctx, id)).rejects.toMatchObject({ code: 'not_found' })
})

test('while another account has an address there, nothing of the domain is deleted, and nobody is named', async () => {
  const [owner, guest] = [await makeAccount(world), await makeAccount(world)]
  const { id } = await createDomain(owner, { name: 'shared.test' })
  await createAddress(owner, { address: 'own@shared.test' })
  await addAddress(world, guest.account, 'guest@shared.test')
  for (const asked of [{}, { addresses: 'delete' as const }]) {
    const refusal = await deleteDomain(owner, id, asked).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'validation_error', message: expect.stringContaining('Others have') })
    expect(JSON.stringify(refusal)).not.toContain('guest')
  }
  expect(await Promise.all(['own@shared.test', 'guest@shared.test'].map(has))).toEqual([true, true])
})

test('many addresses go in steps, and an address that comes in between is not left behind', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDomain(ctx, { name: 'many.test' })
  const many = JSON.stringify(Array.from({ length: 1200 }, (_, at) => at))
  await world.ctx.stores.directory.run(
    sql`INSERT INTO addresses (address, id, account, domain, forward_to, created_at)
      SELECT 'a' || value || '@many.test', 'many' || value, ${ctx.account.number}, 'many.test', '[]', 1
      FROM json_each(${many})`,
  )
  await Promise.allSettled([
    deleteDomain(ctx, id, { addresses: 'delete' }),
    createAddress(ctx, { address: 'late@many.test' }),
    deleteDomain(ctx, id, { addresses: 'delete' }),
  ])
  expect(await world.ctx.stores.directory.all(sql`SELECT 1 FROM addresses WHERE domain = 'many.test'`)).toEqual([])
  await expect(getDomain(ctx, id)).rejects.toMatchObject({ code: 'not_found' })
})

test('giving up a claim that holds no name touches nobody’s address', async () => {
  const [owner, claimant] = [await makeAccount(world), await makeAccount(world)]
  const { id } = await createDomain(away(claimant), { name: owner.domain })
  await deleteDomain(claimant, id)
  expect(await has(owner.address)).toBe(true)
})

test('a lost acknowledgement is no failure, and a deletion is told once', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDomain(ctx, { name: 'lost.test' })
  await world.idle()
  faults.batches.push('lose-answer')
  expect(await deleteDomain(ctx, id)).toMatchObject({ deleted: true })
  await world.idle()
  const told = await world.ctx.stores.directory.all<{ type: string }>(
    sql`SELECT type FROM events WHERE account = ${ctx.account.number} AND data ->> '$.id' = ${id} ORDER BY seq`,
  )
  expect(told.map(({ type }) => type)).toEqual(['domain.created', 'domain.deleted'])
})
