/** Each pinned version of Resend's client, unmodified, through every method that it declares; what came of it is METHODS.md. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROBLEM_CODES, Problem } from '../../../src/base/problem.ts'
import { nameOf, renderBug, renderProblem } from '../../../src/http/problem.ts'
import { makeTenant, type Service, startReceiver, startService, type Tenant, until } from '../../flow/service.ts'
import { judge, methodsOf } from '../declared.ts'
import { type Between, startProxy } from '../proxy.ts'
import { OPTIONAL } from '../served.ts'
import { makeWitness, type Witness } from '../witness.ts'
import { type Client, callMethod, loadClient, PACKAGES, PINNED, versionOf } from './clients.ts'
import { type Outcome, shorten, tableOf } from './page.ts'
import { asShown, incoming, tour } from './tour.ts'

type Version = {
  name: string
  client: Client
  slashed: Client
  methods: string[]
  tenant: Tenant
  witness: Witness
  outcomes: Map<string, Outcome>
}

let service: Service
let proxy: Between
let receiver: Awaited<ReturnType<typeof startReceiver>>
const versions = new Map<string, Version>()

beforeAll(async () => {
  proxy = await startProxy()
  receiver = await startReceiver()
  service = await startService({ vars: { PUBLIC_URL: proxy.url, MAX_ATTACHMENT_BYTES: '100000' } })
  proxy.target = service.url
  for (const name of PACKAGES) versions.set(name, await makeVersion(name))
}, 120_000)

afterAll(async () => {
  await service.close()
  await proxy.close()
  await receiver.close()
})

async function makeVersion(name: string): Promise<Version> {
  const folder = join(PINNED, name)
  const tenant = await makeTenant(service, `${name}.test`)
  const client = new (await loadClient(name, proxy.url))(tenant.key)
  const slashed = new (await loadClient(name, `${proxy.url}/`))(tenant.key)
  const methods = await methodsOf(folder)
  return { name, client, slashed, methods, tenant, witness: makeWitness(proxy, folder), outcomes: new Map() }
}

function version(name: string): Version {
  return versions.get(name) ?? expect.fail(`${name} was not made ready`)
}

test('the newest of the pinned versions is the one that all other tests use', () => {
  const used = JSON.parse(readFileSync(join(import.meta.dirname, '../../../node_modules/resend/package.json'), 'utf8'))
  expect(versionOf('resend-6')).toBe(used.version)
})

describe.each(PACKAGES)('%s', (name) => {
  test('every method of what is served answers, as its own declarations and our contract say', async () => {
    const { client, tenant, methods, witness, outcomes } = version(name)
    const visit = async (method: string, ...args: unknown[]) => {
      if (!methods.includes(method)) return undefined
      return asShown(await witness.ask(method, () => callMethod(client, method, args)))
    }
    await tour({
      tenant,
      visit,
      hook: receiver.url,
      receive: async (subject) =>
        void (await service.email('ann@away.test', tenant.address, incoming(tenant.address, subject))),
      wait: (call, holds) =>
        until(async () => {
          const shown = await call()
          return shown === undefined || holds(shown)
        }, 'what was asked for').then(() => undefined),
    })
    const found = await judge(witness.seen, join(PINNED, name))
    for (const [at, { method }] of witness.seen.entries()) {
      const how = found[at] ?? ''
      if (how !== '' || !outcomes.has(method)) outcomes.set(method, how === '' ? 'works' : shorten(how))
    }
    const broken = (await witness.faults(witness.seen)).filter((fault, at) => fault && found[at] === undefined)
    expect(broken).toEqual([])
  })

  test('a base URL that ends in a slash is as good', async () => {
    const { slashed, tenant } = version(name)
    const mail = { from: tenant.address, to: 'a@away.test', subject: 's', text: 't' }
    for (const [method, ...args] of [['emails.send', mail], ['domains.list'], ['apiKeys.create', { name: 'x' }]]) {
      expect((await callMethod(slashed, String(method), args)).error, String(method)).toBeNull()
    }
    expect(proxy.exchanges.at(-1)?.path).toBe('//api-keys')
  })

  test('all that is not served is refused in words, not by a page or an empty answer', async () => {
    const { client, methods, outcomes } = version(name)
    for (const method of methods.filter((each) => !outcomes.has(each))) {
      const before = proxy.exchanges.length
      const { error, data } = await callMethod(client, method, method === 'emails.metrics' ? [] : [ANYTHING, ANYTHING])
      const [asked] = proxy.exchanges.slice(before)
      if (!asked) expect.fail(`${name}: ${method} asked for nothing: ${JSON.stringify(error)}`)
      if (data === null) {
        expect(error, method).toMatchObject({ name: expect.stringMatching(/^(not_found|method_not_allowed)$/) })
        outcomes.set(method, `not served: ${asked.status} ${error?.name}`)
      } else {
        const [how] = await judge([{ method, answer: data }], join(PINNED, name))
        outcomes.set(method, how === undefined ? 'works' : shorten(how))
      }
    }
    expect([...outcomes.keys()].sort()).toEqual(methods)
  })

  test('every error comes through with its name and its message', async () => {
    const { client } = version(name)
    for (const code of PROBLEM_CODES) {
      const refusal = renderProblem(new Problem(code, `This is ${code}.`, { fix: 'Do so.' }), 'request-1')
      proxy.instead = { status: refusal.status, answer: await refusal.text() }
      const { error } = await callMethod(client, 'emails.send', [{}])
      expect(error).toMatchObject({ name: nameOf(code), statusCode: refusal.status, message: `This is ${code}.` })
    }
    proxy.instead = { status: 500, answer: await renderBug('request-1').text() }
    expect((await callMethod(client, 'emails.send', [{}])).error).toMatchObject({ name: 'application_error' })
    proxy.instead = undefined
  })

  test('what a client can be refused for, it is refused for by the Worker itself', async () => {
    const { client, tenant } = version(name)
    const mail = { from: tenant.address, to: 'a@away.test', subject: 's', text: 't' }
    const attach = (content: string) => ({ ...mail, attachments: [{ filename: 'a', content }] })
    const made = await callMethod(client, 'apiKeys.create', [{ name: 'sends', permission: 'sending_access' }])
    const Resend = await loadClient(name, proxy.url)
    const keyed = { idempotencyKey: 'once' }
    expect((await callMethod(client, 'emails.send', [mail, keyed])).error).toBeNull()
    const refusals: [client: Client, method: string, args: unknown[], status: number, name: string][] = [
      [new Resend('re_nobodys'), 'domains.list', [], 403, 'invalid_api_key'],
      [new Resend(tokenOf(made.data)), 'domains.list', [], 401, 'restricted_api_key'],
      [client, 'emails.get', ['0191e1c7-7c4a-7e10-8f3a-5b0c6d7e8f90'], 404, 'not_found'],
      [client, 'emails.send', [mail, { idempotencyKey: 'x'.repeat(257) }], 400, 'invalid_idempotency_key'],
      [client, 'emails.send', [{ ...mail, subject: 'other' }, keyed], 409, 'invalid_idempotent_request'],
      [client, 'emails.send', [{ ...mail, subject: undefined }], 422, 'missing_required_field'],
      [client, 'emails.send', [{ ...mail, from: 'no' }], 422, 'invalid_from_address'],
      [client, 'emails.send', [{ ...mail, from: 'me@stranger.test' }], 403, 'validation_error'],
      [client, 'emails.send', [{ ...mail, to: 'no' }], 422, 'validation_error'],
      [client, 'emails.send', [attach('!')], 422, 'invalid_attachment'],
      [client, 'emails.send', [attach('A'.repeat(140_000))], 413, 'payload_too_large'],
      [client, 'domains.create', [{ name: tenant.domain }], 422, 'validation_error'],
    ]
    for (const [whose, method, args, statusCode, code] of refusals) {
      expect((await callMethod(whose, method, args)).error, `${method} ${code}`).toMatchObject({
        statusCode,
        name: code,
      })
    }
  })

  // Of the newest, resend.test.ts says this, of answers with more in them.
  test.runIf(name !== PACKAGES.at(-1))(
    'with one field of one answer dropped or of another type, that is noticed',
    async () => {
      const { witness, outcomes } = version(name)
      const mutants = (await witness.mutants()).filter(({ method }) => outcomes.get(method) === 'works')
      const found = await witness.faults(mutants)
      const unseen = mutants.flatMap(({ what }, at) => (found[at] ? [] : [what]))
      expect(unseen.filter((what) => !OPTIONAL.includes(what))).toEqual([])
      expect(mutants.length - unseen.length).toBeGreaterThan(60)
    },
  )
})

test('METHODS.md says what came of it', async () => {
  const columns = [...versions.values()].map(({ name, methods, outcomes }) => ({
    title: `resend ${versionOf(name)}`,
    outcomes: new Map(
      methods.map((method) => [method, outcomes.get(method) ?? expect.fail(`${method} was not tried`)]),
    ),
  }))
  await expect(tableOf('method', columns)).toMatchFileSnapshot('../METHODS.md')
})

/** Fits every parameter that a method of what is not served may have: an id, and an object that has an id of whatever is asked for. */
const ID = '0191e1c7-7c4a-7e10-8f3a-5b0c6d7e8f90'
const OF = [
  '',
  'inbox',
  'draft',
  'thread',
  'label',
  'email',
  'contact',
  'segment',
  'topic',
  'automation',
  'run',
  'broadcast',
]
const IDS = Object.fromEntries(OF.map((of) => [of === '' ? 'id' : `${of}Id`, ID]))
const ANYTHING = Object.assign(Object(ID), IDS, {
  email: 'a@away.test',
  name: 'x',
  steps: [],
  connections: [],
  file: 'x',
})

function tokenOf(made: unknown): string {
  return typeof made === 'object' && made !== null && 'token' in made ? String(made.token) : expect.fail('no key')
}
