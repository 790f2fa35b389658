/** No stranger's thing is ever visible: every route there is, asked with no key, a wrong one, one that may not, and about what is another's. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { type Components, describeSchema, exampleOf } from '../../src/contract/json-schema.ts'
import { ACCOUNT_SCOPES, type RouteSpec } from '../../src/contract/route.ts'
import { routes } from '../../src/http/routes/all.ts'
import { call, operator } from '../support/api.ts'
import { makeWorld } from '../support/world.ts'

const specs = routes.map(({ spec }) => spec)
const nameOf = (spec: RouteSpec) => `${spec.method} ${spec.path}`
const isOpen = (spec: RouteSpec) => spec.scope === 'public' || spec.scope === 'link'
const isAccounts = (spec: RouteSpec) => !isOpen(spec) && spec.scope !== 'operator' && spec.scope !== 'inbound:write'

type Party = { id: string; key: string; domain: string }

async function json<T = Record<string, unknown>>(answer: Response): Promise<T> {
  const text = await answer.text()
  expect(answer.ok, text).toBe(true)
  return JSON.parse(text)
}

async function makeParty(domain: string): Promise<Party> {
  const made = await json<{ id: string; api_key: { token: string } }>(
    await call('POST', '/accounts', { key: operator, body: { name: domain } }),
  )
  const key = made.api_key.token
  await json(await call('POST', '/domains', { key, body: { name: domain } }))
  return { id: made.id, key, domain }
}

const MIME = [
  'From: You <you@y.test>',
  'Subject: Salom',
  'Message-ID: <1@y.test>',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  '',
  'hi',
  '--b',
  'Content-Type: text/plain; name=a.txt',
  'Content-Disposition: attachment; filename=a.txt',
  '',
  'attached',
  '--b--',
  '',
].join('\r\n')

async function published(make: (path: string, body: unknown) => Promise<string>): Promise<string> {
  const id = await make('/templates', { name: 'Own', html: 'Salom' })
  await make(`/templates/${id}/publish`, {})
  return id
}

/** Somebody leaves the list that a mail is for; answers his address. */
async function leaveList(mail: object, key: string): Promise<string> {
  const body = { ...mail, unsubscribe: true }
  const dry = new TextDecoder().decode(await (await call('POST', '/emails?dry_run=true', { key, body })).arrayBuffer())
  const [, path = ''] = /^List-Unsubscribe:\s+<https?:\/\/[^/]+(\/[^>]+)>/m.exec(dry) ?? []
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const left = await call('POST', path, { body: 'List-Unsubscribe=One-Click', headers })
  expect(left.status, await left.text()).toBe(200)
  return 'you@y.test'
}

