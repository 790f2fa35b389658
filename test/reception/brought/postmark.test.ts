import { expect, test } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import type { Caller } from '../../../src/context.ts'
import { createProvider, deleteProvider } from '../../../src/directory/providers/providers.ts'
import { unreadBody } from '../../../src/http/raw-body.ts'
import { takeBrought } from '../../../src/reception/brought.ts'
import { verdictsAt } from '../../../src/reception/doors.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { asInstance, basic, bring, filed, world } from './scene.ts'

async function postmarkOf(owner: Caller, more: { authserv_ids?: string[]; received_by?: string[] } = {}) {
  const made = await createProvider(owner, { kind: 'postmark', ...more })
  const secret = made.secret ?? ''
  const say = (content: unknown, headers: Record<string, string> = basic(secret), at = world) =>
    bring(made.id, headers, typeof content === 'string' ? utf8(content) : utf8(JSON.stringify(content)), at)
  return { made, secret, say }
}

const raw = (id: string, ...more: string[]) =>
  [
    ...more,
    `Message-ID: <${id}@x.test>`,
    'From: Ann <ann@x.test>',
    'Subject: "Salom" \\ дунё 👋',
    '',
    'Salom!\t',
    '',
  ].join('\r\n')

/** https://postmarkapp.com/developer/webhooks/inbound-webhook, in short. */
const inbound = (to: string, RawEmail: string | undefined, more: Record<string, unknown> = {}) => ({
  FromName: 'Ann',
  MessageStream: 'inbound',
  From: 'ann@x.test',
  FromFull: { Email: 'ann@x.test', Name: 'Ann', MailboxHash: '' },
  To: '"Somebody else" <else@y.test>',
  ToFull: [{ Email: 'else@y.test', Name: 'Somebody else', MailboxHash: '' }],
  OriginalRecipient: to,
  Subject: 'Salom',
  MessageID: '00000000-0000-0000-0000-000000000000',
  MailboxHash: 'hash',
  TextBody: 'Salom! {"RawEmail": "none"} ]}',
  Headers: [
    { Name: 'Return-Path', Value: '<bounces+ann@x.test>' },
    { Name: 'X-Spam-Status', Value: 'No' },
  ],
  Attachments: [{ Name: 'a.txt', Content: 'YQ==', ContentType: 'text/plain', ContentLength: 1, RawEmail: 'nor this' }],
  ...(RawEmail === undefined ? {} : { RawEmail }),
  ...more,
})

test('what Postmark brings is stored as it was sent, for the recipient of its envelope, and known when it comes again', async () => {
  const owner = await makeAccount(world)
  const { made, say } = await postmarkOf(owner)
  expect(made).toMatchObject({
    does: ['events', 'inbound'],
    inbound_url: expect.stringContaining(`/providers/${made.id}/inbound`),
  })
  const first = await say(inbound(owner.address, raw('one')))
  expect(first).toMatchObject({ status: 200, taken: [{ to: owner.address, duplicate: false, refused: null }] })
  const again = await say(inbound(owner.address, raw('one')))
  expect(again.taken).toEqual([{ ...first.taken[0], duplicate: true }])
  const [stored, ...others] = await filed(owner.account)
  expect(others).toEqual([])
  expect(stored).toMatchObject({ sender: 'bounces+ann@x.test', recipient: owner.address })
  expect(fromUtf8(stored?.raw ?? new Uint8Array(0))).toBe(raw('one'))
})

test('escapes of every kind are the octets they stand for, wherever the body is cut', async () => {
  const owner = await makeAccount(world)
  const { made, secret } = await postmarkOf(owner)
  const text = JSON.stringify(inbound(owner.address, raw('cut'))).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const bytes = utf8(text)
  const pieces = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7))
      controller.close()
    },
  })
  const request = new Request('http://localhost/', { method: 'POST', headers: basic(secret), body: pieces })
  await takeBrought(world.ctx, made.id, unreadBody(request))
  const [stored] = await filed(owner.account)
  expect(fromUtf8(stored?.raw ?? new Uint8Array(0))).toBe(raw('cut'))
})

test('without the secret, or with another, nothing is read; it is told 401, for at 403 it would stop', async () => {
  const owner = await makeAccount(world)
  const { say, secret } = await postmarkOf(owner)
  const wrong: Record<string, string>[] = [
    {},
    basic('wrong'),
    basic(''),
    { authorization: 'Bearer x' },
    { 'x-pochta-secret': `${secret}x` },
  ]
  for (const headers of wrong) {
    await expect(say(inbound(owner.address, raw('no')), headers)).rejects.toMatchObject({ code: 'missing_api_key' })
  }
  expect(await filed(owner.account)).toEqual([])
})

test('a provider of an account brings mail to its own addresses alone; one of the instance to everybody’s', async () => {
  const owner = await makeAccount(world)
  const other = await makeAccount(world)
  const { say } = await postmarkOf(owner)
  const refused = await say(inbound(other.address, raw('strange')))
  expect(refused).toEqual({
    status: 403,
    taken: [{ to: other.address, id: null, duplicate: false, refused: 'No such address here' }],
  })
  // Word for word what an address that nobody has is told.
  const nobody = await say(inbound(`nobody@${owner.domain}`, raw('strange')))
  expect(nobody.taken[0]?.refused).toBe(refused.taken[0]?.refused)
  expect(await filed(other.account)).toEqual([])
  const instance = await postmarkOf(asInstance(owner))
  expect((await instance.say(inbound(other.address, raw('strange')))).status).toBe(200)
  expect(await filed(other.account)).toHaveLength(1)
})

