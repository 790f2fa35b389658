import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { deleteAddress } from '../../src/directory/addresses.ts'
import { findSender, forgetSenders } from '../../src/directory/senders.ts'
import { parseAddress } from '../../src/mail/address.ts'
import { addAddress, makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()
const refused = { code: 'domain_not_verified' }

function send(ctx: Caller, from: string) {
  return findSender(ctx, parseAddress(from) ?? expect.fail(`${from} is an address`))
}

test('the owner of a verified domain sends from any address on it, signed with its key', async () => {
  const ctx = await makeAccount(world)
  expect(await send(ctx, `any.one@${ctx.domain}`)).toMatchObject({
    domain: ctx.domain,
    returnPathLabel: 'send',
    dkim: { domain: ctx.domain, selector: 'pochta', privatePem: expect.stringMatching(/^-----BEGIN PRIVATE KEY-----/) },
  })
})

test('another account sends from an address of its own on that domain, and from no other', async () => {
  const owner = await makeAccount(world)
  const guest = await makeAccount(world)
  await expect(send(guest, owner.address)).rejects.toMatchObject(refused)
  await addAddress(world, guest.account, `guest@${owner.domain}`)
  expect(await send(guest, `Guest@${owner.domain}`)).toMatchObject({ domain: owner.domain })
  expect(await send(guest, `guest+tag@${owner.domain}`)).toMatchObject({ domain: owner.domain })
  await expect(send(guest, owner.address)).rejects.toMatchObject(refused)
  await addAddress(world, guest.account, `*@${owner.domain}`)
  expect(await send(guest, `other@${owner.domain}`)).toMatchObject({ domain: owner.domain })
})

test('an address that has expired or is another’s is no leave to send', async () => {
  const owner = await makeAccount(world)
  const guest = await makeAccount(world)
  await addAddress(world, guest.account, `brief@${owner.domain}`, world.ctx.now())
  await expect(send(guest, `brief@${owner.domain}`)).rejects.toMatchObject(refused)
})

test('a claim that is not verified, or a domain that does not send, signs nothing', async () => {
  for (const change of [sql`status = 'pending'`, sql`settings = '{"capabilities":{"sending":"disabled"}}'`]) {
    const ctx = await makeAccount(world)
    await world.ctx.stores.directory.run(sql`UPDATE domains SET ${change} WHERE name = ${ctx.domain}`)
    await expect(send(ctx, ctx.address)).rejects.toMatchObject(refused)
  }
})

test('a key that is bound to a domain sends from that one alone', async () => {
  const ctx = await makeAccount(world)
  const { domainId } = await send(ctx, ctx.address)
  const bound = (id: string) => ({ ...ctx, access: { ...ctx.access, domainId: id } })
  expect(await send(bound(domainId), ctx.address)).toMatchObject({ domainId })
  await expect(send(bound(crypto.randomUUID()), ctx.address)).rejects.toMatchObject(refused)
})

test('a sender is read once in half a minute; what changed here holds at once, what changed elsewhere after it', async () => {
  const owner = await makeAccount(world)
  const guest = await makeAccount(world)
  await addAddress(world, guest.account, `guest@${owner.domain}`)
  const before = world.tally.trips
  for (let time = 0; time < 5; time++) await send(guest, `guest@${owner.domain}`)
  expect(world.tally.trips - before).toBe(1)
  await deleteAddress(guest, `guest@${owner.domain}`)
  await expect(send(guest, `guest@${owner.domain}`)).rejects.toMatchObject(refused)

  await send(owner, owner.address)
  await world.ctx.stores.directory.run(sql`DELETE FROM domains WHERE name = ${owner.domain}`)
  expect(await send(owner, owner.address)).toMatchObject({ domain: owner.domain })
  world.pass(30_000)
  await expect(send(owner, owner.address)).rejects.toMatchObject(refused)
  forgetSenders()
})
