import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'
import { json, type Mailer, makeMailer } from '../mail.ts'

type Refusal = { name: string; message: string; fields?: { path: string; reason: string }[] }

async function newKey(key: string, body: Record<string, unknown>): Promise<{ id: string; token: string }> {
  const { id, token } = await json(call('POST', '/api-keys', { key, body: { name: 'k', ...body } }))
  return { id: String(id), token: String(token) }
}

const mail = (me: Mailer, more: Record<string, unknown> = {}) => ({
  from: me.address,
  to: 'delivered@resend.dev',
  subject: 'Salom',
  text: 'Hi',
  ...more,
})

const send = (me: Mailer, key: string, more: Record<string, unknown> = {}) =>
  call('POST', '/emails', { key, body: mail(me, more) })

async function refusal(answer: Response): Promise<Refusal> {
  expect(answer.ok, await answer.clone().text()).toBe(false)
  return answer.json()
}

test('a key sends from its senders alone, whatever their spelling: by JSON, in From, and as the envelope’s sender', async () => {
  const me = await makeMailer()
  const upper = `HELLO@${me.domain.toUpperCase()}`
  const { token } = await newKey(me.key, { limits: { senders: [upper] } })
  const other = `Me <other@${me.domain}>`
  expect((await send(me, token)).status).toBe(200)
  expect((await send(me, token, { from: `Me <Hello@${me.domain}>` })).status).toBe(200)
  const refused = await send(me, token, { from: other })
  expect([refused.status, await refusal(refused)]).toMatchObject([403, { fields: [{ path: 'from' }] }])
  expect((await send(me, token, { from: `hello+x@${me.domain}` })).status).toBe(403)
  const raw = (from: string, header: string) =>
    call('POST', `/outbound?from=${from}&to=delivered@resend.dev`, {
      key: token,
      body: `From: ${header}\r\nSubject: s\r\n\r\nhi\r\n`,
      headers: { 'content-type': 'message/rfc822' },
    })
  expect((await raw(me.address, me.address)).status).toBe(200)
  expect((await raw(me.address, other)).status).toBe(403)
  expect((await raw(`other@${me.domain}`, me.address)).status).toBe(403)
})

test('a domain among the senders is all of it, and nothing below or beside it', async () => {
  const [me, far] = [await makeMailer(), await makeMailer()]
  for (const sender of [`@${me.domain}`, `*@${me.domain.toUpperCase()}`]) {
    const { token } = await newKey(me.key, { limits: { senders: [sender] } })
    expect((await send(me, token, { from: `any@${me.domain}` })).status).toBe(200)
    expect((await send(me, token, { from: `any@sub.${me.domain}` })).status).toBe(403)
  }
  const { token } = await newKey(me.key, { limits: { senders: [`@${far.domain}`] } })
  expect((await send(me, token)).status).toBe(403)
  for (const sender of ['hello', '@', '*', 'a@b@c', '*@*', '@a b.test', `x*@${me.domain}`, '']) {
    const body = { name: 'k', limits: { senders: [me.address, sender] } }
    const answer = await call('POST', '/api-keys', { key: me.key, body })
    const told = answer.status === 422 ? await refusal(answer) : undefined
    // The star is a letter like others in a local part.
    if (sender.startsWith('x*')) expect(answer.status).toBe(201)
    else
      expect(
        told?.fields?.map(({ path }) => path),
        sender,
      ).toEqual(['limits.senders[1]'])
  }
})

test('a key’s sends for the day are counted exactly and told in headers; another key goes on sending', async () => {
  const me = await makeMailer()
  const { token } = await newKey(me.key, { limits: { sends_per_day: 3 } })
  const first = await send(me, token, { to: ['delivered@resend.dev', 'delivered+2@resend.dev'] })
  expect(first.status).toBe(200)
  expect(Object.fromEntries([...first.headers].filter(([name]) => name.startsWith('x-daily')))).toEqual({
    'x-daily-quota-limit': '3',
    'x-daily-quota-remaining': '1',
    'x-daily-quota-reset': expect.stringMatching(/^\d+$/),
  })
  const over = await send(me, token, { to: ['delivered@resend.dev', 'delivered+2@resend.dev'] })
  expect([over.status, over.headers.get('x-daily-quota-remaining')]).toEqual([429, '1'])
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refusal(over)).toMatchObject({
    name: 'daily_quota_exceeded',
    message: expect.stringMatching(/this API key .* 1 left of 3 recipients a day/),
  })
  const dry = { key: token, body: mail(me, { to: ['a@y.test', 'b@y.test'] }) }
  expect((await call('POST', '/emails?dry_run=true', dry)).status).toBe(429)
  expect((await send(me, token)).status).toBe(200)
  expect((await send(me, token)).status).toBe(429)
  const free = await send(me, me.key)
  expect([free.status, free.headers.get('x-daily-quota-limit')]).toEqual([200, null])
})

