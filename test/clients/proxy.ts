/** Stands between a client and the Worker: passes all on as it comes, or answers something else in the Worker's place. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Exchange = { method: string; path: string; status: number; answer: string }

/** What is said instead of what the Worker would say. */
export type Instead = { status: number; answer: string }

export type Between = {
  url: string
  /** To whom all is passed on. */
  target: string
  /** Every exchange that was passed on, the last at the end. */
  exchanges: Exchange[]
  /** While set, the Worker is not asked. */
  instead: Instead | undefined
  close(): Promise<void>
}

/** Listens on loopback. */
export async function startProxy(): Promise<Between> {
  const server = createServer((incoming, outgoing) => {
    if (proxy.instead) {
      incoming.resume()
      const { status, answer } = proxy.instead
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(answer)
      return
    }
    const { method = 'GET', url: path = '/', headers } = incoming
    const { hostname, port } = new URL(proxy.target)
    const passed = request(
      {
        hostname,
        port,
        method,
        path,
        headers: { ...headers, host: `${hostname}:${port}`, 'accept-encoding': 'identity' },
      },
      (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk) => chunks.push(chunk))
        reply.on('end', () => {
          const body = Buffer.concat(chunks)
          proxy.exchanges.push({ method, path, status: reply.statusCode ?? 0, answer: body.toString() })
          outgoing.writeHead(reply.statusCode ?? 502, reply.headers).end(body)
        })
      },
    )
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = portOf(server.address())
  const proxy: Between = {
    url: `http://127.0.0.1:${port}`,
    target: '',
    exchanges: [],
    instead: undefined,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}

/** A server that listens on a port has an address with one. */
function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): AddressInfo {
  return address as AddressInfo
}
