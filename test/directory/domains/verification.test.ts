import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { createAddress } from '../../../src/directory/addresses.ts'
import { verifyDomain } from '../../../src/directory/domains/check.ts'
import { createDomain, getDomain, patchDomain } from '../../../src/directory/domains/domains.ts'
import { findRecipient } from '../../../src/directory/recipients.ts'
import { findSender, forgetSenders } from '../../../src/directory/senders.ts'
import { sweepDirectory } from '../../../src/directory/sweep.ts'
import { parseAddress } from '../../../src/mail/address.ts'
import { addAddress } from '../../support/world.ts'
import { makeAccounts, makeRemoteWorld } from './zone.ts'

const { world, zone } = await makeRemoteWorld()
const HOUR = 3_600_000
const DAY = 24 * HOUR

const address = (text: string) => parseAddress(text) ?? expect.fail(`${text} is an address`)
const send = (ctx: Caller, domain: string) => findSender(ctx, address(`a@${domain}`))
const [account] = await makeAccounts(world, 1)
const ctx = account ?? expect.fail('one was made')

/** Time goes by with the sweep running every now and then. */
async function pass(ms: number, step = HOUR) {
  for (let gone = 0; gone < ms; gone += step) {
    world.pass(Math.min(step, ms - gone))
    await sweepDirectory(world.ctx)
  }
  await world.idle()
}

test('a domain is verified once its records are there, tells what was found, and sends from then on', async () => {
  const { id, records } = await createDomain(ctx, { name: 'one.test' })
  await expect(send(ctx, 'one.test')).rejects.toMatchObject({
    code: 'domain_not_verified',
    detail: { fix: `Set the DNS records that GET /domains/${id} shows, then POST /domains/${id}/verify.` },
  })
  expect(await verifyDomain(ctx, id)).toEqual({ object: 'domain', id })
  const pending = await getDomain(ctx, id)
  expect(pending.status).toBe('pending')
  expect(pending.records.filter(({ required }) => required).map(({ status }) => status)).toEqual(
    Array.from({ length: 5 }, () => 'pending'),
  )

  zone.publish('one.test', records)
  zone.records.set('TXT send.one.test', ['v=spf1 -all'])
  world.pass(1000)
  await verifyDomain(ctx, id)
  const partly = await getDomain(ctx, id)
  expect(partly.status).toBe('partially_verified')
  expect(partly.records.find(({ purpose, type }) => purpose === 'return_path' && type === 'TXT')).toMatchObject({
    status: 'pending',
    value: 'v=spf1 mx ~all',
    found: ['v=spf1 -all'],
    reason: 'it lets nobody send',
  })
  expect(await send(ctx, 'one.test')).toMatchObject({ dkim: { selector: 'pochta' } })

  zone.records.set('TXT send.one.test', ['v=spf1 mx include:relay.example -all'])
  await pass(10 * 60_000, 60_000)
  const whole = await getDomain(ctx, id)
  expect(whole.status).toBe('verified')
  expect(new Set(whole.records.map(({ status }) => status))).toEqual(new Set(['verified']))
  expect(await createAddress(ctx, { address: 'a@one.test' })).toMatchObject({ address: 'a@one.test' })
})

test('the sweep goes on by itself, each domain as seldom as it should, and gives up after three days', async () => {
  const { id } = await createDomain(ctx, { name: 'never.test' })
  await verifyDomain(ctx, id)
  zone.asked.length = 0
  await pass(2 * HOUR, 60_000)
  const asked = zone.asked.filter((name) => name === 'TXT _pochta.never.test').length
  expect(asked).toBeGreaterThanOrEqual(4)
  expect(asked).toBeLessThanOrEqual(6)
  await pass(3 * DAY)
  const failed = await getDomain(ctx, id)
  expect(failed.status).toBe('failed')
  expect(failed.records.find(({ purpose }) => purpose === 'ownership')).toMatchObject({ status: 'failed', found: [] })
  const left = await world.ctx.stores.directory.all(sql`SELECT 1 FROM tasks WHERE ref = ${id}`)
  expect(left).toEqual([])
  zone.publish('never.test', failed.records)
  await verifyDomain(ctx, id)
  expect((await getDomain(ctx, id)).status).toBe('verified')
})