test('requests at once never pass a key’s sends for the day, and scheduled mail is counted when it is taken', async () => {
  const me = await makeMailer()
  const { token } = await newKey(me.key, { limits: { sends_per_day: 4 } })
  const scheduled = new Date(Date.now() + 86_400_000 * 3).toISOString()
  expect((await send(me, token, { scheduled_at: scheduled })).status).toBe(200)
  const answers = await Promise.all(Array.from({ length: 6 }, () => send(me, token)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429, 429])
  expect((await send(me, token, { scheduled_at: scheduled })).status).toBe(429)
})

test('the account’s sends are told too, and the refusal says that they are the account’s', async () => {
  const me = await makeMailer()
  await json(call('PATCH', `/accounts/${me.account}`, { key: operator, body: { quota: { sends_per_day: 1 } } }))
  const { token } = await newKey(me.key, { limits: { sends_per_day: 9 } })
  const first = await send(me, token)
  expect([
    first.status,
    first.headers.get('x-daily-quota-limit'),
    first.headers.get('x-daily-quota-remaining'),
  ]).toEqual([200, '1', '0'])
  expect(await refusal(await send(me, token))).toMatchObject({ message: expect.stringContaining('the account') })
})

test('limits are shown, changed one by one, and hold at once', async () => {
  const me = await makeMailer()
  const { id, token } = await newKey(me.key, { limits: { senders: [`b@${me.domain}`, me.address], sends_per_day: 0 } })
  const shown = async () => {
    const { data } = await json(call('GET', '/api-keys', { key: me.key }))
    return Array.isArray(data) ? data.find((key) => key.id === id) : undefined
  }
  expect((await shown()).limits).toEqual({
    senders: [`b@${me.domain}`, me.address],
    sends_per_day: 0,
    requests_per_second: null,
  })
  expect((await send(me, token)).status).toBe(429)
  const patch = (body: unknown) => json(call('PATCH', `/api-keys/${id}`, { key: me.key, body }))
  expect(await patch({ limits: { sends_per_day: null } })).toEqual({ object: 'api_key', id })
  expect((await send(me, token)).status).toBe(200)
  await patch({ name: 'n', limits: { senders: [`b@${me.domain}`] } })
  expect((await send(me, token)).status).toBe(403)
  await patch({ limits: { senders: null } })
  expect(await shown()).toMatchObject({
    name: 'n',
    limits: { senders: null, sends_per_day: null, requests_per_second: null },
  })
  expect((await send(me, token)).status).toBe(200)
})

test('a limited key gives no key more than it has, itself included, and shares its count with those it makes', async () => {
  const me = await makeMailer()
  const limits = { senders: [me.address], sends_per_day: 2, requests_per_second: 50 }
  const { id, token } = await newKey(me.key, { limits })
  const fieldsOf = async (method: string, path: string, body: unknown) =>
    (await refusal(await call(method, path, { key: token, body }))).fields?.map((field) => field.path)
  expect(await fieldsOf('POST', '/api-keys', { name: 'k' })).toEqual([
    'limits.sends_per_day',
    'limits.requests_per_second',
    'limits.senders',
  ])
  const wider = { senders: [`@${me.domain}`], sends_per_day: 3, requests_per_second: 51 }
  const wide = { limits: wider }
  const all = ['limits.sends_per_day', 'limits.requests_per_second', 'limits.senders[0]']
  expect(await fieldsOf('POST', '/api-keys', { name: 'k', ...wide })).toEqual(all)
  expect(await fieldsOf('PATCH', `/api-keys/${id}`, wide)).toEqual(all)
  const none = { senders: null, sends_per_day: null, requests_per_second: null }
  expect(await fieldsOf('PATCH', `/api-keys/${id}`, { limits: none })).toHaveLength(3)
  const child = await newKey(token, { limits })
  expect((await send(me, child.token)).status).toBe(200)
  expect((await send(me, token)).status).toBe(200)
  expect((await send(me, child.token)).status).toBe(429)
})

test('a key, or all keys of an account, ask no oftener than their limit, and are told when to come again', async () => {
  const me = await makeMailer()
  const { token } = await newKey(me.key, { limits: { requests_per_second: 2 } })
  const burst = async (key: string, size: number) => {
    const answers = await Promise.all(Array.from({ length: size }, () => call('GET', '/domains', { key })))
    return answers.filter(({ status }) => status === 429)
  }
  // Two seconds may share a burst.
  const late = await burst(token, 6)
  expect(late.length).toBeGreaterThanOrEqual(2)
  expect(late[0]?.headers.get('retry-after')).toBe('1')
  expect(late[0]?.headers.get('ratelimit-limit')).toBe('2')
  expect(await burst(me.key, 6)).toEqual([])
  const quota = { requests_per_second: 3 }
  await json(call('PATCH', `/accounts/${me.account}`, { key: operator, body: { quota } }))
  expect((await burst(me.key, 9)).length).toBeGreaterThanOrEqual(3)
})
