import { expect, test } from 'vitest'
import { makeApp } from '../../src/http/app.ts'
import { routes } from '../../src/http/routes/all.ts'
import { call, operator } from '../support/api.ts'
import { noFaults } from '../support/faults.ts'
import { makeWorld } from '../support/world.ts'

type Refusal = {
  statusCode: number
  name: string
  message: string
  fields?: { path: string; reason: string }[]
  fix?: string
}

async function newAccount(): Promise<{ id: string; key: string }> {
  const answer = await call('POST', '/accounts', { key: operator, body: { name: 'A' } })
  const made: { id: string; api_key: { token: string } } = await answer.json()
  return { id: made.id, key: made.api_key.token }
}

async function refusal(answer: Response): Promise<Refusal> {
  const body: Refusal & { request_id: string } = await answer.json()
  expect(body.statusCode).toBe(answer.status)
  expect(body.request_id).toBe(answer.headers.get('x-request-id'))
  return body
}

test('unknown routes are told from those that Resend has and we have not', async () => {
  const unknown = await call('GET', '/nowhere')
  expect(unknown.status).toBe(404)
  expect(await refusal(unknown)).toMatchObject({ name: 'not_found', message: 'There is no such route.' })
  for (const path of ['/broadcasts', '/contacts/x', '/emails/metrics']) {
    const unserved = await call('GET', path)
    expect(unserved.status).toBe(404)
    expect((await refusal(unserved)).message).toBe('This resource is not served by this mail service.')
  }
})

