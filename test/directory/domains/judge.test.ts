import { expect, test } from 'vitest'
import { judgeCheck, type Standing } from '../../../src/directory/domains/judge.ts'
import { expectationsOf } from '../../../src/directory/domains/records.ts'
import { type Finding, readChecks } from '../../../src/directory/domains/stored.ts'
import type { DomainRow } from '../../../src/store/directory/domains.ts'
import { makeRemoteWorld } from './zone.ts'

const { world } = await makeRemoteWorld()
const { config } = world.ctx

const HOUR = 3_600_000
const DAY = 24 * HOUR
const PUBLIC = 'MIIBIjANBgkqhki'

const ROW: DomainRow = {
  ...{ account: 1, id: 'id', name: 'a.test', status: 'not_started', token: 'abc', dkimSelector: 'pochta' },
  ...{ dkimPrivate: 'sealed', dkimPublic: PUBLIC, returnPathLabel: 'send', settings: '{}', createdAt: 0 },
  ...{ verifiedAt: null, checks: null, otherKey: null },
}
const ALL = ['ownership', 'return', 'spf', 'dkim:pochta', 'dmarc', 'receiving']
const BEGIN: Standing = { until: 3 * DAY, tries: 0, badSince: null }

/** What is found where all is in order but for these. */
function found(but: Record<string, Finding['status']> = {}): Record<string, Finding> {
  return Object.fromEntries(ALL.map((key) => [key, { status: but[key] ?? 'verified', found: [] }]))
}

/** A domain that is looked at again and again; `randomUnit` is such that no pause is moved. */
function life(row: DomainRow = ROW, state = BEGIN) {
  let stands = { row, state, due: 0 as number | undefined }
  return (now: number, what: Record<string, Finding>, taken = false) => {
    const { row, next } = judgeCheck(config, stands.row, what, stands.state, { now, taken, randomUnit: 0.5 })
    stands = { row, state: next?.state ?? stands.state, due: next?.due }
    return { status: row.status, held: row.verifiedAt !== null, wait: next && next.due - now }
  }
}

const fault = (key: string, values: string[]) =>
  (expectationsOf(config, ROW).find((each) => each.key === key) ?? expect.fail(key)).fault(values)

test('each record that is missing has its say: proof decides whether it sends, the rest whether all is in order', () => {
  const after = (...missing: string[]) =>
    life()(0, found(Object.fromEntries(missing.map((key) => [key, 'missing' as const])))).status
  expect(after()).toBe('verified')
  expect(after('dmarc')).toBe('verified')
  for (const key of ['return', 'spf', 'receiving']) expect(after(key)).toBe('partially_verified')
  expect(after('return', 'spf', 'receiving')).toBe('partially_verified')
  expect(after('ownership')).toBe('pending')
  expect(after('dkim:pochta')).toBe('pending')
  expect(life()(0, found({ ownership: 'trouble' })).status).toBe('pending')
})

test('what a domain is not to do is not asked of it', () => {
  const only = (capabilities: object) => ({ ...ROW, settings: JSON.stringify({ capabilities }) })
  const bare = found({ return: 'missing', spf: 'missing', 'dkim:pochta': 'missing' })
  expect(life(only({ sending: 'disabled' }))(0, bare).status).toBe('verified')
  expect(life(only({ receiving: 'disabled' }))(0, found({ receiving: 'missing' })).status).toBe('verified')
})

test('records are waited for with growing pauses, for three days', () => {
  const look = life()
  const nothing = found(Object.fromEntries(ALL.map((key) => [key, 'missing' as const])))
  const waits: (number | undefined)[] = []
  let now = 0
  for (let tries = 0; tries < 60; tries++) {
    const { status, wait } = look(now, nothing)
    waits.push(wait)
    expect(status).toBe(now < 3 * DAY ? 'pending' : 'failed')
    if (wait === undefined) break
    now += wait
  }
  expect(waits.slice(0, 9).map((wait) => (wait ?? 0) / 60_000)).toEqual([1, 5, 15, 30, 60, 120, 240, 240, 240])
  expect(now).toBe(3 * DAY)
})

test('a domain that is verified in part has failed in part once three days are over, and goes on sending', () => {
  const look = life()
  expect(look(0, found({ receiving: 'missing' }))).toMatchObject({ status: 'partially_verified', held: true })
  expect(look(3 * DAY, found({ receiving: 'missing' }))).toMatchObject({ status: 'partially_failed', wait: DAY })
  expect(look(4 * DAY, found()).status).toBe('verified')
})

test('a verified domain is looked at daily, and has failed only when it was bad for a day', () => {
  const look = life()
  expect(look(0, found())).toEqual({ status: 'verified', held: true, wait: DAY })
  const bad = found({ 'dkim:pochta': 'missing' })
  expect(look(DAY, bad)).toEqual({ status: 'verified', held: true, wait: 4 * HOUR })
  expect(look(DAY + 4 * HOUR, bad).status).toBe('verified')
  expect(look(2 * DAY - 1, bad).status).toBe('verified')
  expect(look(2 * DAY, bad)).toEqual({ status: 'failed', held: true, wait: DAY })
  expect(look(30 * DAY, bad)).toEqual({ status: 'failed', held: true, wait: DAY })
  expect(look(31 * DAY, found()).status).toBe('verified')
})

