import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { createProvider, patchProvider } from '../../../src/directory/providers/providers.ts'
import { noFaults } from '../../support/faults.ts'
import { addAddress, makeAccount, makeWorld } from '../../support/world.ts'
import { basic, bring, filed, letter, multipart, sendgridSigner, world } from './scene.ts'

const DAY = 86_400_000

async function sendgridOf(owner: Caller, public_key?: string) {
  const made = await createProvider(owner, { kind: 'sendgrid', public_key })
  return { id: made.id, secret: made.secret ?? '' }
}

/** https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook, of raw MIME. */
const form = (to: string[], raw: Uint8Array | string, more: Record<string, string> = {}) =>
  multipart({
    email: raw,
    to: '"Somebody else" <else@y.test>',
    from: 'Ann <ann@x.test>',
    sender_ip: '192.0.2.1',
    spam_score: '0.1',
    envelope: JSON.stringify({ to, from: 'bounces@x.test' }),
    dkim: '{@x.test : pass}',
    SPF: 'pass',
    subject: 'Salom',
    charsets: '{"to":"UTF-8"}',
    ...more,
  })

test('what SendGrid brings is stored octet for octet, for each recipient of its envelope once', async () => {
  const owner = await makeAccount(world)
  const second = `second@${owner.domain}`
  await addAddress(world, owner.account, second)
  const { id, secret } = await sendgridOf(owner)
  const raw = letter('two')
  const { type, body } = form([owner.address, second, second], raw)
  const told = await bring(id, { 'content-type': type, ...basic(secret) }, body)
  expect(told).toMatchObject({ status: 200, taken: [{ to: owner.address }, { to: second }] })
  const stored = await filed(owner.account)
  expect(stored.map(({ recipient }) => recipient).sort()).toEqual([owner.address, second].sort())
  for (const row of stored) expect(row).toMatchObject({ sender: 'bounces@x.test', raw })
})

test('the secret is asked for, until a public key is given; then the whole body must be signed with it', async () => {
  const owner = await makeAccount(world)
  const { id, secret } = await sendgridOf(owner)
  const { type, body } = form([owner.address], letter('signed'))
  const headers = { 'content-type': type }
  await expect(bring(id, headers, body)).rejects.toMatchObject({ code: 'missing_api_key' })
  await expect(bring(id, { ...headers, ...basic(`${secret}x`) }, body)).rejects.toMatchObject({
    code: 'missing_api_key',
  })
  const { publicKey, sign } = await sendgridSigner()
  await patchProvider(owner, id, { public_key: publicKey })
  await expect(bring(id, { ...headers, ...basic(secret) }, body)).rejects.toMatchObject({ code: 'missing_api_key' })
  const other = await sendgridSigner()
  const now = world.ctx.now()
  const proof = await sign(body)
  for (const [what, wrong] of Object.entries({
    'another key': await other.sign(body),
    'another body': await sign(form([owner.address], letter('other')).body),
    'another time': { ...proof, 'x-twilio-email-event-webhook-timestamp': String(now / 1000 + 1) },
    'too old': await sign(body, now - 5 * DAY),
    'the future': await sign(body, now + DAY),
    'no signature': { ...proof, 'x-twilio-email-event-webhook-signature': '' },
    'no DER': { ...proof, 'x-twilio-email-event-webhook-signature': btoa('x'.repeat(70)) },
  })) {
    await expect(bring(id, { ...headers, ...wrong }, body), what).rejects.toMatchObject({ code: 'missing_api_key' })
  }
  expect(await filed(owner.account)).toEqual([])
  // Numbers of a signature are shorter in one of two hundred cases.
  for (let at = 0; at < 20; at++) {
    expect((await bring(id, { ...headers, ...(await sign(body)) }, body)).status).toBe(200)
  }
  expect(await filed(owner.account)).toHaveLength(1)
})

test('where one recipient cannot be served now it comes again, and the others have it once', async () => {
  const owner = await makeAccount(world)
  const second = `second@${owner.domain}`
  await addAddress(world, owner.account, second)
  const { id, secret } = await sendgridOf(owner)
  const faults = noFaults()
  const failing = await makeWorld({ faults })
  const { type, body } = form([owner.address, second], letter('part'))
  const say = (at = failing) => bring(id, { 'content-type': type, ...basic(secret) }, body, at)
  faults.puts = ['fail']
  await expect(say()).rejects.toThrow('connection lost')
  expect(await filed(owner.account)).toHaveLength(1)
  expect((await say()).status).toBe(200)
  expect(await filed(owner.account)).toHaveLength(2)
})

test('what is refused for good is told 200, after which it stops; of several recipients those who take it have it', async () => {
  const owner = await makeAccount(world)
  const other = await makeAccount(world)
  const { id, secret } = await sendgridOf(owner)
  const say = (to: string[]) => {
    const { type, body } = form(to, letter('some'))
    return bring(id, { 'content-type': type, ...basic(secret) }, body)
  }
  const nobody = `nobody@${owner.domain}`
  const told = await say([nobody, other.address, owner.address, 'no address'])
  expect(told.status).toBe(200)
  expect(told.taken.map(({ to, refused }) => [to, refused === null])).toEqual([
    [nobody, false],
    [other.address, false],
    [owner.address, true],
    ['no address', false],
  ])
  expect((await say([nobody])).taken).toMatchObject([{ id: null, refused: 'No such address here' }])
  expect(await filed(other.account)).toEqual([])
})

test('what cannot be read is told 503, for after all else SendGrid would drop it', async () => {
  const owner = await makeAccount(world)
  const { id, secret } = await sendgridOf(owner)
  const many = Array.from({ length: 101 }, (_, at) => `a${at}@${owner.domain}`)
  for (const { type, body } of [
    form([owner.address], ''),
    form([], letter('x')),
    form(many, letter('x')),
    form([owner.address], letter('x'), { envelope: '{"to":' }),
    { type: 'text/plain', body: form([owner.address], letter('x')).body },
    { ...form([owner.address], letter('x')), body: form([owner.address], letter('x')).body.slice(0, -6) },
  ]) {
    const call = bring(id, { 'content-type': type, ...basic(secret) }, body)
    await expect(call).rejects.toMatchObject({ code: 'service_unavailable' })
  }
  expect(await filed(owner.account)).toEqual([])
})
