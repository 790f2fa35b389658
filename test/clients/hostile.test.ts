/** What a stranger with a key may send: bodies out of the contract, each made wrong or hostile in one place. Nothing of it is a bug of ours. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Components, describeSchema, exampleOf } from '../../src/contract/json-schema.ts'
import type { RouteSpec } from '../../src/contract/route.ts'
import { makeTenant, OPERATOR, type Service, startService, type Tenant } from '../flow/service.ts'
import { expectManners, expectRefused } from './refused.ts'
import { specs } from './specs.ts'

let service: Service
let tenant: Tenant
/** Something of the tenant's own for each path with an id. */
let own: Record<string, string>

beforeAll(async () => {
  service = await startService()
  tenant = await makeTenant(service, 'hostile.test')
  own = await ownThings()
})

afterAll(() => service.close())

const mail = (more: object = {}) => ({ from: tenant.address, to: 'a@away.test', subject: 's', text: 't', ...more })

async function ownThings(): Promise<Record<string, string>> {
  const make = async (path: string, body: object) => {
    const { body: made, status } = await service.call('POST', path, { key: tenant.key, body })
    expect(status, `${path} ${JSON.stringify(made)}`).toBeLessThan(300)
    return String(made.id)
  }
  const came = await service.call('POST', `/inbound?from=a@b.test&to=${tenant.address}`, {
    key: OPERATOR,
    body: 'From: a@b.test\r\nSubject: Salom\r\n\r\nText.\r\n',
    headers: { 'content-type': 'message/rfc822' },
  })
  const account = await service.call('POST', '/accounts', { key: OPERATOR, body: { name: 'other' } })
  return {
    '/accounts/:id': account.body.id,
    '/domains/:id': await make('/domains', { name: 'own.hostile.test' }),
    '/addresses/:id': await make('/addresses', { address: `own@${tenant.domain}` }),
    '/api-keys/:id': await make('/api-keys', { name: 'own' }),
    '/relays/:id': await make('/relays', { host: '127.0.0.1', port: 2525, security: 'none' }),
    '/mailboxes/:id': await make('/mailboxes', { name: 'Own' }),
    '/webhooks/:id': await make('/webhooks', { endpoint: 'http://127.0.0.1:8999/hook', events: ['email.bounced'] }),
    '/emails/:id': await make('/emails', mail({ scheduled_at: 'in 1 day' })),
    '/messages/:id': came.body.id,
    '/rules/:id': await make('/rules', { name: 'Own', actions: [{ mark_read: true }] }),
  }
}

const nameOf = (spec: RouteSpec) => `${spec.method} ${spec.path}`

/** Every route that takes a body and is served. */
async function takingBodies(): Promise<RouteSpec[]> {
  const { paths } = (await service.call('GET', '/openapi.json')).body
  const isServed = ({ method, path }: RouteSpec) => paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  return specs.filter((spec) => spec.body && isServed(spec) && !LEFT_OUT.includes(nameOf(spec)))
}

/** Whether there is something of the tenant's own behind the path. */
function reaches({ path }: RouteSpec): boolean {
  return !path.includes(':') || own[/^[^:]*:\w+/.exec(path)?.[0] ?? ''] !== undefined
}

function ask(spec: RouteSpec, body: unknown) {
  const path = spec.path
    .replace(/:\w+/, () => own[/^[^:]*:\w+/.exec(spec.path)?.[0] ?? ''] ?? 'none')
    .replace(/:\w+/, 'none')
  const key = spec.scope === 'operator' ? OPERATOR : tenant.key
  return service.call(spec.method, path, { key, body: JSON.stringify(body) })
}

/** What stands in the place of a value: of other types, too long, and made to break out of a line, a statement or a path. */
const HOSTILE: unknown[] = [
  null,
  7,
  1e308,
  true,
  '',
  [],
  {},
  [null],
  'x\r\nBcc: victim@away.test',
  'x\nX: y',
  'x\rX: y',
  'x\0y',
  '\ud800',
  '\u2028\u202e',
  "'; DROP TABLE messages; --",
  'x'.repeat(100_000),
  '@',
  'a@b.test\r\nRCPT TO:<victim@away.test>',
]

