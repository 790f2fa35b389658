/** A door before the relay: what wants to connect waits until it is opened, and may have to go in one at a time. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Gate = {
  port: number
  /** From now on who connects waits. */
  hold(): void
  /** Lets in who waits, and who comes, so many at a time and in their order. */
  open(atOnce: number): void
  /** How many wait. */
  waiting(): number
  /** How many are inside. */
  inside(): number
  close(): Promise<void>
}

/** Listens on a free port of loopback and leads to `target`. */
export async function startGate(target: number): Promise<Gate> {
  const held: Socket[] = []
  const all = new Set<Socket>()
  let atOnce = 0
  let inside = 0

  const admit = () => {
    while (inside < atOnce) {
      const socket = held.shift()
      if (!socket) return
      if (!socket.destroyed) lead(socket)
    }
  }
  const lead = (socket: Socket) => {
    const onward = track(connect({ host: '127.0.0.1', port: target, noDelay: true }))
    socket.pipe(onward).pipe(socket)
    inside++
    // A relay counts no connection that it has ended, whether or not the client has let go of it.
    onward.once('close', () => {
      inside--
      admit()
    })
    onward.once('end', () => onward.destroy())
    socket.once('close', () => onward.destroy())
  }
  const track = (socket: Socket) => {
    all.add(socket)
    socket.on('close', () => all.delete(socket)).on('error', () => socket.destroy())
    return socket
  }

  const server = createServer({ noDelay: true }, (socket) => {
    track(socket)
    held.push(socket)
    admit()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the gate has no port')
  return {
    port: address.port,
    hold() {
      atOnce = 0
    },
    open(most) {
      atOnce = most
      admit()
    },
    waiting: () => held.filter((socket) => !socket.destroyed).length,
    inside: () => inside,
    async close() {
      for (const socket of all) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