test('a verified domain that broke is told of after a day, keeps taking mail, and comes back by itself', async () => {
  const { id, records } = await createDomain(ctx, { name: 'broken.test' })
  zone.publish('broken.test', records)
  await verifyDomain(ctx, id)
  await createAddress(ctx, { address: 'a@broken.test' })
  zone.withdraw('broken.test', records, ['dkim'])
  await pass(30 * HOUR)
  const bad = await getDomain(ctx, id)
  expect(bad.status).toBe('verified')
  expect(bad.records.find(({ record }) => record === 'DKIM')).toMatchObject({ status: 'failed', found: [] })
  await pass(30 * HOUR)
  expect((await getDomain(ctx, id)).status).toBe('failed')
  await expect(send(ctx, 'broken.test')).rejects.toMatchObject({ code: 'domain_not_verified' })
  expect(await findRecipient(world.ctx, address('a@broken.test'))).toMatchObject({ address: 'a@broken.test' })
  await expect(createAddress(ctx, { address: 'b@broken.test' })).rejects.toMatchObject({ code: 'domain_not_verified' })
  zone.publish('broken.test', records)
  await pass(30 * HOUR)
  expect((await getDomain(ctx, id)).status).toBe('verified')
  expect(await told(ctx, id)).toEqual(['not_started', 'verified', 'failed', 'verified'])
})

test('asking for verification again and again does not put off the day on which a broken domain fails', async () => {
  const { id, records } = await createDomain(ctx, { name: 'pleading.test' })
  zone.publish('pleading.test', records)
  await verifyDomain(ctx, id)
  zone.withdraw('pleading.test', records, ['ownership'])
  for (let hour = 0; hour < 25; hour++) {
    world.pass(HOUR)
    await verifyDomain(ctx, id)
  }
  expect((await getDomain(ctx, id)).status).toBe('failed')
})

test('whoever listens is woken, and told what Resend’s clients know of a domain', async () => {
  const [listener] = await makeAccounts(world, 1)
  if (!listener) expect.fail('one was made')
  await world.ctx.stores.directory.run(
    sql`UPDATE counters SET listeners = 1 WHERE account = ${listener.account.number}`,
  )
  const { id, created_at, region } = await createDomain(listener, { name: 'heard.test' })
  await world.idle()
  expect(world.woken).toContainEqual({ what: 'webhooks', account: listener.account.id })
  const [event] = await listener.stores.directory.all<{ data: string }>(
    sql`SELECT data FROM events WHERE account = ${listener.account.number} AND type = 'domain.created'`,
  )
  const data = JSON.parse(event?.data ?? '{}')
  expect(data).toEqual({
    id,
    name: 'heard.test',
    status: 'not_started',
    created_at,
    region,
    records: expect.any(Array),
  })
  for (const record of data.records) {
    expect(['name', 'priority', 'record', 'status', 'ttl', 'type', 'value']).toEqual(
      expect.arrayContaining(Object.keys(record)),
    )
  }
})

test('a DNS that does not answer leaves a verified domain as it is', async () => {
  const { id, records } = await createDomain(ctx, { name: 'dark.test' })
  zone.publish('dark.test', records)
  await verifyDomain(ctx, id)
  const names = ['_pochta.', 'pochta._domainkey.', 'send.', '_dmarc.', ''].map((label) => `${label}dark.test`)
  for (const name of names) zone.broken.add(name)
  await pass(4 * DAY)
  const shown = await getDomain(ctx, id)
  expect(new Set([shown.status, ...shown.records.map(({ status }) => status)])).toEqual(new Set(['verified']))
  const { id: fresh } = await createDomain(ctx, { name: 'sub.dark.test' })
  zone.broken.add('_pochta.sub.dark.test')
  await verifyDomain(ctx, fresh)
  expect((await getDomain(ctx, fresh)).records.at(-1)).toMatchObject({
    purpose: 'ownership',
    status: 'temporary_failure',
    reason: 'the resolver told of an error (2)',
  })
  for (const name of zone.broken) zone.broken.delete(name)
})