/** A body that is taken, and each variant of it with one value changed. */
function variantsOf(spec: RouteSpec): { body: unknown; where: string; value: unknown }[] {
  const taken = takenBy(nameOf(spec)) ?? exampleFor(spec)
  const variants = placesOf(taken).flatMap((place) =>
    HOSTILE.map((value) => ({ body: replaced(taken, place, value), where: place.join('.'), value })),
  )
  return [{ body: taken, where: '', value: undefined }, ...variants]
}

/** What would take the tenant itself away, or needs a mail that nobody sent. */
const LEFT_OUT = ['POST /accounts/:id/move', 'POST /messages/:id/answer-invitation']

/** Those of the bodies that name what was made first. */
function takenBy(name: string): unknown {
  const message = own['/messages/:id']
  const naming: Record<string, unknown> = {
    'POST /search/rebuild': { account: own['/accounts/:id'] },
    'POST /messages/batch': { ids: [message], keywords: { $flagged: true } },
    'POST /rules/test': { message_id: message, rule: { conditions: [], actions: [{ mark_read: true }] } },
  }
  return naming[name] ?? TAKEN[name]
}

/** Bodies with more in them than the examples of the contract, in the tenant's own words. */
const TAKEN: Record<string, unknown> = {
  'POST /emails': fullMail(),
  'POST /emails/batch': [{ ...fullMail(), scheduled_at: 'in 1 day' }],
  'PATCH /messages/:id': { keywords: { $seen: true }, mailbox: 'archive' },
  'PATCH /mailboxes/:id': { name: 'Renamed' },
  'POST /accounts': { name: 'Made', quota: { storage_bytes: 1000, sends_per_day: 1, addresses: 1 } },
  'PATCH /accounts/:id': { name: 'Renamed', quota: { storage_bytes: 1000, sends_per_day: 1, addresses: 1 } },
  'POST /addresses': { address: '*@hostile.test', name: 'All', forward_to: ['a@away.test'], expires_at: null },
  'PATCH /addresses/:id': { name: 'Own', forward_to: ['a@away.test'], expires_at: '2036-11-23T12:00:00.000Z' },
  'POST /suppressions/batch/remove': { emails: ['a@gone.test'] },
  'POST /forward-targets': { email: 'me@home.test', from: 'hello@hostile.test' },
  'POST /relays': { name: 'Made', host: '127.0.0.1', port: 2526, security: 'none', enabled: false },
  'PATCH /relays/:id': { name: 'Own', host: '127.0.0.1', port: 2526, security: 'none', verp: false },
}

function fullMail() {
  return {
    from: 'Me <hello@hostile.test>',
    to: ['Ann <ann@away.test>'],
    subject: 's',
    cc: 'cid@away.test',
    bcc: ['dan@away.test'],
    reply_to: 'answers@away.test',
    html: '<p>h</p>',
    text: 't',
    headers: { 'X-Entity-Ref-ID': '7' },
    tags: [{ name: 'kind', value: 'test' }],
    attachments: [{ content: 'aGk=', filename: 'a.txt', content_type: 'text/plain', content_id: 'a' }],
  }
}

function exampleFor(spec: RouteSpec): unknown {
  const components: Components = {}
  return spec.body && exampleOf(describeSchema(spec.body, 'input', components), components)
}

type Place = readonly (string | number)[]

function placesOf(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [
    at,
    ...Object.entries(value).flatMap(([name, inner]) =>
      placesOf(inner, [...at, Array.isArray(value) ? Number(name) : name]),
    ),
  ]
}

function replaced(value: unknown, [step, ...rest]: Place, by: unknown): unknown {
  if (step === undefined) return by
  if (Array.isArray(value)) return value.map((item, at) => (at === step ? replaced(item, rest, by) : item))
  const members: Record<string, unknown> = { ...(typeof value === 'object' ? value : {}) }
  return { ...members, [step]: replaced(members[step], rest, by) }
}

