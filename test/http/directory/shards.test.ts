import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

type Json = Record<string, unknown>

test('new accounts are spread over the mail databases, and the operator may choose one', async () => {
  const made: unknown[] = []
  for (const name of ['a', 'b', 'c']) made.push((await makeAccount({ name })).database)
  expect(made.sort()).toEqual(['DB', 'MAIL_2', 'MAIL_3'])
  expect(await makeAccount({ name: 'x', database: 'MAIL_3' })).toMatchObject({ database: 'MAIL_3', state: 'active' })
  const refused = await call('POST', '/accounts', { key: operator, body: { name: 'x', database: 'MAIL_77' } })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ fields: [{ path: 'database' }], fix: 'There are: DB, MAIL_2, MAIL_3.' })
})

test.each(['DB', 'MAIL_2', 'MAIL_3'])('everything works for an account whose mail lies in %s', async (database) => {
  const account = await makeAccount({ name: 'y', database })
  const key = String(Reflect.get(Object(account.api_key), 'token'))
  const api = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const answer = await call(method, path, { key, body })
    expect([200, 201], `${method} ${path}`).toContain(answer.status)
    return answer.json()
  }
  const domain = `${database.toLowerCase().replace('_', '')}.test`
  const address = `hello@${domain}`
  await api('POST', '/domains', { name: domain })
  await api('POST', '/addresses', { address })
  await api('POST', '/webhooks', { endpoint: 'http://127.0.0.1:3999/hook', events: ['email.bounced'] })
  await api('POST', '/suppressions', { email: 'dead@remote.test' })
  await api('POST', '/templates', { name: 'T', html: '<p>Salom</p>' })

  const mail = 'From: a@b.test\r\nSubject: Salom shard\r\n\r\nkitob\r\n'
  const to = `/inbound?from=a@b.test&to=${address}`
  const stored = await call('POST', to, { key: operator, body: mail, headers: { 'content-type': 'message/rfc822' } })
  expect(stored.status).toBe(200)
  const { id } = await api('POST', '/emails', { from: address, to: ['x@remote.test'], subject: 's', text: '.' })
  await api('POST', '/emails/batch', [{ from: address, to: ['x@remote.test'], subject: 's', text: '.' }])
  expect(await api('GET', `/emails/${id}`)).toMatchObject({ subject: 's' })
  expect(await api('GET', '/messages?direction=received')).toMatchObject({ data: [{ subject: 'Salom shard' }] })
  expect(await api('GET', '/messages?q=kitob')).toMatchObject({ data: [{ subject: 'Salom shard' }] })
  expect(await api('GET', '/events?types=email.received')).toMatchObject({ data: [{ type: 'email.received' }] })
  await api('PATCH', `/messages/${id}`, { keywords: { $flagged: true } })
  await api('DELETE', `/messages/${id}`)
  expect(await api('GET', '/accounts/me')).toMatchObject({ database, usage: { messages: 3 } })
})

test('an account is moved by the operator alone, and its keys are put off meanwhile', async () => {
  const account = await makeAccount({ name: 'z', database: 'DB' })
  const key = String(Reflect.get(Object(account.api_key), 'token'))
  const path = `/accounts/${account.id}/move`
  expect((await call('POST', path, { key, body: { to: 'MAIL_2' } })).status).toBe(401)
  expect((await call('GET', path, { key: operator })).status).toBe(404)
  const move = await call('POST', path, { key: operator, body: { to: 'MAIL_2' } })
  expect(await move.json()).toMatchObject({ object: 'account_move', from: 'DB', to: 'MAIL_2', step: 'close' })
  const put = await call('GET', '/mailboxes', { key })
  expect(put.status).toBe(503)
  expect(put.headers.get('retry-after')).toBe('60')
  const shown = await call('GET', `/accounts/${account.id}`, { key: operator })
  expect(await shown.json()).toMatchObject({ state: 'moving', database: 'DB' })
  expect((await call('DELETE', path, { key: operator })).status).toBe(200)
  expect((await call('GET', '/mailboxes', { key })).status).toBe(200)
})

async function makeAccount(body: Json): Promise<Json> {
  const answer = await call('POST', '/accounts', { key: operator, body })
  expect(answer.status).toBe(201)
  return answer.json()
}
