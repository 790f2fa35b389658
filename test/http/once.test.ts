/** Under fifty concurrent equal requests with one Idempotency-Key a thing is made once: every route that makes something, by the contract. */
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { type Components, describeSchema, exampleOf } from '../../src/contract/json-schema.ts'
import type { RouteSpec } from '../../src/contract/route.ts'
import { routes } from '../../src/http/routes/all.ts'
import { call, operator } from '../support/api.ts'
import { makeWorld } from '../support/world.ts'

const AT_ONCE = 50

const specs = routes.map(({ spec }): RouteSpec => spec).filter(({ creates }) => creates)
const nameOf = ({ method, path }: RouteSpec) => `${method} ${path}`

const DOMAIN = 'once.test'
const FROM = `me@${DOMAIN}`
const MAIL = { from: FROM, to: 'you@away.test', subject: 'Once', text: 'hi' }

const INVITATION = [
  'Content-Type: text/calendar; method=REQUEST',
  '',
  ...['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:x', 'METHOD:REQUEST'],
  ...['BEGIN:VEVENT', 'UID:once', 'DTSTAMP:20261123T120000Z', 'DTSTART:20261201T120000Z'],
  ...['ORGANIZER:mailto:you@away.test', `ATTENDEE:mailto:${FROM}`, 'END:VEVENT', 'END:VCALENDAR'],
]

let key: string
let arrived = 0

beforeAll(async () => {
  key = (await made('/accounts', { name: DOMAIN }, operator)).api_key.token
  await made('/domains', { name: DOMAIN })
  await made('/addresses', { address: FROM })
})

/** What a request needs that is not in the contract's own example; `round` is another one each time. */
type Needs = { params?: Record<string, string>; query?: Record<string, string>; body?: unknown }

const NEEDS: Record<string, (round: number) => Promise<Needs> | Needs> = {
  'POST /accounts': (round) => ({ body: { name: `Account ${round}` } }),
  'POST /domains': (round) => ({ body: { name: `more${round}.once.test` } }),
  'POST /addresses': (round) => ({ body: { address: `more${round}@${DOMAIN}` } }),
  'POST /relays': (round) => ({ body: { host: 'localhost', port: 2525 + round, security: 'none' } }),
  'POST /emails': () => ({ body: MAIL }),
  'POST /emails/batch': () => ({ body: [MAIL, MAIL] }),
  'POST /outbound': (round) => ({ query: { from: FROM, to: 'you@away.test' }, body: rawMail(round) }),
  'POST /messages/:id/reply': async () => ({ params: { id: await arrive(['', 'hi']) } }),
  'POST /messages/:id/reply-all': async () => ({ params: { id: await arrive(['', 'hi']) } }),
  'POST /messages/:id/forward': async () => ({ params: { id: await arrive(['', 'hi']) } }),
  'POST /messages/:id/copy': async () => ({ params: { id: await arrive(['', 'hi']) } }),
  'POST /messages/:id/answer-invitation': async () => ({ params: { id: await arrive(INVITATION) } }),
  'POST /drafts': () => ({ body: { ...MAIL, subject: 'A draft' } }),
  'POST /drafts/:id/send': async () => ({ params: { id: (await made('/drafts', MAIL)).id } }),
  'POST /templates/:id/duplicate': async (round) => ({
    params: { id: (await made('/templates', { name: `T${round}`, html: 'x' })).id },
  }),
  'POST /mailboxes': (round) => ({ body: { name: `Box ${round}` } }),
  'POST /suppressions': (round) => ({ body: { email: `gone${round}@away.test` } }),
  'POST /suppressions/batch/add': (round) => ({ body: { emails: [`a${round}@gone.test`, `b${round}@gone.test`] } }),
  'POST /suppressions/batch/remove': async (round) => {
    const emails = [`c${round}@gone.test`]
    await made('/suppressions/batch/add', { emails })
    return { body: { emails } }
  },
  'POST /webhooks': () => ({ body: { endpoint: 'http://127.0.0.1:8999/hook', events: ['email.bounced'] } }),
  'POST /webhooks/:id/signing-secret/rotate': async () => ({ params: { id: await anyWebhook() } }),
}