test('only whom the provider’s settings name is believed of SPF, DKIM and DMARC', async () => {
  const owner = await makeAccount(world)
  const results = ['Received: from x by mx.pm.test', 'Authentication-Results: mx.pm.test; spf=pass; dmarc=pass']
  const forged = ['Authentication-Results: mx.pm.test; dmarc=pass', 'Received: from x by mx.pm.test']
  const silent = await postmarkOf(owner)
  await silent.say(inbound(owner.address, raw('a', ...results)))
  const trusting = await postmarkOf(owner, { authserv_ids: ['mx.pm.test'], received_by: ['mx.pm.test'] })
  await trusting.say(inbound(owner.address, raw('b', ...results)))
  await trusting.say(inbound(owner.address, raw('c', 'Received: from x by evil.test', ...forged)))
  const verdicts = (await filed(owner.account)).map((row) => JSON.parse(row.verdicts ?? 'null'))
  expect(verdicts).toEqual([null, { spf: 'pass', dkim: null, dmarc: 'pass' }, { spf: null, dkim: null, dmarc: null }])
})

test('an account that an alias leads to believes no provider of another account', () => {
  const headers: [string, string][] = [['Authentication-Results', 'mx.pm.test; dmarc=pass']]
  const door = { account: 7, authservIds: ['mx.pm.test'], receivedBy: [] }
  const at = (account: number, number: number) =>
    verdictsAt(world.ctx.config, { ...door, account }, { number, id: 'a', mailDb: 'DB' }, headers)?.dmarc
  expect([at(7, 7), at(7, 8), at(0, 8)]).toEqual(['pass', undefined, 'pass'])
})

test('a mail as large as may be, in a call of twice that, takes seconds', async () => {
  const owner = await makeAccount(world)
  const { say } = await postmarkOf(owner)
  const large = `${raw('huge')}${`${'x'.repeat(76)}\r\n`.repeat(330_000)}`
  const began = performance.now()
  const told = await say(inbound(owner.address, large, { Attachments: [{ Content: 'y'.repeat(25_000_000) }] }))
  const took = performance.now() - began
  expect(told.status).toBe(200)
  expect((await filed(owner.account))[0]?.raw.length).toBe(utf8(large).length)
  // One, on a machine that does nothing else.
  expect(took).toBeLessThan(60_000)
}, 120_000)

test('a call without the raw mail, without a recipient, or cut short is refused so that it comes again', async () => {
  const owner = await makeAccount(world)
  const { say } = await postmarkOf(owner)
  const whole = JSON.stringify(inbound(owner.address, raw('whole')))
  for (const content of [
    inbound(owner.address, undefined),
    inbound(owner.address, ''),
    inbound('', raw('x')),
    { ...inbound('', raw('x')), OriginalRecipient: 7 },
    { ...inbound(owner.address, ''), RawEmail: { a: 1 } },
    whole.slice(0, -1),
    whole.slice(0, whole.indexOf('"RawEmail"') + 60),
    `${whole}}`,
    `[${whole}]`,
    '"text"',
    '',
  ]) {
    await expect(say(content), String(content).slice(0, 80)).rejects.toMatchObject({ code: 'invalid_request' })
  }
  expect(await filed(owner.account)).toEqual([])
})

test('where storage fails it is told to come again, and what it brings then is stored once', async () => {
  const owner = await makeAccount(world)
  const { say, secret } = await postmarkOf(owner)
  const faults = noFaults()
  const failing = await makeWorld({ faults })
  const late = () => say(inbound(owner.address, raw('late')), basic(secret), failing)
  faults.puts = ['fail']
  await expect(late()).rejects.toThrow()
  faults.batches = ['fail', 'fail', 'fail']
  await expect(late()).rejects.toThrow()
  expect((await late()).taken).toMatchObject([{ duplicate: false, refused: null }])
  expect((await late()).taken).toMatchObject([{ duplicate: true, refused: null }])
  expect(await filed(owner.account)).toHaveLength(1)
})

test('a mail that is too large is refused for good, whatever else the call carries', async () => {
  const owner = await makeAccount(world)
  const small = await makeWorld({ config: { MAX_MESSAGE_BYTES: 2000 } })
  const { say, secret } = await postmarkOf(owner)
  const more = { Attachments: [{ Content: 'x'.repeat(100_000) }], TextBody: 'y'.repeat(100_000) }
  expect((await say(inbound(owner.address, raw('fits'), more), basic(secret), small)).status).toBe(200)
  const large = `${raw('large')}${'z'.repeat(2500)}`
  expect((await say(inbound(owner.address, large, more), basic(secret), small)).status).toBe(403)
})

test('a provider that was deleted, or brings no mail, is not found', async () => {
  const owner = await makeAccount(world)
  const { made, say } = await postmarkOf(owner)
  await deleteProvider(owner, made.id)
  await expect(say(inbound(owner.address, raw('x')))).rejects.toMatchObject({ code: 'not_found' })
  const ses = await createProvider(owner, { kind: 'ses' })
  expect(ses.inbound_url).toBeNull()
  await expect(bring(ses.id, {}, utf8('{}'))).rejects.toMatchObject({ code: 'not_found' })
})
