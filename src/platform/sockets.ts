/** TCP over cloudflare:sockets, as a byte pipe. */
import { connect as open } from 'cloudflare:sockets'
import type { Net, Socket as Pipe } from '../context.ts'

const TRANSPORT = { implicit: 'on', starttls: 'starttls', none: 'off' } as const

/** Opens a connection; resolves once it stands. The caller holds the timer. */
export const connect: Net['connect'] = async ({ host, port, security }) => {
  const socket = open({ hostname: host, port }, { secureTransport: TRANSPORT[security], allowHalfOpen: false })
  // Each failure reaches the caller through the streams; unobserved copies of it must not be logged as uncaught.
  socket.closed.catch(() => {})
  await socket.opened
  return asPipe(socket)
}

function asPipe(socket: Socket): Pipe {
  return {
    readable: socket.readable,
    writable: socket.writable,
    startTls() {
      const secure = socket.startTls()
      secure.closed.catch(() => {})
      secure.opened.catch(() => {})
      return asPipe(secure)
    },
    close: () => socket.close(),
  }
}