test.each(specs.map((spec) => [nameOf(spec), spec] as const))('%s', async (name, spec) => {
  const alone = await change(spec, await requestOf(spec, 1), 'alone', 1)
  const together = await change(spec, await requestOf(spec, 2), 'together', AT_ONCE)
  expect(alone.answers, name).toHaveLength(1)
  expect(new Set(together.answers).size, name).toBe(1)
  expect(together.rows, name).toEqual(alone.rows)
})

type Request = { path: string; body: unknown; key: string; headers: Record<string, string> }

async function requestOf(spec: RouteSpec, round: number): Promise<Request> {
  const { params = {}, query = {}, body } = (await NEEDS[nameOf(spec)]?.(round)) ?? {}
  const components: Components = {}
  const example = () => spec.body && exampleOf(describeSchema(spec.body, 'input', components), components)
  const path = spec.path.replace(/:(\w+)/g, (_, param: string) => params[param] ?? expect.fail(`no ${param} is known`))
  return {
    path: `${path}?${new URLSearchParams(query)}`,
    body: body ?? example(),
    key: spec.scope === 'operator' ? operator : key,
    headers: spec.rawBody ? { 'content-type': 'message/rfc822' } : {},
  }
}

/** Makes equal requests at once; the answers that say it is made, and how many rows there are more in each table. */
async function change(spec: RouteSpec, { path, ...request }: Request, idempotencyKey: string, times: number) {
  const headers = { ...request.headers, 'idempotency-key': idempotencyKey }
  const before = await countRows()
  const answers = await Promise.all(
    Array.from({ length: times }, async () => {
      const answer = await call(spec.method, path, { ...request, headers })
      return { status: answer.status, text: await answer.text() }
    }),
  )
  const refused = answers.filter(({ status }) => status >= 300)
  expect(refused.filter(({ text }) => JSON.parse(text).name !== 'concurrent_idempotent_requests')).toEqual([])
  const after = await countRows()
  const rows = Object.entries(after).map(([table, count]) => [table, count - (before[table] ?? 0)] as const)
  return {
    answers: answers.filter(({ status }) => status < 300).map(({ text }) => text),
    rows: rows.filter(([, more]) => more !== 0),
  }
}

/** Of every table that requests write to; what is done in the background comes and goes. */
async function countRows(): Promise<Record<string, number>> {
  const { directory } = (await makeWorld()).ctx.stores
  const tables = await directory.all<{ name: string }>(
    sql`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'
      AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'd1%' AND name NOT IN ('tasks', 'dispatches')`,
  )
  const counts: Record<string, number> = {}
  for (const { name } of tables) {
    // What became of a mail is told by the relay, whenever it comes to it.
    const only = name === 'events' ? sql` WHERE type NOT LIKE 'email.%'` : sql``
    const [row] = await directory.all<{ rows: number }>(
      sql`SELECT COUNT(*) AS rows FROM ${sql.identifier(name)}${only}`,
    )
    counts[name] = row?.rows ?? 0
  }
  return counts
}

/** What an answer holds is for the test to say. */
type Json = ReturnType<typeof JSON.parse>

async function made(path: string, body: unknown, by = key): Promise<Json> {
  const answer = await call('POST', path, { key: by, body })
  const text = await answer.text()
  expect(answer.ok, text).toBe(true)
  return JSON.parse(text)
}

async function anyWebhook(): Promise<string> {
  const body = { endpoint: 'http://127.0.0.1:8999/other', events: ['email.bounced'] }
  return (await made('/webhooks', body)).id
}

async function arrive(rest: string[]): Promise<string> {
  const raw = [
    'From: You <you@away.test>',
    `To: ${FROM}`,
    `Subject: Mail ${++arrived}`,
    'MIME-Version: 1.0',
    ...rest,
    '',
  ].join('\r\n')
  const headers = { 'content-type': 'message/rfc822', 'content-length': String(raw.length) }
  const answer = await call('POST', `/inbound?from=you@away.test&to=${FROM}`, { key: operator, body: raw, headers })
  const text = await answer.text()
  expect(answer.ok, text).toBe(true)
  return JSON.parse(text).id
}

function rawMail(round: number): string {
  return [`From: ${FROM}`, 'To: you@away.test', `Subject: Once ${round}`, '', 'hi', ''].join('\r\n')
}
