/** The Idempotency-Key header: its form, and the hashes a request is known by. */
import { Problem } from '../base/problem.ts'
import { sha256Hex } from '../base/seal.ts'
import type { Once } from '../store/idempotency.ts'

/** Reads the header of a request that makes something; undefined where there is none. Scope: account, method and path. */
export async function readOnce(request: Request, path: string, body: unknown): Promise<Once | undefined> {
  const key = request.headers.get('idempotency-key')
  if (key === null) return undefined
  if (key.length < 1 || key.length > 256) {
    throw new Problem('invalid_idempotency_key', 'The idempotency key must have 1 to 256 characters.')
  }
  return {
    key: await sha256Hex(`${request.method} ${path}\n${key}`),
    body: typeof body === 'string' ? body : await sha256Hex(canonical(body)),
  }
}

/** JSON with the names of every object in order, so that the same body in another order is the same. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
  return `{${members.join(',')}}`
}
