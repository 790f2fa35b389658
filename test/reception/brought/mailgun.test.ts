import { expect, test } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import type { Caller } from '../../../src/context.ts'
import { createProvider } from '../../../src/directory/providers/providers.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { bring, filed, letter, mailgunProof, multipart, urlencoded, world } from './scene.ts'

const HOUR = 3_600_000

async function mailgunOf(owner: Caller) {
  const key = `key-${crypto.randomUUID()}`
  const made = await createProvider(owner, { kind: 'mailgun', signing_key: key })
  return { id: made.id, made, key }
}

/** https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http, of raw MIME. */
const fields = (to: string, raw: Uint8Array | string) => ({
  recipient: to,
  sender: 'bounces@x.test',
  from: 'Ann <ann@x.test>',
  subject: 'Salom',
  'body-mime': raw,
})

test('what Mailgun forwards is stored octet for octet, in a form of either kind', async () => {
  const owner = await makeAccount(world)
  const { id, key, made } = await mailgunOf(owner)
  expect(made).toMatchObject({
    secret: null,
    does: ['inbound'],
    inbound_url: expect.stringMatching(/\/inbound\/mime$/),
  })
  for (const form of [multipart, urlencoded]) {
    const raw = letter(form.name)
    const { type, body } = form({ ...fields(owner.address, raw), ...(await mailgunProof(key, form.name)) })
    const told = await bring(id, { 'content-type': type }, body)
    expect(told).toMatchObject({ status: 200, taken: [{ duplicate: false, refused: null }] })
    expect((await filed(owner.account)).at(-1)).toMatchObject({
      sender: 'bounces@x.test',
      recipient: owner.address,
      raw,
    })
  }
})

test('a signature that is missing, another’s, too old or from the future is refused', async () => {
  const owner = await makeAccount(world)
  const { id, key } = await mailgunOf(owner)
  const good = await mailgunProof(key, 'token')
  const now = world.ctx.now()
  for (const [what, proof] of Object.entries({
    missing: {},
    empty: { ...good, signature: '' },
    changed: { ...good, signature: good.signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) },
    'of another token': { ...good, token: 'other' },
    'of another time': { ...good, timestamp: String(Number(good.timestamp) + 1) },
    'of no time': { ...good, timestamp: 'x' },
    'by another key': await mailgunProof(`${key}x`, 'token'),
    'too old': await mailgunProof(key, 'token', now - 13 * HOUR),
    'from the future': await mailgunProof(key, 'token', now + HOUR),
  })) {
    const { type, body } = multipart({ ...fields(owner.address, letter('no')), ...proof })
    const call = bring(id, { 'content-type': type }, body)
    await expect(call, what).rejects.toMatchObject({ code: 'missing_api_key' })
  }
  expect(await filed(owner.account)).toEqual([])
})

test('a signature that somebody saw signs no other mail; the same mail may come again, as after a lost answer', async () => {
  const owner = await makeAccount(world)
  const { id, key } = await mailgunOf(owner)
  const proof = await mailgunProof(key, 'seen')
  const say = (to: string, raw: Uint8Array, at = world) => {
    const { type, body } = multipart({ ...fields(to, raw), ...proof })
    return bring(id, { 'content-type': type }, body, at)
  }
  const faults = noFaults()
  const failing = await makeWorld({ faults })
  faults.puts = ['fail']
  await expect(say(owner.address, letter('seen'), failing)).rejects.toThrow('connection lost')
  for (const [to, raw] of [
    [owner.address, letter('forged')],
    [`hello+x@${owner.domain}`, letter('seen')],
  ] as const) {
    await expect(say(to, raw)).rejects.toMatchObject({ code: 'missing_api_key' })
  }
  expect((await say(owner.address, letter('seen'))).taken).toMatchObject([{ duplicate: false }])
  expect((await say(owner.address, letter('seen'))).taken).toMatchObject([{ duplicate: true }])
  expect(await filed(owner.account)).toHaveLength(1)
})

test('of many mails that come at once under one signature one alone is taken', async () => {
  const owner = await makeAccount(world)
  const { id, key } = await mailgunOf(owner)
  const proof = await mailgunProof(key, 'race')
  const calls = Array.from({ length: 8 }, (_, at) => {
    const { type, body } = multipart({ ...fields(owner.address, letter(`race${at}`)), ...proof })
    return bring(id, { 'content-type': type }, body)
  })
  const outcomes = await Promise.allSettled(calls)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await filed(owner.account)).toHaveLength(1)
})

test('what nobody here takes is told 406, after which Mailgun stops; what cannot be read is told otherwise', async () => {
  const owner = await makeAccount(world)
  const other = await makeAccount(world)
  const { id, key } = await mailgunOf(owner)
  const say = async (more: Partial<ReturnType<typeof fields>>, token: string) => {
    const { type, body } = multipart({
      ...fields(owner.address, letter(token)),
      ...more,
      ...(await mailgunProof(key, token)),
    })
    return bring(id, { 'content-type': type }, body)
  }
  expect((await say({ recipient: other.address }, 'a')).status).toBe(406)
  expect((await say({ recipient: `nobody@${owner.domain}` }, 'b')).status).toBe(406)
  for (const [token, more] of [
    ['c', { 'body-mime': '' }],
    ['d', { recipient: '' }],
  ] as const) {
    await expect(say(more, token)).rejects.toMatchObject({ code: 'invalid_request' })
  }
  await expect(bring(id, { 'content-type': 'text/plain' }, utf8('x'))).rejects.toMatchObject({
    code: 'invalid_request',
  })
})

test('a form that was cut short is refused, and so is one that is too large', async () => {
  const owner = await makeAccount(world)
  const { id, key } = await mailgunOf(owner)
  const { type, body } = multipart({ ...(await mailgunProof(key, 'cut')), ...fields(owner.address, letter('cut')) })
  const headers = { 'content-type': type }
  await expect(bring(id, headers, body.slice(0, -9))).rejects.toMatchObject({ code: 'invalid_request' })
  await expect(bring(id, { ...headers, 'content-length': String(body.length + 5) }, body)).rejects.toMatchObject({
    code: 'invalid_request',
  })
  const small = await makeWorld({ config: { MAX_MESSAGE_BYTES: 100 } })
  const large = multipart({ ...fields(owner.address, 'x'.repeat(2 * 1024 * 1024)) })
  await expect(bring(id, headers, large.body, small)).rejects.toMatchObject({ code: 'payload_too_large' })
})

test('its key is needed, goes with Mailgun alone, and is never shown', async () => {
  const owner = await makeAccount(world)
  await expect(createProvider(owner, { kind: 'mailgun' })).rejects.toMatchObject({ code: 'missing_required_field' })
  await expect(createProvider(owner, { kind: 'ses', signing_key: 'key-0123456789abcdef' })).rejects.toMatchObject({
    code: 'validation_error',
  })
  const { made, key } = await mailgunOf(owner)
  expect(JSON.stringify(made)).not.toContain(key)
})
