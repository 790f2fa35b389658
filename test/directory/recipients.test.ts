import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { findRecipient } from '../../src/directory/recipients.ts'
import { parseAddress } from '../../src/mail/address.ts'
import { addAddress, makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()
const find = (text: string) => findRecipient(world.ctx, parseAddress(text) ?? expect.fail(`${text} is an address`))

test('an address is found as written, whatever its case, in one read', async () => {
  const { account, domain } = await makeAccount(world)
  const before = world.tally.trips
  expect(await find(`HELLO@${domain.toUpperCase()}`)).toMatchObject({ account, address: `hello@${domain}`, tag: null })
  expect(world.tally.trips - before).toBe(1)
  expect(await find(`nobody@${domain}`)).toBeUndefined()
})

test('a tag reaches the address before it and is told, unless the whole is an address of its own', async () => {
  const { account, domain } = await makeAccount(world)
  expect(await find(`hello+News+1@${domain}`)).toMatchObject({ account, address: `hello@${domain}`, tag: 'News+1' })
  await addAddress(world, account, `hello+own@${domain}`)
  expect(await find(`hello+own@${domain}`)).toMatchObject({ account, address: `hello+own@${domain}`, tag: null })
  expect(await find(`+tag@${domain}`)).toBeUndefined()
})

test('the wildcard takes what no address takes, and tells the tag too', async () => {
  const { account, domain } = await makeAccount(world)
  const other = await makeAccount(world)
  await addAddress(world, other.account, `*@${domain}`)
  expect(await find(`any@${domain}`)).toMatchObject({ account: other.account, address: `*@${domain}`, tag: null })
  expect(await find(`any+tag@${domain}`)).toMatchObject({ account: other.account, address: `*@${domain}`, tag: 'tag' })
  expect((await find(`hello@${domain}`))?.account).toEqual(account)
  expect(await find(`any@sub.${domain}`)).toBeUndefined()
})

test('an address that has expired takes nothing, and what is wider takes over', async () => {
  const { account, domain } = await makeAccount(world)
  await addAddress(world, account, `brief@${domain}`, world.ctx.now() + 1000)
  expect(await find(`brief@${domain}`)).toMatchObject({ address: `brief@${domain}` })
  world.pass(1000)
  expect(await find(`brief@${domain}`)).toBeUndefined()
  await addAddress(world, account, `*@${domain}`)
  expect(await find(`brief@${domain}`)).toMatchObject({ address: `*@${domain}` })
})

test('a closed account takes nothing, nor does a domain that does not receive', async () => {
  const one = await makeAccount(world)
  await world.ctx.stores.directory.run(sql`UPDATE accounts SET state = 'closing' WHERE number = ${one.account.number}`)
  expect(await find(one.address)).toBeUndefined()
  const two = await makeAccount(world)
  const settings = JSON.stringify({ capabilities: { sending: 'enabled', receiving: 'disabled' } })
  await world.ctx.stores.directory.run(sql`UPDATE domains SET settings = ${settings} WHERE name = ${two.domain}`)
  expect(await find(two.address)).toBeUndefined()
})
