import { expect, test } from 'vitest'
import { call, operator } from '../support/api.ts'
import { bring, json, makeMailer } from './mail.ts'

const mime = 'From: ann@far.test\r\nSubject: Hi\r\n\r\nHello.\r\n'

test('a message is listed, read, marked, moved and deleted over the API', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime)
  const list = await json(call('GET', '/messages?mailbox=inbox&limit=5', { key }))
  expect(list).toMatchObject({
    object: 'list',
    has_more: false,
    data: [{ object: 'message', id, direction: 'received', preview: 'Hello.', keywords: {}, address, tag: null }],
  })
  const plain = await json(call('GET', `/messages/${id}`, { key }))
  expect(plain).not.toHaveProperty('text')
  expect(await json(call('GET', `/messages/${id}?body=text,html`, { key }))).toMatchObject({
    ...plain,
    raw: expect.any(Object),
    text: expect.stringContaining('Hello.'),
    html: null,
  })
  const raw = await call('GET', `/messages/${id}/raw`, { key })
  expect(raw.headers.get('content-type')).toBe('message/rfc822')
  expect(new TextDecoder().decode(await raw.arrayBuffer())).toBe(mime)

  const patch = { key, body: { keywords: { $Seen: true }, mailbox: 'archive' } }
  expect(await json(call('PATCH', `/messages/${id}`, patch))).toMatchObject({ keywords: { $seen: true } })
  const { id: own } = await json(call('POST', '/mailboxes', { key, body: { name: 'Mine' } }))
  await json(call('PATCH', `/messages/${id}`, { key, body: { mailbox: own } }))
  expect(await json(call('GET', `/mailboxes/${own}`, { key }))).toMatchObject({ name: 'Mine', total: 1, unread: 0 })
  expect(await json(call('DELETE', `/messages/${id}`, { key }))).toEqual({ object: 'message', id, deleted: true })
  expect(await json(call('GET', '/mailboxes/trash', { key }))).toMatchObject({ total: 1 })
  expect(await json(call('GET', `/threads/${plain.thread}`, { key }))).toMatchObject({ messages: [{ id }] })
  await json(call('PATCH', `/mailboxes/${own}`, { key, body: { name: 'Renamed' } }))
  await json(call('DELETE', `/mailboxes/${own}`, { key }))
  await json(call('DELETE', `/messages/${id}?permanent=true`, { key }))
  expect((await call('GET', `/messages/${id}`, { key })).status).toBe(404)
  expect((await call('DELETE', `/messages/${id}`, { key })).status).toBe(404)
  expect(await json(call('GET', '/mailboxes', { key }))).toMatchObject({ has_more: false })
})

test('what is asked for wrongly is refused by the name of the field', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime)
  for (const [method, path, body, status, field] of [
    ['GET', '/messages?q=form:words', undefined, 422, 'q'],
    ['GET', '/messages?after=nonsense', undefined, 422, 'after'],
    ['GET', '/messages?limit=101', undefined, 422, 'limit'],
    ['GET', '/messages?direction=up', undefined, 422, 'direction'],
    ['GET', `/messages/${id}?body=pdf`, undefined, 422, 'body'],
    ['GET', '/emails/receiving/x?html_format=x', undefined, 422, 'html_format'],
    ['PATCH', `/messages/${id}`, { keywords: { 'a b': true } }, 422, 'keywords.a b'],
    ['PATCH', `/messages/${id}`, { mailbox: 'nowhere' }, 422, 'mailbox'],
    ['PATCH', `/messages/${id}`, { unknown: 1 }, 422, 'unknown'],
    ['POST', '/mailboxes', { name: ' ' }, 422, 'name'],
    ['POST', '/mailboxes', { name: 'Inbox' }, 422, 'name'],
    ['DELETE', `/messages/${id}?permanent=perhaps`, undefined, 422, 'permanent'],
  ] as const) {
    const answer = await call(method, path, { key, ...(body ? { body } : {}) })
    expect([path, answer.status]).toEqual([path, status])
    expect(await answer.json()).toMatchObject({ fields: [{ path: field }] })
  }
})

test('the same Idempotency-Key makes one mailbox', async () => {
  const { key } = await makeMailer()
  const options = { key, body: { name: 'Once' }, headers: { 'idempotency-key': 'k' } }
  const [one, two] = [await call('POST', '/mailboxes', options), await call('POST', '/mailboxes', options)]
  expect([one.status, two.status]).toEqual([201, 201])
  expect(await two.json()).toEqual(await one.json())
})

test('mail is found by its words over the API, and nobody else’s is', async () => {
  const [ours, theirs] = [await makeMailer(), await makeMailer()]
  const uzbek =
    'From: ann@far.test\r\nSubject: Xat\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBugun gʻalaba bayrami.\r\n'
  const id = await bring(ours.address, uzbek)
  await bring(theirs.address, uzbek)
  const search = (q: string, key: string) => call('GET', `/messages?q=${encodeURIComponent(q)}`, { key })
  expect(await json(search("g'alaba from:ann", ours.key))).toMatchObject({
    object: 'list',
    has_more: false,
    data: [{ object: 'message', id, snippet: { text: 'Bugun gʻalaba bayrami.', matches: [[6, 13]] } }],
  })
  const refused = await search('form:ann', ours.key)
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ name: 'invalid_parameter', fields: [{ path: 'q' }] })

  const body = { account: ours.account }
  expect(await json(call('POST', '/search/rebuild', { key: operator, body }))).toMatchObject({ started: true })
  expect((await call('POST', '/search/rebuild', { key: ours.key, body })).status).toBe(401)
})