test('an unknown method is refused with the ones there are; OPTIONS lists them, HEAD is GET without its body', async () => {
  const put = await call('PUT', '/domains')
  expect(put.status).toBe(405)
  expect(put.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST'])
  expect(await refusal(put)).toMatchObject({ name: 'method_not_allowed' })
  const options = await call('OPTIONS', '/domains')
  expect(options.status).toBe(200)
  expect(options.headers.get('allow')).toBe(put.headers.get('allow'))
  expect(options.headers.has('access-control-allow-origin')).toBe(false)
  const head = await call('HEAD', '/health')
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('a doubled first slash and one at the end are the same path', async () => {
  const { key } = await newAccount()
  for (const path of ['//domains', '/domains/', '///domains/']) {
    expect((await call('GET', path, { key })).status, path).toBe(200)
  }
})

test('an empty body with a JSON content type is no fault on GET, DELETE and POST without a body', async () => {
  const { key } = await newAccount()
  const made = await call('POST', '/domains', { key, body: { name: 'empty-body.test' } })
  const { id }: { id: string } = await made.json()
  expect((await call('GET', `/domains/${id}`, { key, body: undefined })).status).toBe(200)
  expect((await call('POST', `/domains/${id}/verify`, { key, body: '' })).status).toBe(200)
  const gone = await call('DELETE', `/domains/${id}`, { key, body: '' })
  expect(await gone.json()).toEqual({ object: 'domain', id, deleted: true })
})

test('a body that is not JSON, not UTF-8 or too large is refused before anything is looked at in it', async () => {
  const { key } = await newAccount()
  for (const body of ['{"name":', 'name=x', new Uint8Array([0x22, 0xff, 0x22])]) {
    const answer = await call('POST', '/domains', { key, body })
    expect(answer.status).toBe(400)
    expect(await refusal(answer)).toMatchObject({ name: 'validation_error', fix: expect.stringContaining('JSON') })
  }
  const large = await call('POST', '/domains', { key, body: new Uint8Array(16 * 1024 * 1024 + 1) })
  expect(large.status).toBe(413)
  expect((await refusal(large)).name).toBe('payload_too_large')
})

test('a body that nests without end exhausts nothing', async () => {
  const { key } = await newAccount()
  const deep = `{"from":"a@b.test","to":"c@d.test","subject":"s","template":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  const answer = await call('POST', '/emails', { key, body: deep, headers: { 'idempotency-key': 'deep' } })
  expect(answer.status).toBe(400)
  expect((await refusal(answer)).message).toContain('nests deeper')
})

test('every field at fault is told, a missing one first', async () => {
  const { key } = await newAccount()
  const wrong = await call('POST', '/templates', {
    key,
    body: { name: 'a\r\nb', alias: '?', colour: 'red', variables: 'x' },
  })
  expect(wrong.status).toBe(422)
  const told = await refusal(wrong)
  expect(told).toMatchObject({ name: 'missing_required_field', message: 'Missing `html` field.' })
  expect(told.fields?.map(({ path }) => path).sort()).toEqual(['alias', 'colour', 'html', 'name', 'variables'])
  const shape = await call('POST', '/relays', { key, body: [1] })
  expect(shape.status).toBe(422)
  const query = await call('GET', '/domains?limit=1000', { key })
  expect(query.status).toBe(422)
  expect(await refusal(query)).toMatchObject({ name: 'invalid_parameter', fields: [{ path: 'limit' }] })
})

test('X-Account is the operator’s: it names the account, an account key may not send it, and nobody’s id is not found', async () => {
  const { id, key } = await newAccount()
  expect((await call('GET', '/domains', { key: operator, account: id })).status).toBe(200)
  const without = await call('GET', '/domains', { key: operator })
  expect(without.status).toBe(400)
  expect((await refusal(without)).fix).toContain('X-Account')
  const beside = await call('GET', '/domains', { key, account: id })
  expect(beside.status).toBe(400)
  const nobody = await call('GET', '/domains', { key: operator, account: '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90' })
  expect(nobody.status).toBe(404)
})

test('request ids and rate headers are on every answer, refusals too', async () => {
  const { key } = await newAccount()
  const answers = await Promise.all([
    call('GET', '/health'),
    call('GET', '/domains', { key }),
    call('GET', '/domains'),
    call('GET', '/nowhere'),
    call('PUT', '/domains'),
    call('POST', '/domains', { key, body: 'x' }),
  ])
  for (const { headers } of answers) {
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(headers.get('ratelimit-limit')).toBe('1000')
    expect(Number(headers.get('ratelimit-remaining'))).toBeLessThanOrEqual(1000)
    expect(headers.get('ratelimit-reset')).toBe('1')
    expect(headers.get('ratelimit-policy')).toBe('1000;w=1')
    expect(headers.get('cache-control')).toBe('no-store')
  }
  expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(answers.length)
})

test('a key that asks too often in a second is told to wait, and served in the next; others are not kept waiting', async () => {
  const world = await makeWorld({ config: { REQUESTS_PER_SECOND: 2 } })
  const app = makeApp(routes)
  const ask = (key: string) =>
    app.fetch(new Request('http://localhost/accounts', { headers: { authorization: `Bearer ${key}` } }), {
      ctx: world.ctx,
    })
  const statuses = [await ask(operator), await ask(operator), await ask(operator)].map(({ status }) => status)
  expect(statuses).toEqual([200, 200, 429])
  const refused = await ask(operator)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.headers.get('ratelimit-remaining')).toBe('0')
  expect((await app.fetch(new Request('http://localhost/health'), { ctx: world.ctx })).status).toBe(200)
  world.pass(1000)
  expect((await ask(operator)).status).toBe(200)
})

test('storage trouble is temporary and says what is known; a bug tells nothing but its request id', async () => {
  const faults = noFaults()
  const world = await makeWorld({ faults })
  const app = makeApp(routes)
  const headers = { authorization: `Bearer ${operator}` }
  faults.down = true
  const read = await app.fetch(new Request('http://localhost/accounts', { headers }), { ctx: world.ctx })
  expect(read.status).toBe(503)
  expect(read.headers.get('retry-after')).toBe('5')
  const request = new Request('http://localhost/accounts', { method: 'POST', headers, body: '{"name":"A"}' })
  const write = await app.fetch(request, { ctx: world.ctx })
  expect(write.status).toBe(503)
  const told: Refusal = await write.json()
  expect(told.fix).toContain('Idempotency-Key')

  const broken = { ...world.ctx, stores: { ...world.ctx.stores, directory: Object.create(null) } }
  const bug = await app.fetch(new Request('http://localhost/accounts', { headers }), { ctx: broken })
  expect(bug.status).toBe(500)
  const text = await bug.text()
  expect(JSON.parse(text)).toMatchObject({ name: 'application_error', request_id: 'test' })
  expect(text).not.toMatch(/function|directory|TypeError/)
})
