import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { createAddress } from '../../../src/directory/addresses.ts'
import { verifyDomain } from '../../../src/directory/domains/check.ts'
import { createDomain, getDomain, patchDomain } from '../../../src/directory/domains/domains.ts'
import { findRecipient } from '../../../src/directory/recipients.ts'
import { deleteAccount } from '../../../src/directory/removal.ts'
import { sweepDirectory } from '../../../src/directory/sweep.ts'
import { parseAddress } from '../../../src/mail/address.ts'
import { addAddress, makeAccount, makeWorld } from '../../support/world.ts'

const world = await makeWorld({ net: { resolve: async () => ({ kind: 'none' }) } })
const remote = { ...world.ctx.config, local: false, checksDomains: true }
const away = (ctx: Caller): Caller => ({ ...ctx, config: remote })
const recipient = (text: string) => parseAddress(text) ?? expect.fail(`${text} is an address`)

test('a local copy verifies at once; elsewhere nothing says verified that nobody looked at', async () => {
  const ctx = await makeAccount(world)
  const here = await createDomain(ctx, { name: 'Here.Test.' })
  expect(here).toMatchObject({ name: 'here.test', status: 'verified' })
  const there = await createDomain(away(ctx), { name: 'there.test' })
  expect(there.status).toBe('not_started')
  expect(there.records.map(({ status }) => status)).toEqual(there.records.map(() => 'not_started'))
  expect(await verifyDomain(away(ctx), there.id)).toEqual({ object: 'domain', id: there.id })
  expect(await getDomain(ctx, there.id)).toMatchObject({ object: 'domain', status: 'pending' })
  await expect(createAddress(ctx, { address: 'a@there.test' })).rejects.toMatchObject({ code: 'domain_not_verified' })
})

test('a local copy that was given a resolver asks it, but not for its operator', async () => {
  const ctx = await makeAccount(world)
  const given: Caller = { ...ctx, config: { ...ctx.config, checksDomains: true } }
  expect((await createDomain(given, { name: 'asked.test' })).status).toBe('not_started')
  const operator: Caller = { ...given, access: { ...given.access, key: 'operator' } }
  expect((await createDomain(operator, { name: 'unasked.test' })).status).toBe('verified')
})

test('the records tell all that the DNS must say', async () => {
  const ctx = await makeAccount(world)
  const { records } = await createDomain(ctx, { name: 'records.test', custom_return_path: 'Bounces' })
  const record = (purpose: string, type: string) =>
    records.find((each) => each.purpose === purpose && each.type === type)
  expect(record('ownership', 'TXT')).toMatchObject({
    name: '_pochta',
    value: expect.stringMatching(/^pochta-verification=[a-z2-7]{16}$/),
  })
  expect(record('return_path', 'MX')).toMatchObject({
    name: 'bounces',
    value: 'pochta.localhost',
    priority: 10,
    ttl: 'Auto',
  })
  expect(record('return_path', 'TXT')).toMatchObject({ name: 'bounces', value: expect.stringMatching(/^v=spf1 /) })
  expect(record('dkim', 'TXT')).toMatchObject({
    name: 'pochta._domainkey',
    value: expect.stringMatching(/^v=DKIM1; k=rsa; p=MIIBI/),
  })
  expect(record('receiving', 'MX')).toMatchObject({ name: '@', value: 'pochta.localhost', priority: 10 })
  expect(record('dmarc', 'TXT')).toMatchObject({ name: '_dmarc', value: 'v=DMARC1; p=none;', required: false })
  // In the words of Resend's clients, with what they have no word for at the end.
  const kinds = ['SPF', 'SPF', 'DKIM', 'Receiving', 'SPF', 'SPF']
  expect(records.map((each) => each.record)).toEqual(kinds)
  expect(records.slice(4).map(({ purpose }) => purpose)).toEqual(['dmarc', 'ownership'])
})

test('claims coexist, each with its own proof and key, and one of them is verified', async () => {
  const [one, two] = [await makeAccount(world), await makeAccount(world)]
  const claims = [
    await createDomain(away(one), { name: 'wanted.test' }),
    await createDomain(away(two), { name: 'wanted.test' }),
  ]
  const values = claims.map(({ records }) => records.find(({ purpose }) => purpose === 'ownership')?.value)
  expect(new Set(values).size).toBe(2)
  await expect(createDomain(one, { name: 'WANTED.test' })).rejects.toMatchObject({
    code: 'validation_error',
    message: 'The wanted.test domain has been registered already.',
  })
  await Promise.all([verifyDomain(one, claims[0]?.id ?? ''), verifyDomain(two, claims[1]?.id ?? '')])
  const statuses = [await getDomain(one, claims[0]?.id ?? ''), await getDomain(two, claims[1]?.id ?? '')]
  expect(statuses.map(({ status }) => status).sort()).toEqual(['pending', 'verified'])
  const third = await makeAccount(world)
  expect((await createDomain(third, { name: 'wanted.test' })).status).toBe('not_started')
})

test('what we do not do is refused by name, and changes nothing', async () => {
  const ctx = await makeAccount(world)
  const wishes = { open_tracking: true, click_tracking: true, tracking_subdomain: 'x', tls: 'enforced' as const }
  await expect(createDomain(ctx, { name: 'wishes.test', ...wishes })).rejects.toMatchObject({
    code: 'invalid_parameter',
    detail: { fields: Object.keys(wishes).map((path) => expect.objectContaining({ path })) },
  })
  for (const name of ['', 'one', 'a b.test', 'a@b.test', '-a.test', 'x'.repeat(300)]) {
    await expect(createDomain(ctx, { name }), name).rejects.toMatchObject({ code: 'validation_error' })
  }
  expect((await createDomain(ctx, { name: 'bücher.test', open_tracking: false, tls: 'opportunistic' })).name).toBe(
    'xn--bcher-kva.test',
  )
})

test('a domain that does not send or receive says so, shows no records for it and does neither', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDomain(ctx, { name: 'quiet.test', capabilities: { receiving: 'disabled' } })
  await createAddress(ctx, { address: 'a@quiet.test' })
  expect(await findRecipient(ctx, recipient('a@quiet.test'))).toBeUndefined()
  await patchDomain(ctx, id, { capabilities: { receiving: 'enabled', sending: 'disabled' } })
  expect(await findRecipient(ctx, recipient('a@quiet.test'))).toBeDefined()
  const shown = await getDomain(ctx, id)
  expect(shown.capabilities).toEqual({ sending: 'disabled', receiving: 'enabled' })
  expect(shown.records.map(({ purpose }) => purpose)).toEqual(['receiving', 'ownership'])
})

test('a deleted account frees its domains, and what others had on them goes too', async () => {
  const [owner, guest] = [await makeAccount(world), await makeAccount(world)]
  await addAddress(world, guest.account, `guest@${owner.domain}`)
  await deleteAccount(world.ctx, owner.account.id)
  await world.idle()
  await sweepDirectory(world.ctx)
  expect(await findRecipient(world.ctx, recipient(`guest@${owner.domain}`))).toBeUndefined()
  expect((await createDomain(guest, { name: owner.domain })).status).toBe('verified')
})