/** Something of each kind, by the beginning of the paths that are about it. Params are by the names in the path. */
async function ownThings(owner: Party): Promise<Record<string, Record<string, string>>> {
  const { key, domain } = owner
  const make = async (path: string, body: unknown) => String((await json(await call('POST', path, { key, body }))).id)
  const first = async (path: string): Promise<Record<string, string>> => {
    const list = await json<{ data: Record<string, string>[] }>(await call('GET', path, { key }))
    return list.data[0] ?? expect.fail(`${path} is empty`)
  }
  const address = await make('/addresses', { address: `hello@${domain}` })
  const attachments = [{ filename: 'a.txt', content: 'YXR0YWNoZWQ=' }]
  const mail = { from: `hello@${domain}`, to: 'you@y.test', subject: 'Salom', text: 'hi', attachments }
  const sent = await make('/emails', mail)
  const arrived = await call('POST', `/inbound?from=you@y.test&to=hello@${domain}`, {
    key: operator,
    body: MIME,
    headers: { 'content-type': 'message/rfc822', 'content-length': String(MIME.length) },
  })
  const received = String((await json(arrived)).id)
  const webhook = await make('/webhooks', { endpoint: 'http://127.0.0.1:8999/hook', events: ['email.received'] })
  await tell(owner, webhook)
  const message = await json<{ thread_id?: string; thread?: string }>(
    await call('GET', `/messages/${received}`, { key }),
  )
  return {
    '/domains': { id: (await first('/domains')).id ?? '' },
    '/addresses': { id: address },
    '/forward-targets': { id: await make('/forward-targets', { email: 'home@z.test' }) },
    '/api-keys': { id: (await first('/api-keys')).id ?? '' },
    '/unsubscribes': { email: await leaveList(mail, key) },
    '/templates': { id: await published(make), version: '1' },
    '/relays': { id: await make('/relays', { host: 'localhost', port: 2525, security: 'none' }) },
    '/providers': { id: await make('/providers', { kind: 'ses' }) },
    '/emails': { id: sent, aid: (await first(`/emails/${sent}/attachments`)).id ?? '' },
    '/emails/receiving': { id: received, aid: (await first(`/emails/receiving/${received}/attachments`)).id ?? '' },
    '/messages': { id: received, part: (await first(`/messages/${received}/attachments`)).id ?? '' },
    '/messages/redeliveries': { id: await make('/messages/redeliver', {}) },
    '/drafts': { id: await make('/drafts', { subject: 'Own' }) },
    '/mailboxes': { id: await make('/mailboxes', { name: 'Own' }) },
    '/threads': { id: message.thread_id ?? message.thread ?? '' },
    '/rules': { id: await make('/rules', { name: 'Own', actions: [{ mark_read: true }] }) },
    '/rules/runs': { id: await make('/rules/run', {}) },
    '/suppressions': { id: await make('/suppressions', { email: 'gone@y.test' }) },
    '/webhooks': { id: webhook, event: (await first(`/webhooks/${webhook}/events`)).id ?? '' },
  }
}

/** One event that the endpoint was told, as the webhook stage would have written it. */
async function tell(owner: Party, webhook: string): Promise<void> {
  const { ctx } = await makeWorld()
  await ctx.stores.directory.run(
    sql`INSERT INTO dispatches (account, webhook, seq, status, type, attempts, tries, created_at)
      SELECT account, ${webhook}, MAX(seq), 'success', 'email.received', '[]', 1, 1 FROM events
      WHERE account = (SELECT number FROM accounts WHERE id = ${owner.id})`,
  )
}

/** The kinds above that a path is about, the nearest first. */
function thingsFor(spec: RouteSpec, things: Record<string, Record<string, string>>): Record<string, string> {
  const prefix = Object.keys(things)
    .filter((start) => spec.path === start || spec.path.startsWith(`${start}/`))
    .sort((a, b) => b.length - a.length)[0]
  const params = prefix === undefined ? {} : (things[prefix] ?? {})
  for (const [, name = ''] of spec.path.matchAll(/:(\w+)/g)) {
    if (params[name]) continue
    expect.fail(
      `${nameOf(spec)} has the parameter :${name}, and test/http/strangers.test.ts knows no thing for it. ` +
        `Make one in ownThings() under ${JSON.stringify(`/${spec.path.split('/')[1]}`)}.`,
    )
  }
  return params
}

/** The route asked as its own example has it, with these path parameters. */
function ask(spec: RouteSpec, params: Record<string, string>, more: { key?: string; account?: string } = {}) {
  const components: Components = {}
  const path = spec.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? 'x'))
  const example = (schema: typeof spec.body) =>
    schema && exampleOf(describeSchema(schema, 'input', components), components)
  const query = new URLSearchParams(
    Object.entries(example(spec.query) ?? {}).map(([name, value]) => [name, String(value)]),
  )
  const body = spec.rawBody ? MIME : example(spec.body)
  return call(spec.method, query.size > 0 ? `${path}?${query}` : path, { ...more, body })
}

async function refusalOf(answer: Response): Promise<string> {
  const body: { name?: string } = JSON.parse(await answer.text())
  return `${answer.status} ${body.name}`
}

const owner = await makeParty('owner.test')
const stranger = await makeParty('stranger.test')
const things = await ownThings(owner)

