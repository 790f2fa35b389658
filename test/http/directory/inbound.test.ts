import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

const json = async (answer: Response): Promise<Record<string, unknown>> => JSON.parse(await answer.text())

test('a provider is told by the status that it understands, and shows where its mail is to be sent', async () => {
  const account = await json(await call('POST', '/accounts', { key: operator, body: { name: 'inbound' } }))
  const acting = { key: operator, account: String(account.id) }
  const made = await call('POST', '/providers', { ...acting, body: { kind: 'postmark', authserv_ids: ['MX.pm.test'] } })
  const provider = await json(made)
  expect(provider).toMatchObject({ kind: 'postmark', authserv_ids: ['mx.pm.test'], received_by: [] })
  const path = new URL(String(provider.inbound_url)).pathname
  const body = { OriginalRecipient: 'nobody@nowhere.test', RawEmail: 'Subject: x\r\n\r\nSalom' }
  const headers = { authorization: `Basic ${btoa(`pochta:${provider.secret}`)}` }
  const refused = await call('POST', path, { body, headers })
  expect(refused.status).toBe(403)
  expect(await json(refused)).toEqual({
    object: 'inbound',
    taken: [{ to: 'nobody@nowhere.test', id: null, duplicate: false, refused: 'No such address here' }],
  })
  expect((await call('POST', path, { body, headers: { authorization: 'Basic eDp4' } })).status).toBe(401)
  expect((await call('POST', path, { body: '{"a":', headers })).status).toBe(400)
  const patched = await call('PATCH', `/providers/${provider.id}`, { ...acting, body: { authserv_ids: null } })
  expect(await json(patched)).toMatchObject({ authserv_ids: [] })
  const wrong = { kind: 'sendgrid', public_key: 'no key', authserv_ids: ['a b'] }
  const fields = (await json(await call('POST', '/providers', { ...acting, body: wrong }))).fields
  expect(fields).toMatchObject([{ path: 'public_key' }, { path: 'authserv_ids[0]' }])
})