test('of two accounts that prove one name at once exactly one has it, and the other is told so', async () => {
  const rivals = await makeAccounts(world, 2)
  const claims = await Promise.all(rivals.map((rival) => createDomain(rival, { name: 'raced.test' })))
  for (const { records } of claims) zone.publish('raced.test', records)
  // Both keys stand under one selector, as they may for a while where a domain changes hands.
  await Promise.all(rivals.map((rival, at) => verifyDomain(rival, claims[at]?.id ?? '')))
  const shown = await Promise.all(rivals.map((rival, at) => getDomain(rival, claims[at]?.id ?? '')))
  expect(shown.map(({ status }) => status).sort()).toEqual(['pending', 'verified'])
  const loser = shown.find(({ status }) => status === 'pending')
  expect(loser?.records.at(-1)).toMatchObject({
    purpose: 'ownership',
    reason: 'another account of this service holds this domain',
  })
  const winner = rivals[shown.findIndex(({ status }) => status === 'verified')]
  expect(JSON.stringify(loser)).not.toContain(winner?.account.id)
})

test('a name passes to whoever proves it once its holder’s proof is gone, unless others have addresses there', async () => {
  const [old, guest, next] = await makeAccounts(world, 3)
  if (!old || !guest || !next) expect.fail('three were made')
  const first = await createDomain(old, { name: 'sold.test' })
  zone.publish('sold.test', first.records)
  await verifyDomain(old, first.id)
  const second = await createDomain(next, { name: 'sold.test' })
  zone.withdraw('sold.test', first.records)
  zone.publish('sold.test', second.records)
  await verifyDomain(next, second.id)
  expect((await getDomain(next, second.id)).status).toBe('pending')

  await addAddress(world, guest.account, 'guest@sold.test')
  await pass(4 * DAY)
  expect((await getDomain(old, first.id)).status).toBe('failed')
  expect((await getDomain(next, second.id)).status).toBe('failed')
  await world.ctx.stores.directory.run(sql`DELETE FROM addresses WHERE address = 'guest@sold.test'`)
  world.pass(1000)
  await verifyDomain(next, second.id)
  expect((await getDomain(next, second.id)).status).toBe('verified')
  expect((await getDomain(old, first.id)).status).toBe('failed')
  await expect(send(old, 'sold.test')).rejects.toMatchObject({ code: 'domain_not_verified' })
})

test('a domain that is to send as well must prove its key before it does', async () => {
  const { id, records } = await createDomain(ctx, { name: 'later.test', capabilities: { sending: 'disabled' } })
  zone.publish('later.test', records)
  await verifyDomain(ctx, id)
  expect((await getDomain(ctx, id)).status).toBe('verified')
  await expect(send(ctx, 'later.test')).rejects.toMatchObject({ detail: { fix: expect.stringContaining('PATCH') } })
  await patchDomain(ctx, id, { capabilities: { sending: 'enabled' } })
  forgetSenders()
  await expect(send(ctx, 'later.test')).rejects.toMatchObject({ code: 'domain_not_verified' })
  zone.publish('later.test', (await getDomain(ctx, id)).records)
  await pass(5 * 60_000, 60_000)
  expect((await getDomain(ctx, id)).status).toBe('verified')
  expect(await send(ctx, 'later.test')).toMatchObject({ domain: 'later.test' })
})

test('asking again and again costs the resolver one look a second, and a check that was cut off is taken up', async () => {
  const { id } = await createDomain(ctx, { name: 'asked.test' })
  zone.asked.length = 0
  for (let time = 0; time < 5; time++) await verifyDomain(ctx, id)
  expect(zone.asked.filter((name) => name === 'TXT _pochta.asked.test')).toHaveLength(1)

  const asking = Promise.withResolvers<void>()
  const never = () => {
    asking.resolve()
    return new Promise<never>(() => {})
  }
  world.pass(1000)
  void verifyDomain({ ...ctx, net: { ...ctx.net, resolve: never } }, id)
  await asking.promise
  zone.publish('asked.test', (await getDomain(ctx, id)).records)
  await pass(60_000)
  expect((await getDomain(ctx, id)).status).toBe('pending')
  await pass(2 * 60_000)
  expect((await getDomain(ctx, id)).status).toBe('verified')
})

/** The states of a domain in the order in which events told of them. */
async function told(of: Caller, id: string) {
  const rows = await of.stores.directory.all<{ type: string; status: string }>(
    sql`SELECT type, data ->> '$.status' AS status FROM events
      WHERE account = ${of.account.number} AND type LIKE 'domain.%' AND data ->> '$.id' = ${id} ORDER BY seq`,
  )
  return rows.map(({ status }) => status)
}
