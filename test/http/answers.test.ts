import { expect, test } from 'vitest'
import { call } from '../support/api.ts'
import { bring, json, makeMailer } from './mail.ts'

const mime = [
  'From: Ann <ann@far.test>',
  'Cc: bob@far.test',
  'Subject: Plan',
  'Message-ID: <plan@far.test>',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  '',
  'Shall we?',
  '--b',
  'Content-Type: application/pdf; name=plan.pdf',
  'Content-Transfer-Encoding: base64',
  '',
  'JVBERi0xLjQK',
  '--b--',
  '',
].join('\r\n')

test('a message is answered, answered to all and forwarded over the API, in one thread, and marked', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime)
  const post = (verb: string, body: unknown) => json(call('POST', `/messages/${id}/${verb}`, { key, body }))
  const reply = await post('reply', { text: 'Yes.' })
  expect(reply).toEqual({ id: expect.any(String) })
  const { thread, ...answered } = await json(call('GET', `/messages/${id}`, { key }))
  expect(answered).toMatchObject({ keywords: { $answered: true } })
  const all = await post('reply-all', { html: '<p>Yes.</p>' })
  const forward = await post('forward', { to: 'carl@far.test' })
  const found = await json(call('GET', `/threads/${thread}`, { key }))
  expect(found).toMatchObject({
    messages: [
      { id, keywords: { $answered: true, $forwarded: true } },
      { id: reply.id, to: ['Ann <ann@far.test>'], cc: [], subject: 'Re: Plan', from: address },
      { id: all.id, to: ['Ann <ann@far.test>'], cc: ['bob@far.test'] },
      { id: forward.id, to: ['carl@far.test'], subject: 'Fwd: Plan', has_attachment: true },
    ],
  })
  expect(await json(call('GET', `/emails/${reply.id}`, { key }))).toMatchObject({
    text: expect.stringMatching(/^Yes\.\r?\n\r?\nOn .*, Ann wrote:\r?\n> Shall we\?/),
  })
  const { data } = await json(call('GET', `/messages/${forward.id}/attachments`, { key }))
  expect(data).toMatchObject([{ filename: 'plan.pdf', size: 9, content_type: 'application/pdf' }])
})

test('an answer may be asked for again with its Idempotency-Key, and is sent once', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime)
  const headers = { 'idempotency-key': 'once' }
  const ask = (text: string) => call('POST', `/messages/${id}/reply`, { key, headers, body: { text } })
  const first = await json(ask('Yes.'))
  await json(call('DELETE', `/messages/${id}?permanent=true`, { key }))
  expect(await json(ask('Yes.'))).toEqual(first)
  expect((await ask('No.')).status).toBe(409)
  expect(await json(call('GET', '/messages?direction=sent', { key }))).toMatchObject({ data: [{ id: first.id }] })
})

test('what cannot be answered is refused, and says why', async () => {
  const { key, address } = await makeMailer()
  const stranger = await makeMailer()
  const id = await bring(address, mime)
  const sending = await json(call('POST', '/api-keys', { key, body: { name: 's', permission: 'sending_access' } }))
  for (const [path, given, body, status, name] of [
    [`/messages/${id}/reply`, stranger.key, { text: 'x' }, 404, 'not_found'],
    [`/messages/${id}/forward`, stranger.key, { to: 'x@y.test' }, 404, 'not_found'],
    [`/messages/${id}/reply`, String(sending.token), { text: 'x' }, 401, 'restricted_api_key'],
    [`/messages/${id}/forward`, String(sending.token), { to: 'x@y.test' }, 401, 'restricted_api_key'],
    [`/messages/${id}/reply`, key, {}, 422, 'missing_required_field'],
    [`/messages/${id}/forward`, key, {}, 422, 'missing_required_field'],
    [`/messages/${id}/reply`, key, { text: 'x', from: stranger.address }, 403, 'validation_error'],
    [`/messages/${id}/reply`, key, { text: 'x', cc: 'no address' }, 422, 'validation_error'],
    [`/messages/${id}/reply`, key, { text: 'x', unknown: 1 }, 422, 'validation_error'],
    [`/messages/${id}/reply`, key, { text: 'x', headers: { References: '<a@b>' } }, 422, 'validation_error'],
  ] as const) {
    const answer = await call('POST', path, { key: given, body })
    expect([answer.status, await answer.json()], `${path} ${JSON.stringify(body)}`).toMatchObject([status, { name }])
  }
  expect(await json(call('GET', `/messages/${id}`, { key }))).toMatchObject({ keywords: {} })
})
