/** Mailboxes by the API: what is done to many messages, drafts, threads, and mail as a file. */
import { expect, test } from 'vitest'
import { call, operator } from '../../support/api.ts'

type Json = Record<string, unknown> & { id: string; data: Record<string, unknown>[] }

let made = 0

async function makeOwner() {
  const name = `box${made++}.test`
  const account = await json('POST', '/accounts', operator, { name })
  const key = String(Reflect.get(Object(account.api_key), 'token'))
  await json('POST', '/domains', key, { name })
  await json('POST', '/addresses', key, { address: `hello@${name}` })
  return { key, account: account.id, address: `hello@${name}` }
}

async function json(method: string, path: string, key: string, body?: unknown): Promise<Json> {
  const answer = await call(method, path, { key, ...(body === undefined ? {} : { body }) })
  const text = await answer.text()
  expect(answer.ok, `${method} ${path}: ${text}`).toBe(true)
  return JSON.parse(text)
}

const textOf = async (answer: Response) => new TextDecoder().decode(await answer.arrayBuffer())

const MAIL = (n: number) =>
  `Message-ID: <${n}@far.test>\r\nFrom: Ann <ann@far.test>\r\nSubject: m${n}\r\n\r\nFrom ${n}\r\n`

async function bringIn(owner: { address: string }, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const headers = { 'content-type': 'message/rfc822', 'content-length': String(MAIL(n).length) }
    const path = `/inbound?from=ann@far.test&to=${owner.address}`
    expect((await call('POST', path, { key: operator, body: MAIL(n), headers })).status).toBe(200)
  }
}

test('many messages are changed by one request, and the counts of the mailboxes follow', async () => {
  const owner = await makeOwner()
  await bringIn(owner, 3)
  const ids = (await json('GET', '/messages', owner.key)).data.map(({ id }) => String(id))
  const answer = await json('POST', '/messages/batch', owner.key, {
    ids,
    keywords: { $seen: true },
    mailbox: 'archive',
  })
  expect(answer.data.map(({ status }) => status)).toEqual(['done', 'done', 'done'])
  expect(await json('GET', '/mailboxes/archive', owner.key)).toMatchObject({ total: 3, unread: 0 })
  expect(await json('GET', '/mailboxes/inbox', owner.key)).toMatchObject({ total: 0, unread: 0 })
  const copy = await json('POST', `/messages/${ids[0]}/copy`, owner.key, { mailbox: 'inbox' })
  expect(copy).toMatchObject({ object: 'message', subject: 'm2' })
  expect((await json('GET', '/threads?mailbox=inbox', owner.key)).data).toMatchObject([{ messages: 2, unread: 0 }])
  const gone = await json('POST', '/messages/batch', owner.key, {
    filter: { mailbox: 'archive' },
    delete: true,
    permanent: true,
  })
  expect(gone.data).toHaveLength(3)
  expect(await json('GET', '/accounts/me', owner.key)).toMatchObject({
    usage: { messages: 1, storage_bytes: copy.size },
  })
})

test('a request that says two things, or nothing, is refused by the field at fault', async () => {
  const { key } = await makeOwner()
  const bodies = [
    {},
    { ids: ['a'] },
    { ids: [], delete: true },
    { ids: ['a'], filter: { mailbox: 'inbox' }, delete: true },
    { filter: {}, delete: true },
    { ids: ['a'], delete: true, mailbox: 'inbox' },
    { ids: ['a'], mailbox: 'inbox', permanent: true },
    { ids: Array.from({ length: 101 }, (_, n) => `${n}`), copy_to: 'inbox' },
    { ids: Array.from({ length: 1001 }, (_, n) => `${n}`), delete: true },
  ]
  for (const body of bodies) {
    const answer = await call('POST', '/messages/batch', { key, body })
    const { fields } = await answer.json<{ fields: unknown[] }>()
    expect(answer.status, JSON.stringify(body).slice(0, 80)).toBe(422)
    expect(fields.length).toBeGreaterThan(0)
  }
})

