/** Calls our own Worker as a client would, inside workerd. */
import { exports } from 'cloudflare:workers'
import { env } from './env.ts'

type Options = { key?: string; account?: string; body?: unknown; headers?: Record<string, string> }

/** One request to the API; a body that is no string or bytes is sent as JSON. */
export async function call(method: string, path: string, options: Options = {}): Promise<Response> {
  const { key, account, body, headers } = options
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  return worker().fetch(`http://localhost${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(account ? { 'x-account': account } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  })
}

/** The operator's key of the tests. */
export const operator = env.ADMIN_KEY

type Worker = { fetch(url: string, init: RequestInit): Promise<Response> }

/** The default export of src/worker.ts, which is this project's main module. */
function worker(): Worker {
  return Reflect.get(exports, 'default') as Worker
}
