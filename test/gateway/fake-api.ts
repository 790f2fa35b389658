/** Plays the REST API's inbound door: takes mail for the addresses it is given, remembers it, and fails where it is told to. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export type StoredMail = { from: string; to: string; bytes: Buffer }

export type FakeApi = {
  url: string
  /** The key that it wants. */
  key: string
  addresses: Set<string>
  stored: StoredMail[]
  /** What was asked about recipients. */
  asked: Record<string, string>[]
  /** Every request, as `GET /path`. */
  requests: string[]
  /** Answers instead of what would be right: a status with its message, or 'silent' or 'drop' for none. May be changed while it runs. */
  trouble: {
    recipient?: (to: string) => Trouble | undefined
    inbound?: (to: string) => Trouble | undefined
  }
  close(): Promise<void>
}

export type Trouble = { status: number; message?: string } | 'silent' | 'drop'

/** Listens on 127.0.0.1. */
export async function startFakeApi(...addresses: string[]): Promise<FakeApi> {
  const api: Omit<FakeApi, 'url' | 'close'> = {
    key: 're_instance',
    addresses: new Set(addresses),
    stored: [],
    asked: [],
    requests: [],
    trouble: {},
  }
  const server = createServer((request, response) => {
    handle(api, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const close = async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
  return Object.assign(api, { url: `http://127.0.0.1:${port}`, close })
}

type Api = Omit<FakeApi, 'url' | 'close'>

async function handle(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fake')
  const to = url.searchParams.get('to') ?? ''
  api.requests.push(`${request.method} ${url.pathname}`)
  const asks = url.pathname === '/inbound/recipient'
  if (asks) api.asked.push(Object.fromEntries(url.searchParams))
  // As the real one may, trouble is told before the body was read.
  const trouble = asks ? api.trouble.recipient?.(to) : api.trouble.inbound?.(to)
  if (trouble === 'silent') return
  if (trouble === 'drop') return void response.destroy()
  if (trouble) return say(response, trouble.status, { message: trouble.message })
  if (request.headers.authorization !== `Bearer ${api.key}`)
    return say(response, 403, { message: 'API key is invalid' })
  if (!api.addresses.has(to)) return say(response, 404, { message: 'No such address here' })
  if (asks) return say(response, 200, { accept: true })
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  if (Number(request.headers['content-length']) !== bytes.length) return say(response, 411, {})
  const from = url.searchParams.get('from') ?? ''
  api.stored.push({ from, to, bytes })
  say(response, 200, { object: 'email', id: String(api.stored.length), duplicate: false })
}

function say(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
