/** The Idempotency-Key header: its form, and the hashes a request is known by. */
import { Problem } from '../base/problem.ts'
import { sha256Hex } from '../base/seal.ts'

/** What a repeated request is known by: hashes of method, path and key, and of its body. */
export type Once = { readonly key: string; readonly body: string }

/** No body of ours nests so deep; a stranger's might, to exhaust the stack. */
const MAX_DEPTH = 64

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

/** JSON with the names of every object in order, so that the same body in another order is the same. @throws Problem. */
export function canonical(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new Problem('invalid_request', `The body nests deeper than ${MAX_DEPTH} levels.`)
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, depth + 1)}`)
  return `{${members.join(',')}}`
}
