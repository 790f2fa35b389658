import { expect, test } from 'vitest'
import { statusOf } from '../../src/http/problem.ts'
import { routes } from '../../src/http/routes/all.ts'
import { call } from '../support/api.ts'

type Operation = {
  operationId: string
  summary: string
  security: unknown[]
  parameters: { name: string; in: string; required: boolean; schema: unknown }[]
  requestBody?: { content: Record<string, { schema: unknown; example?: unknown }> }
  responses: Record<string, { description: string; content: Record<string, { schema: unknown; example?: unknown }> }>
}

type Api = {
  openapi: string
  servers: { url: string }[]
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> }
}

async function readApi(): Promise<Api> {
  const answer = await call('GET', '/openapi.json')
  expect(answer.status).toBe(200)
  return answer.json()
}

const api = await readApi()
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('every route is in the description, and nothing else is', () => {
  const described = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`)
  const served = routes.map(({ spec }) => `${spec.method} ${spec.path.replace(/:(\w+)/g, '{$1}')}`)
  expect(described.sort()).toEqual(served.sort())
})

test('the description is OpenAPI 3.1: unique ids, every path parameter told, every reference leads somewhere', () => {
  expect(api.openapi).toBe('3.1.0')
  expect(api.servers[0]?.url).toMatch(/^https?:\/\//)
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { path, method, operation } of operations) {
    const where = `${method} ${path}`
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const told = operation.parameters.filter((parameter) => parameter.in === 'path')
    expect(
      told.map(({ name }) => name),
      where,
    ).toEqual(named)
    expect(
      told.every(({ required }) => required),
      where,
    ).toBe(true)
    const places = operation.parameters.map((parameter) => `${parameter.in} ${parameter.name}`)
    expect(new Set(places).size, where).toBe(places.length)
    expect(operation.summary, where).toMatch(/\.$/)
    expect(
      Object.keys(operation.responses).filter((status) => status.startsWith('2')),
      where,
    ).toHaveLength(1)
    for (const answer of Object.values(operation.responses)) expect(answer.description, where).not.toBe('')
  }
  const references = [...JSON.stringify(api).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target ?? '')
  expect(references.length).toBeGreaterThan(20)
  for (const target of references) {
    const name = /^#\/components\/schemas\/(.+)$/.exec(target)?.[1] ?? expect.fail(`${target} leads nowhere`)
    expect(api.components.schemas, target).toHaveProperty([name])
  }
  expect(JSON.stringify(api)).not.toContain('#/$defs/')
})

test('every route tells its key, its refusals and an example', () => {
  for (const { spec } of routes) {
    const where = `${spec.method} ${spec.path}`
    const operation = api.paths[spec.path.replace(/:(\w+)/g, '{$1}')]?.[spec.method.toLowerCase()]
    if (!operation) expect.fail(where)
    const open = spec.scope === 'public' || spec.scope === 'link'
    expect(operation.security, where).toEqual(open ? [] : [{ key: [] }])
    const statuses = Object.keys(operation.responses)
    for (const code of spec.problems ?? []) expect(statuses, where).toContain(String(statusOf(code)))
    for (const status of [...(open ? [] : ['401', '403']), '429', '500', '503'])
      expect(statuses, where).toContain(status)
    const headers = operation.parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name)
    expect(headers.includes('Idempotency-Key'), where).toBe(spec.creates === true)
    if (spec.body) {
      const example = operation.requestBody?.content['application/json']?.example
      expect(spec.body.safeParse(example).error, `${where} has an example that it refuses`).toBeUndefined()
    }
    if (spec.answer) {
      const example = operation.responses[String(spec.status ?? 200)]?.content['application/json']?.example
      expect(example, where).toBeDefined()
    }
  }
})

test('the page at /docs runs nothing but its own script, and asks nobody else', async () => {
  const answer = await call('GET', '/docs')
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const policy = answer.headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(/^default-src 'none'; script-src 'nonce-[A-Za-z0-9+/]{22}=='; style-src 'nonce-/)
  expect(policy).toContain("connect-src 'self'")
  expect(policy).not.toContain('unsafe')
  const page = await answer.text()
  const nonce = /nonce-([^']+)'/.exec(policy)?.[1]
  expect([...page.matchAll(/<(?:script|style)[^>]*>/g)].map(([tag]) => tag)).toEqual([
    `<style nonce="${nonce}">`,
    `<script nonce="${nonce}">`,
  ])
  expect(page).not.toMatch(/https?:\/\/|innerHTML|eval\(/)
  const again = await call('GET', '/docs')
  expect(again.headers.get('content-security-policy')).not.toBe(policy)
})
