/** A domain verified by a real look-up: the Worker asks a resolver on loopback, over HTTP. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Json, OPERATOR, type Service, startReceiver, startService, until } from './service.ts'

const TYPES: Record<string, number> = { TXT: 16, MX: 15 }
const zone = new Map<string, string[]>()
const resolver = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://resolver')
  const type = Number(searchParams.get('type'))
  const name = searchParams.get('name') ?? ''
  const data = zone.get(`${type} ${name}`)
  const answer = data ? { Status: 0, Answer: data.map((each) => ({ name, type, TTL: 60, data: each })) } : { Status: 3 }
  response.setHeader('content-type', 'application/dns-json').end(JSON.stringify(answer))
})
let service: Service

beforeAll(async () => {
  await new Promise<void>((resolve) => resolver.listen(0, '127.0.0.1', resolve))
  const { port } = resolver.address() as AddressInfo
  service = await startService({ vars: { DOH_URL: `http://127.0.0.1:${port}/dns-query` } })
})
afterAll(async () => {
  await service.close()
  resolver.close()
})

test('a domain is claimed, proved by its records, sends, and its listeners are told', async () => {
  const receiver = await startReceiver()
  const account = (await service.call('POST', '/accounts', { key: OPERATOR, body: { name: 'A' } })).body
  const key = account.api_key.token
  await service.call('POST', '/webhooks', { key, body: { endpoint: receiver.url, events: ['domain.updated'] } })
  const { body: domain } = await service.call('POST', '/domains', { key, body: { name: 'proved.example.org' } })
  expect(domain.status).toBe('not_started')
  const mail = { from: 'a@proved.example.org', to: 'delivered@resend.dev', subject: 's', text: 't' }
  const refused = await service.call('POST', '/emails', { key, body: mail })
  expect(refused).toMatchObject({
    status: 403,
    body: { name: 'validation_error', fix: expect.stringContaining(domain.id) },
  })
  for (const { name, type, value, priority } of domain.records as Json[]) {
    const at = name === '@' ? 'proved.example.org' : `${name}.proved.example.org`
    const cut = `"${value.slice(0, 200)}" "${value.slice(200)}"`
    const k = `${TYPES[type]} ${at}`
    zone.set(k, [...(zone.get(k) ?? []), type === 'MX' ? `${priority} ${value}.` : cut])
  }
  expect((await service.call('POST', `/domains/${domain.id}/verify`, { key })).body).toEqual({
    object: 'domain',
    id: domain.id,
  })
  const verified = (await service.call('GET', `/domains/${domain.id}`, { key })).body
  expect(verified.status).toBe('verified')
  expect(new Set(verified.records.map((each: Json) => each.status))).toEqual(new Set(['verified']))
  expect((await service.call('POST', '/emails', { key, body: mail })).status).toBe(200)
  const calls = await until(async () => (receiver.calls.length > 0 ? receiver.calls : undefined), 'the news')
  expect(JSON.parse(calls[0]?.body ?? '{}')).toMatchObject({
    type: 'domain.updated',
    data: { id: domain.id, status: 'verified' },
  })
  const rotated = (await service.call('POST', `/domains/${domain.id}/dkim/rotate`, { key })).body
  expect(rotated.records.filter((each: Json) => each.record === 'DKIM').map((each: Json) => each.status)).toEqual([
    'verified',
    'pending',
  ])
  const gone = await service.call('DELETE', `/domains/${domain.id}`, { key })
  expect(gone.body).toEqual({ object: 'domain', id: domain.id, deleted: true })
  await receiver.close()
})