test('a draft is written, changed, and sent once, whoever asks however often', async () => {
  const owner = await makeOwner()
  const draft = await json('POST', '/drafts', owner.key, { subject: 'Hello' })
  const path = `/drafts/${draft.id}`
  await json('PATCH', path, owner.key, { from: owner.address, to: 'delivered@resend.dev', text: 'Hi' })
  const stale = await call('PATCH', path, { key: owner.key, body: { text: 'x', modseq: draft.modseq } })
  expect([stale.status, (await stale.json<{ name: string }>()).name]).toEqual([409, 'conflict'])
  expect((await json('GET', '/drafts', owner.key)).data).toHaveLength(1)
  expect((await json('GET', '/emails', owner.key)).data).toEqual([])
  expect((await call('GET', `/emails/${draft.id}`, { key: owner.key })).status).toBe(404)
  const sent = await Promise.all([1, 2, 3].map(() => json('POST', `${path}/send`, owner.key)))
  expect(sent).toEqual(sent.map(() => ({ id: draft.id })))
  expect((await json('GET', '/drafts', owner.key)).data).toEqual([])
  expect((await json('GET', '/emails', owner.key)).data).toMatchObject([{ id: draft.id, subject: 'Hello' }])
  const other = await json('POST', '/drafts', owner.key, {})
  const refused = await call('POST', `/drafts/${other.id}/send`, { key: owner.key })
  expect(refused.status).toBe(422)
  expect(await json('DELETE', `/drafts/${other.id}`, owner.key)).toEqual({
    object: 'draft',
    id: other.id,
    deleted: true,
  })
})

test('a mailbox goes out as a file, in parts if need be, and comes into another account as it was', async () => {
  const [ann, bob] = [await makeOwner(), await makeOwner()]
  await bringIn(ann, 3)
  const first = await call('GET', '/mailboxes/inbox/export?limit=2', { key: ann.key })
  expect(first.headers.get('content-type')).toBe('application/mbox')
  expect(first.headers.get('content-disposition')).toContain('Inbox.mbox')
  const next = first.headers.get('x-next-after')
  const second = await call('GET', `/mailboxes/inbox/export?limit=2&after=${next}`, { key: ann.key })
  expect(second.headers.get('x-next-after')).toBeNull()
  const file = (await textOf(first)) + (await textOf(second))
  const whole = await textOf(await call('GET', '/accounts/me/export', { key: ann.key }))
  expect(whole).toBe(file)
  const headers = { 'content-type': 'application/mbox' }
  const bring = async (path: string) => (await call('POST', path, { key: bob.key, body: file, headers })).json()
  expect(await bring('/mailboxes/archive/import')).toMatchObject({ imported: 3, duplicates: 0, refused: [] })
  expect(await bring('/mailboxes/archive/import')).toMatchObject({ imported: 0, duplicates: 3 })
  expect(await json('GET', '/mailboxes/archive', bob.key)).toMatchObject({ total: 3, unread: 3 })
  const wrong = await call('POST', '/mailboxes/archive/import', { key: bob.key, body: MAIL(9), headers })
  expect(wrong.status).toBe(400)
})

test('how long mail is kept is set by the operator and shown to the account', async () => {
  const owner = await makeOwner()
  const kept = { trash_days: 30, junk_days: 30, received_days: null, sent_days: null }
  expect(await json('GET', '/accounts/me', owner.key)).toMatchObject({ retention: kept })
  const changed = await json('PATCH', `/accounts/${owner.account}`, operator, {
    retention: { trash_days: 7, junk_days: null },
  })
  expect(changed).toMatchObject({ retention: { ...kept, trash_days: 7, junk_days: null } })
  const wrong = await call('PATCH', `/accounts/${owner.account}`, {
    key: operator,
    body: { retention: { trash_days: 0 } },
  })
  expect(wrong.status).toBe(422)
})
