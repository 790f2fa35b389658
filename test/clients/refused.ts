/** What every refusal looks like, whatever was refused. */
import { expect } from 'vitest'
import type { CallOptions, Json, Service } from '../flow/service.ts'

/** What a refusal must be. `fields` are the paths of all that is at fault, each once, in any order. */
export type Refused = { status: number; name: string; fields?: string[]; fix?: RegExp; message?: RegExp }

/** Asks what must be refused, and looks at everything a refusal has. */
export async function expectRefused(
  service: Service,
  method: string,
  path: string,
  options: CallOptions,
  wanted: Refused,
): Promise<Json> {
  const { status, body, headers } = await service.call(method, path, options)
  const where = `${method} ${path} ${JSON.stringify(options)?.slice(0, 200)} ${JSON.stringify(body)}`
  expect([status, body.name], where).toEqual([wanted.status, wanted.name])
  expect(body.statusCode, where).toBe(status)
  expect(body.message, where).toEqual(expect.stringMatching(wanted.message ?? /./))
  const known = new Set(['statusCode', 'name', 'message', 'fields', 'fix', 'request_id'])
  expect(
    Object.keys(body).filter((key) => !known.has(key)),
    where,
  ).toEqual([])
  if (wanted.fix) expect(body.fix, where).toMatch(wanted.fix)
  const faulty = new Set<string>(body.fields?.map(({ path }: { path: string }) => path))
  if (wanted.fields) expect([...faulty].sort(), where).toEqual([...wanted.fields].sort())
  expect(body.request_id, where).toBe(headers.get('x-request-id'))
  expectManners(headers, where)
  return body
}

/** What every answer has. */
export function expectManners(headers: Headers, where: string): void {
  expect(headers.get('content-type'), where).toBe('application/json')
  for (const name of ['limit', 'remaining', 'reset']) expect(headers.get(`ratelimit-${name}`), where).toMatch(/^\d+$/)
  expect(headers.get('ratelimit-policy'), where).toMatch(/^\d+;w=1$/)
  expect(headers.get('x-content-type-options'), where).toBe('nosniff')
}
