/** The whole service in workerd for one test file, with relays, receivers and a certificate authority on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCa } from '../support/tls.ts'

export const OPERATOR = 'operator-key-of-the-tests-0123456789'

export const authority = makeTestCa()

export type Service = {
  url: string
  /** Calls the API with a key and reads the JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<{ status: number; body: Json; headers: Headers }>
  /** Follows a signed link of an answer: it names the public address, which is not this test's port. */
  follow(link: string | undefined): Promise<Response>
  /** Hands a mail to email(), as Cloudflare's door does. */
  email(from: string, to: string, raw: string): Promise<{ outcome: string; rejectReason?: string }>
  /** Runs the sweep once. */
  tick(): Promise<void>
  close(): Promise<void>
}

export type CallOptions = { key?: string; account?: string; body?: unknown; headers?: Record<string, string> }

/** What a JSON answer holds is for the test to say. */
export type Json = ReturnType<typeof JSON.parse>

/** Starts it over fresh storage. `relayUrl` is the instance's default relay. */
export async function startService(
  settings: { relayUrl?: string; vars?: Record<string, string> } = {},
): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-flow-'))
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, authority.caPem)
  // Read when wrangler is loaded, so it is loaded after this.
  process.env.NODE_EXTRA_CA_CERTS = ca
  process.env.WRANGLER_SEND_METRICS = 'false'
  const { createTestHarness } = await import('wrangler')
  const server = createTestHarness({
    root: join(import.meta.dirname, '../..'),
    workers: [
      {
        configPath: './wrangler.toml',
        vars: { LOCAL: 'true', MAIL_HOST: 'mx.pochta.test', ...settings.vars },
        secrets: {
          ADMIN_KEY: OPERATOR,
          SECRET: 'secret-of-the-tests-0123456789-abcdef',
          RELAY_URL: settings.relayUrl ?? '',
        },
      },
    ],
  })
  const { url } = await server.listen()
  const worker = server.getWorker()
  // Accounts are spread over the databases, so every one must be ready.
  for (const database of ['DB', 'MAIL_2', 'MAIL_3', 'SEARCH']) await worker.applyD1Migrations(database)
  const origin = url.origin
  return {
    url: origin,
    call: (method, path, options) => callJson(origin, method, path, options),
    follow: (link = '') => fetch(origin + new URL(link).pathname + new URL(link).search),
    email: async (from, to, raw) => {
      const { outcome, rejectReason } = await worker.email({ from, to, raw })
      return rejectReason ? { outcome, rejectReason } : { outcome }
    },
    tick: async () => void (await worker.scheduled({ cron: '* * * * *' })),
    close: async () => {
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function callJson(
  origin: string,
  method: string,
  path: string,
  { key, account, body, headers }: CallOptions = {},
) {
  const answer = await fetch(origin + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(account ? { 'x-account': account } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Json, headers: answer.headers }
}

export type Tenant = { id: string; key: string; domain: string; address: string }

/** An account with a key, a domain and an address. */
export async function makeTenant(service: Service, domain: string, name = 'hello'): Promise<Tenant> {
  const made = await service.call('POST', '/accounts', { key: OPERATOR, body: { name: domain } })
  const key: string = made.body.api_key.token
  await service.call('POST', '/domains', { key, body: { name: domain } })
  await service.call('POST', '/addresses', { key, body: { address: `${name}@${domain}` } })
  return { id: made.body.id, key, domain, address: `${name}@${domain}` }
}

export type Call = { headers: IncomingHttpHeaders; body: string; at: number }

/** A webhook receiver on loopback. */
export async function startReceiver(answer: (call: Call) => number | undefined = () => 200) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const call = { headers: request.headers, body: Buffer.concat(chunks).toString(), at: Date.now() }
      calls.push(call)
      const status = answer(call)
      if (status !== undefined) response.writeHead(status).end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    calls,
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Waits until something is there; fails after ten seconds. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`waited in vain for ${what}`)
}