test('without a key nothing is answered but what is open to anybody', async () => {
  for (const spec of specs.filter((spec) => !isOpen(spec))) {
    expect(await refusalOf(await ask(spec, {})), nameOf(spec)).toBe('401 missing_api_key')
  }
})

test('with a key that is nobody’s everything is refused', async () => {
  for (const spec of specs.filter((spec) => !isOpen(spec))) {
    const answer = await ask(spec, {}, { key: 're_nobodys' })
    expect(await refusalOf(answer), nameOf(spec)).toBe('403 invalid_api_key')
  }
})

test('a key does what its scopes say and no more', async () => {
  const make = async (scope: string) => {
    const body = { name: scope, scopes: [scope] }
    return String((await json(await call('POST', '/api-keys', { key: stranger.key, body }))).token)
  }
  const keys = await Promise.all(ACCOUNT_SCOPES.map(async (scope) => ({ scope, key: await make(scope) })))
  const instance = await call('POST', '/api-keys', { key: operator, body: { name: 'i', permission: 'inbound:write' } })
  const every = [...keys, { scope: 'inbound:write', key: String((await json(instance)).token) }]
  for (const spec of specs.filter((spec) => !isOpen(spec))) {
    for (const { scope, key } of every.filter(({ scope }) => scope !== spec.scope)) {
      const answer = await ask(spec, {}, { key })
      expect(await refusalOf(answer), `${nameOf(spec)} with ${scope}`).toBe('401 restricted_api_key')
    }
  }
})

test('another account’s things are not found, by its own key or the operator acting for it', async () => {
  const about = specs.filter((spec) => isAccounts(spec) && spec.path.includes(':'))
  expect(about.length).toBeGreaterThan(20)
  for (const spec of about) {
    const params = thingsFor(spec, things)
    expect(await refusalOf(await ask(spec, params, { key: stranger.key })), nameOf(spec)).toBe('404 not_found')
    const acting = await ask(spec, params, { key: operator, account: stranger.id })
    expect(await refusalOf(acting), `${nameOf(spec)} by the operator`).toBe('404 not_found')
  }
})

test('and their owner still finds each of them', async () => {
  for (const spec of specs.filter((spec) => isAccounts(spec) && spec.method === 'GET' && spec.path.includes(':'))) {
    const answer = await ask(spec, thingsFor(spec, things), { key: owner.key })
    expect(answer.status, `${nameOf(spec)}: ${await answer.clone().text()}`).toBe(200)
  }
})

test('no list of one account shows a thing of another', async () => {
  // A number stands in any answer.
  const ids = Object.values(things).flatMap((params) => Object.values(params).filter((id) => !/^\d+$/.test(id)))
  for (const spec of specs.filter((spec) => isAccounts(spec) && spec.method === 'GET' && !spec.path.includes(':'))) {
    const answer = await ask(spec, {}, { key: stranger.key })
    const text = await answer.text()
    expect(answer.status, `${nameOf(spec)}: ${text}`).toBe(200)
    for (const id of [owner.id, owner.domain, ...ids]) expect(text, nameOf(spec)).not.toContain(id)
  }
})

test('a link that we did not sign leads nowhere', async () => {
  for (const spec of specs.filter((spec) => spec.scope === 'link')) {
    for (const id of [things['/messages']?.id ?? '', 'x', `${'a'.repeat(5000)}`]) {
      const params = Object.fromEntries([...spec.path.matchAll(/:(\w+)/g)].map(([, name = '']) => [name, id]))
      const answer = await ask(spec, params)
      expect(answer.status, `${nameOf(spec)} ${id.slice(0, 40)}`).toBeGreaterThanOrEqual(400)
      expect(answer.status, nameOf(spec)).toBeLessThan(500)
    }
  }
})

test('a route about a kind of thing that this test does not know fails it, and says what to add', () => {
  const unknown: RouteSpec = { method: 'GET', path: '/parcels/:id', tag: 'x', summary: 'x', scope: 'messages:read' }
  expect(() => thingsFor(unknown, things)).toThrow(/GET \/parcels\/:id .* Make one in ownThings\(\) under "\/parcels"/)
})
