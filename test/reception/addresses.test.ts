/** How an address takes mail: paused, from whom, how large, for whom. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { NewAddressBody } from '../../src/contract/directory/addresses.ts'
import { createAddress, patchAddress } from '../../src/directory/addresses.ts'
import { askRecipient, receive } from '../../src/reception/receive.ts'
import { noFaults } from '../support/faults.ts'
import { addAddress, addDomain, makeAccount, makeWorld, type World } from '../support/world.ts'

const world = await makeWorld()

const letter = (id: string, from = 'Ann <ann@x.test>') =>
  new TextEncoder().encode(`Message-ID: <${id}@x.test>\r\nFrom: ${from}\r\nSubject: Salom\r\n\r\nSalom!\r\n`)

function arrive({ ctx }: World, to: string, id: string, { envelope = 'ann@x.test', from = 'Ann <ann@x.test>' } = {}) {
  const raw = letter(id, from)
  return receive(ctx, { door: 'inbound', from: envelope, to, size: raw.length, raw: new Blob([raw]).stream() })
}

const stored = (of: { account: { number: number } }) =>
  world.ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT * FROM messages WHERE account = ${of.account.number} ORDER BY uid`,
  )

const objectsOf = async (of: { account: { number: number } }) =>
  (await world.ctx.stores.raw.list({ prefix: `raw/${of.account.number}/` })).objects.map(({ key }) => key)

const operatorFor = (caller: Caller): Caller => ({ ...caller, access: { ...caller.access, key: 'operator' } })

const make = (caller: Caller, body: Record<string, unknown>) => createAddress(caller, NewAddressBody.parse(body))

test('a paused address asks senders to come again, or refuses them, already at the envelope', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { pause: 'defer' })
  await expect(askRecipient(world.ctx, owner.address)).rejects.toMatchObject({ code: 'service_unavailable' })
  await expect(arrive(world, owner.address, 'p1')).rejects.toMatchObject({ code: 'service_unavailable' })
  await patchAddress(owner, owner.address, { pause: 'reject' })
  await expect(askRecipient(world.ctx, owner.address)).rejects.toMatchObject({ code: 'message_refused' })
  await expect(arrive(world, owner.address, 'p1')).rejects.toMatchObject({ code: 'message_refused' })
  expect(await stored(owner)).toEqual([])
  await patchAddress(owner, owner.address, { pause: null })
  await arrive(world, owner.address, 'p1')
  expect(await stored(owner)).toHaveLength(1)
})

test('what is larger than an address takes is refused before and after it is sent', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { max_bytes: 50 })
  await expect(askRecipient(world.ctx, owner.address, { from: '', size: 51 })).rejects.toMatchObject({
    code: 'payload_too_large',
  })
  expect(await askRecipient(world.ctx, owner.address, { from: '', size: 50 })).toEqual({ accept: true })
  await expect(arrive(world, owner.address, 'big')).rejects.toMatchObject({ code: 'payload_too_large' })
})

test('blocked senders are refused by envelope and by From, and leave no bytes behind', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { block: ['Bad@X.test', '@evil.test', '*@*.worse.test'] })
  const asks = (from: string) => askRecipient(world.ctx, owner.address, { from })
  for (const from of ['bad@x.test', 'BAD+tag@x.test', 'any@evil.test', 'any@deep.in.worse.test']) {
    await expect(asks(from), from).rejects.toMatchObject({ code: 'message_refused' })
    const by = arrive(world, owner.address, from, { from })
    await expect(by, from).rejects.toMatchObject({ code: 'message_refused' })
  }
  for (const from of ['good@x.test', 'any@sub.evil.test', 'any@worse.test', '']) {
    expect(await asks(from), from).toEqual({ accept: true })
  }
  await world.idle()
  expect(await objectsOf(owner)).toEqual([])
})

test('where some are allowed, others are not, and a block stands above it', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { allow: ['@x.test'], block: ['bad@x.test'] })
  await arrive(world, owner.address, 'a1', { envelope: 'bounce-1@list.test', from: 'Ann <ann@x.test>' })
  await arrive(world, owner.address, 'a2', { envelope: 'ann@x.test', from: 'Ann <ann@home.test>' })
  const others = { envelope: 'ann@home.test', from: 'Ann <ann@home.test>' }
  await expect(arrive(world, owner.address, 'a3', others)).rejects.toMatchObject({ code: 'message_refused' })
  const bad = { envelope: 'ann@x.test', from: 'Bad <bad@x.test>' }
  await expect(arrive(world, owner.address, 'a4', bad)).rejects.toMatchObject({ code: 'message_refused' })
  expect(await stored(owner)).toHaveLength(2)
})

test('the wildcard of sub-domains takes what is below the domain, and not what another account has verified there', async () => {
  const owner = await makeAccount(world)
  const { domain } = owner
  await make(owner, { address: `*@*.${domain}` })
  await arrive(world, `who+tag@a.b.${domain}`, 's1')
  expect((await stored(owner))[0]).toMatchObject({
    address: `*@*.${domain}`,
    recipient: `who+tag@a.b.${domain}`,
    tag: 'tag',
  })
  await expect(askRecipient(world.ctx, `who@${domain}`)).rejects.toMatchObject({ code: 'not_found' })
  const other = await makeAccount(world)
  await addDomain(world, other.account, `b.${domain}`)
  await expect(askRecipient(world.ctx, `who@a.b.${domain}`)).rejects.toMatchObject({ code: 'not_found' })
  expect(await askRecipient(world.ctx, `who@c.${domain}`)).toEqual({ accept: true })
})

test('an address on a sub-domain needs the nearest verified domain above it, and goes with that', async () => {
  const owner = await makeAccount(world)
  const other = await makeAccount(world)
  expect(await make(owner, { address: `in@deep.sub.${owner.domain}` })).toMatchObject({ domain: owner.domain })
  await arrive(world, `in@deep.sub.${owner.domain}`, 'd1')
  expect(await stored(owner)).toHaveLength(1)
  await expect(make(other, { address: `in@sub.${owner.domain}` })).rejects.toMatchObject({
    code: 'domain_not_verified',
  })
  await addDomain(world, other.account, `sub.${owner.domain}`)
  await expect(make(owner, { address: `x@sub.${owner.domain}` })).rejects.toMatchObject({ code: 'domain_not_verified' })
  await expect(askRecipient(world.ctx, `in@deep.sub.${owner.domain}`)).rejects.toMatchObject({ code: 'not_found' })
})

test('an alias stores one mail once for each account, each with bytes of its own, in one read of the directory', async () => {
  const [one, two, three] = [await makeAccount(world), await makeAccount(world), await makeAccount(world)]
  await addAddress(world, two.account, `second@${two.domain}`)
  const alias = `team@${one.domain}`
  const deliver_to = [two.address, `second@${two.domain}`, three.address]
  await make(operatorFor(one), { address: alias, deliver_to })
  Object.assign(world.tally, { trips: 0, written: 0 })
  await arrive(world, alias, 'team')
  expect(world.tally).toMatchObject({ trips: 3, written: 12 })
  expect(await stored(one)).toEqual([])
  for (const [who, address] of [
    [two, two.address],
    [three, three.address],
  ] as const) {
    const [row, ...more] = await stored(who)
    expect(more).toEqual([])
    expect(row).toMatchObject({ recipient: alias, address, subject: 'Salom' })
    expect(await objectsOf(who)).toEqual([row?.raw_key])
    const object = await world.ctx.stores.raw.get(String(row?.raw_key))
    expect(new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(letter('team'))
  }
})

test('when one account of an alias cannot take it the sender comes again, and nobody has it twice', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const [one, two] = [await makeAccount(world), await makeAccount(world)]
  const alias = `both@${one.domain}`
  await make(operatorFor(one), { address: alias, deliver_to: [alias, two.address] })
  faults.batches = ['pass', 'fail', 'fail', 'fail']
  await expect(arrive(shaky, alias, 'half')).rejects.toMatchObject({ code: 'service_unavailable' })
  expect((await stored(one)).length + (await stored(two)).length).toBe(1)
  await arrive(shaky, alias, 'half')
  expect(await stored(one)).toHaveLength(1)
  expect(await stored(two)).toHaveLength(1)
  await shaky.idle()
  expect(await objectsOf(one)).toContain((await stored(one))[0]?.raw_key)
})

test('an alias is refused only where all behind it refuse; one that is paused has it all come again', async () => {
  const [one, two] = [await makeAccount(world), await makeAccount(world)]
  const alias = `pair@${one.domain}`
  await make(operatorFor(one), { address: alias, deliver_to: [one.address, two.address] })
  await patchAddress(two, two.address, { block: ['ann@x.test'] })
  await arrive(world, alias, 'pair1')
  expect([(await stored(one)).length, (await stored(two)).length]).toEqual([1, 0])
  await patchAddress(one, one.address, { pause: 'reject' })
  await expect(arrive(world, alias, 'pair2')).rejects.toMatchObject({ code: 'message_refused' })
  await patchAddress(one, one.address, { pause: null })
  await patchAddress(two, two.address, { pause: 'defer', block: null })
  await expect(arrive(world, alias, 'pair3')).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await stored(one)).toHaveLength(1)
})

test('an account names its own addresses alone, and who gets the name of one later gets no mail by it', async () => {
  const [one, two] = [await makeAccount(world), await makeAccount(world)]
  const alias = `out@${one.domain}`
  await expect(make(one, { address: alias, deliver_to: [one.address, two.address, 'x'] })).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'deliver_to[1]' }, { path: 'deliver_to[2]' }] },
  })
  await make(operatorFor(one), { address: alias, deliver_to: [two.address] })
  await arrive(world, alias, 'own1')
  expect(await stored(two)).toHaveLength(1)
  const heir = await makeAccount(world)
  await world.ctx.stores.directory.run(
    sql`UPDATE addresses SET account = ${heir.account.number} WHERE address = ${two.address}`,
  )
  await expect(arrive(world, alias, 'own2')).rejects.toMatchObject({ code: 'not_found' })
  expect(await stored(heir)).toEqual([])
})

test('settings are changed one by one, and a fault of one names it and changes nothing', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { max_bytes: 1000, block: ['A@x.test', 'a@X.test', '*@Y.test'] })
  const shown = await patchAddress(owner, owner.address, { pause: 'defer' })
  expect(shown).toMatchObject({ pause: 'defer', max_bytes: 1000, block: ['A@x.test'.toLowerCase(), '@y.test'] })
  await expect(patchAddress(owner, owner.address, { pause: null, allow: ['x', '@'] })).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'allow[0]' }, { path: 'allow[1]' }] },
  })
  expect(await patchAddress(owner, owner.address, { max_bytes: null })).toMatchObject({
    pause: 'defer',
    max_bytes: null,
  })
})

test('two who change one address at once both see their change', async () => {
  const owner = await makeAccount(world)
  await Promise.all([
    patchAddress(owner, owner.address, { max_bytes: 1000 }),
    patchAddress(owner, owner.address, { allow: ['@x.test'] }),
    patchAddress(owner, owner.address, { block: ['@y.test'] }),
  ])
  expect(await patchAddress(owner, owner.address, {})).toMatchObject({
    max_bytes: 1000,
    allow: ['@x.test'],
    block: ['@y.test'],
  })
})
