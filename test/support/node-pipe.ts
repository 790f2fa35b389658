/** A Node socket as the SMTP client's pipe, and Node's clock as its clock. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock, Pipe } from '../../src/smtp/pipe.ts'

export const nodeClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, fire) {
    const timer = setTimeout(fire, ms)
    return () => clearTimeout(timer)
  },
}

export type PipeTarget = {
  host: string
  port: number
  security: 'implicit' | 'starttls' | 'none'
  /** The authority to trust. */
  ca?: string
  /** The name that the certificate must have; `host` unless given. */
  servername?: string
}

/** Opens a connection; rejects where it cannot be, also for want of trust in a certificate of implicit TLS. */
export async function openNodePipe(target: PipeTarget): Promise<Pipe> {
  const { host, port, security } = target
  if (security === 'implicit') {
    const secure = connectTls({ host, port, ...trust(target) })
    await once(secure, 'secureConnect')
    return wrap(secure)
  }
  const socket = connect({ host, port })
  await once(socket, 'connect')
  return wrap(socket, security === 'starttls' ? target : undefined)
}

function trust({ host, ca, servername }: PipeTarget) {
  return { ca, servername: servername ?? (/^[0-9.]+$|:/.test(host) ? '' : host), ...(servername ? {} : { host }) }
}

function wrap(socket: Socket, upgrade?: PipeTarget): Pipe {
  socket.setNoDelay(true)
  // Errors reach whoever reads or writes; one that nobody waits for must not end the process.
  socket.on('error', () => undefined)
  let detach: () => void = () => undefined
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      const onData = (chunk: Buffer) => {
        controller.enqueue(Uint8Array.from(chunk))
        if ((controller.desiredSize ?? 0) <= 0) socket.pause()
      }
      const onEnd = () => settle(() => controller.close())
      const onError = (error: Error) => settle(() => controller.error(error))
      socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError)
      detach = () => {
        socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError)
        socket.pause()
      }
    },
    pull() {
      socket.resume()
    },
    cancel() {
      detach()
    },
  })
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) =>
      new Promise((resolve, reject) => {
        socket.write(chunk, (error) => (error ? reject(error) : resolve()))
      }),
  })
  const startTls = () => {
    if (!upgrade) throw new Error('not opened for STARTTLS')
    detach()
    return wrap(connectTls({ socket, ...trust(upgrade) }))
  }
  const close = async () => {
    socket.destroy()
  }
  return { readable, writable, close, ...(upgrade ? { startTls } : {}) }
}

/** A stream that has ended already does not end again. */
function settle(act: () => void): void {
  try {
    act()
  } catch {
    // It was cancelled or closed before.
  }
}