test('no body, however hostile in one place, is a bug of ours or gets further than it may', async () => {
  const lineBreaks = new Map<string, Set<string>>()
  const mails: string[] = []
  for (const spec of await takingBodies()) {
    const name = nameOf(spec)
    const attempt = async ({ body, where: place, value }: ReturnType<typeof variantsOf>[number]) => {
      const { status, body: answer, headers } = await ask(spec, body)
      const where = `${name} ${JSON.stringify(body)?.slice(0, 600)} ${JSON.stringify(answer)}`
      expect(status, where).toBeLessThan(500)
      if (value === undefined && reaches(spec)) expect(status, `TAKEN needs another body: ${where}`).toBeLessThan(300)
      expectManners(headers, where)
      if (status >= 400) {
        expect(answer, where).toMatchObject({
          statusCode: status,
          name: expect.any(String),
          message: expect.any(String),
        })
        return
      }
      if (/^\/emails$|\/(reply|reply-all|forward)$/.test(spec.path)) mails.push(answer.id)
      if (spec.path === '/emails/batch') mails.push(...answer.data.map(({ id }: { id: string }) => id))
      if (typeof value === 'string' && /[\r\n\0]/.test(value)) {
        lineBreaks.set(name, (lineBreaks.get(name) ?? new Set()).add(place))
      }
    }
    const [taken, ...changed] = variantsOf(spec)
    if (taken) await attempt(taken)
    await inTurns(
      changed.map((variant) => () => attempt(variant)),
      spec.method === 'PATCH' ? 1 : 8,
    )
  }
  const places = [...lineBreaks].flatMap(([name, taken]) => [...taken].map((place) => `${name} ${place}`))
  expect(places).toContain('POST /emails text')
  // A body of a mail has lines, and what is looked for in one; an id that is none changes nothing.
  const mayBreak =
    /[ .](html|text)$|^POST \/rules(\/test)? (rule\.)?conditions\.\d+\.value|^POST \/messages\/batch ids\.0$/
  expect(places.filter((place) => !mayBreak.test(place))).toEqual([])
  await nothingElseWentOut(mails)
}, 120_000)

const QUESTION = /^May .* forward mail to you\?$/

/** What was refused left no mail behind, and what was taken goes to nobody who was not named. */
async function nothingElseWentOut(mails: string[]): Promise<void> {
  const listed: string[] = []
  for (let page = ''; ; page = `&after=${listed.at(-1)}`) {
    const { body } = await service.call('GET', `/emails?limit=100${page}`, { key: tenant.key })
    // Who is to be forwarded to is asked by mail.
    for (const { id, subject } of body.data) if (!QUESTION.test(subject)) listed.push(id)
    if (!body.has_more) break
  }
  expect(listed.sort()).toEqual([...mails, own['/emails/:id']].sort())
  for (const id of mails) {
    const { body } = await service.call('GET', `/emails/${id}`, { key: tenant.key })
    expect(body.recipients.map(({ address }: { address: string }) => address).join(), id).not.toContain('victim')
  }
}

async function inTurns(work: (() => Promise<void>)[], width: number): Promise<void> {
  const left = [...work]
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let job = left.pop(); job; job = left.pop()) await job()
    }),
  )
}

test('nothing named __proto__ is left out in silence', async () => {
  const body = JSON.stringify(mail()).replace('{', '{"headers":{"X-A":"1","\\u005f_proto__":"x"},')
  await expectRefused(
    service,
    'POST',
    '/emails',
    { key: tenant.key, body },
    { status: 422, name: 'validation_error', fields: ['__proto__'] },
  )
})

test('bodies made to exhaust: a million faults, a million members, a hundred thousand levels', async () => {
  const { key } = tenant
  const many = (item: string) => `[${Array(300_000).fill(item).join()}]`
  const members = `{${Array.from({ length: 300_000 }, (_, at) => `"x${at}":1`).join()}}`
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  const put = (name: string, value: string) => JSON.stringify(mail()).replace('{', `{"${name}":${value},`)
  const bodies = [
    put('cc', many('7')),
    put('bcc', many('{}')),
    put('headers', members),
    put('tags', many('{"a":1}')),
    put('tags', deep),
    put('attachments', `[{"content":${many('256')}}]`),
    put('attachments', `[{"content":{"type":"Buffer","data":${many('-1')}}}]`),
    members,
    many('1'),
    deep,
  ]
  for (const body of bodies)
    await expectRefused(service, 'POST', '/emails', { key, body }, { status: 400, name: 'validation_error' })
  const faulty = await expectRefused(
    service,
    'POST',
    '/emails',
    { key, body: mail({ tags: Array(75).fill({ a: 1 }) }) },
    { status: 422, name: 'missing_required_field' },
  )
  expect(faulty.fields).toHaveLength(100)
  const bytes = put('attachments', `[{"filename":"a","content":${`[${Array(90_000).fill(7).join()}]`}}]`)
  expect((await service.call('POST', '/emails', { key, body: bytes })).status).toBe(200)
})