test('one good look in between, and the day begins anew', () => {
  const look = life()
  const bad = found({ ownership: 'missing' })
  look(0, found())
  look(DAY, bad)
  look(DAY + HOUR, found())
  expect(look(2 * DAY, bad).status).toBe('verified')
  expect(look(3 * DAY, bad).status).toBe('failed')
})

test('what only helps is lost in part', () => {
  const look = life()
  look(0, found())
  look(DAY, found({ spf: 'missing' }))
  expect(look(2 * DAY, found({ spf: 'missing' })).status).toBe('partially_failed')
})

test('trouble of the DNS turns nothing bad, however long it lasts, and shows what was known', () => {
  const look = life()
  const trouble = found(Object.fromEntries(ALL.map((key) => [key, 'trouble' as const])))
  look(0, found())
  for (let day = 1; day < 10; day++) {
    expect(look(day * DAY, trouble)).toEqual({ status: 'verified', held: true, wait: HOUR })
  }
  look(10 * DAY, found({ 'dkim:pochta': 'missing' }))
  expect(look(11 * DAY, trouble).status).toBe('verified')
  expect(look(11 * DAY + HOUR, found({ 'dkim:pochta': 'missing' })).status).toBe('failed')
  const { row } = judgeCheck(config, ROW, trouble, BEGIN, { now: 0, taken: false, randomUnit: 0.5 })
  expect(readChecks(row)?.records.ownership?.status).toBe('trouble')
})

test('a name is gained by one look that sees all of its proof', () => {
  const look = life()
  look(0, found({ 'dkim:pochta': 'missing' }))
  expect(look(1, found({ ownership: 'trouble' }))).toMatchObject({ status: 'pending', held: false })
  expect(look(2, found())).toMatchObject({ status: 'verified', held: true })
})

test('a name that another holds is not gained, and the claim says why without naming whom', () => {
  const { row } = judgeCheck(config, ROW, found(), BEGIN, { now: 0, taken: true, randomUnit: 0.5 })
  expect(row).toMatchObject({ status: 'pending', verifiedAt: null })
  expect(readChecks(row)?.records.ownership).toMatchObject({
    status: 'missing',
    reason: 'another account of this service holds this domain',
  })
})

test('a claim is compared without regard to case and to other texts beside it', () => {
  expect(fault('ownership', ['other', ' Pochta-Verification=ABC '])).toBeUndefined()
  expect(fault('ownership', ['pochta-verification=abd'])).toBeDefined()
})

test.each([
  ['as it is shown', `v=DKIM1; k=rsa; p=${PUBLIC}`, undefined],
  ['in another order, with spaces inside', ` p = MIIBIj ANBgk\tqhki ;k=RSA;v=DKIM1;`, undefined],
  ['with other tags', `v=DKIM1; t=s; n=note; s=email; h=sha1:sha256; p=${PUBLIC}`, undefined],
  ['without its optional tags', `p=${PUBLIC}`, undefined],
  ['of another key', 'v=DKIM1; k=rsa; p=MIIC', 'the key here is another one'],
  ['of another case', `v=DKIM1; p=${PUBLIC.toLowerCase()}`, 'the key here is another one'],
  ['revoked', 'v=DKIM1; p=', 'the key here is revoked'],
  ['of another kind', `k=ed25519; p=${PUBLIC}`, 'the record is not of an RSA key for mail'],
  ['for sha1 alone', `h=sha1; p=${PUBLIC}`, 'the record does not allow sha256'],
  ['not of DKIM', 'hello', 'the key here is another one'],
])('a DKIM record %s', (_, value, reason) => {
  expect(fault('dkim:pochta', [value])).toBe(reason)
  expect(fault('dkim:pochta', ['another text', value])).toBe(reason)
})

test.each([
  ['v=spf1 mx ~all', undefined],
  ['V=SPF1 include:relay.example -all', undefined],
  ['v=spf1 redirect=_spf.relay.example', undefined],
  ['v=spf1 -all', 'it lets nobody send'],
  ['v=spf1', 'it lets nobody send'],
  ['v=spf10 mx', 'no record here is an SPF record'],
])('an SPF record %s', (value, reason) => {
  expect(fault('spf', [value])).toBe(reason)
  expect(fault('spf', [value, 'something else'])).toBe(reason)
})

test('two SPF records are none', () => {
  expect(fault('spf', ['v=spf1 mx ~all', 'v=spf1 a ~all'])).toContain('several')
})

test('mail comes to us where our host, or Cloudflare’s, is preferred', () => {
  expect(fault('receiving', ['20 other.example', '10 mx.pochta.example'])).toBeUndefined()
  expect(fault('receiving', ['5 mx.pochta.example', '5 other.example'])).toBeUndefined()
  expect(fault('receiving', ['12 route2.mx.cloudflare.net', '83 route1.mx.cloudflare.net'])).toBeUndefined()
  expect(fault('receiving', ['5 other.example', '10 mx.pochta.example'])).toContain('preferred')
  expect(fault('receiving', ['5 other.example'])).toContain('another host')
  expect(fault('receiving', ['0 '])).toContain('another host')
})
