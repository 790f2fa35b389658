/** How fast mail leaves: what a sink at the end of a line sees, of us and of nodemailer's pool. */
import { createTransport } from 'nodemailer'
import { SINK_EXTENSIONS, type Sink, type SinkOptions, startSink } from '../test/support/smtp-sink.ts'
import { type Account, sending } from './account.ts'
import { startGate } from './gate.ts'
import { type Caller, load } from './load.ts'
import { ordinaryJson, ordinaryMail } from './mails.ts'
import { median } from './statistics.ts'

export type Line = {
  /** ms from a command to its answer. */
  roundTrip: number
  /** Beside what every relay offers. */
  chunking: boolean
  /** How many connections the relay takes at a time. */
  connections: number
  mails: number
}

/** `perConnection` leaves out what comes before a connection's first message and after its last. */
export type Speed = { perSecond: number; perConnection: number; connections: number }

export type Relay = {
  /** What our Worker is told to relay to. */
  url: string
  /** From now on no mail leaves. */
  hold(): void
  /** Submits the mails while the line is closed, and opens it. */
  ours(caller: Caller, account: Account, line: Line): Promise<Speed>
  /** Sends the same content by nodemailer's pooled transport. */
  nodemailer(line: Line): Promise<Speed>
  close(): Promise<void>
}

/** When no more mail has come for so long, no more will. */
const SILENCE_MS = 20_000

type Seen = { at: number; connection: number }

export async function startRelay(): Promise<Relay> {
  const seen: Seen[] = []
  const options: SinkOptions = {
    reply: {
      message: ({ connection }) => {
        seen.push({ at: performance.now(), connection })
        return undefined
      },
    },
  }
  const sink = await startSink(options)
  const gate = await startGate(sink.port)

  const lay = ({ roundTrip, chunking }: Line) => {
    forget(sink, seen)
    options.delay = roundTrip
    options.extensions = chunking ? [...SINK_EXTENSIONS, 'CHUNKING'] : SINK_EXTENSIONS
  }
  return {
    url: `smtp://127.0.0.1:${gate.port}`,
    hold: () => gate.hold(),
    async ours(caller, account, line) {
      lay(line)
      gate.hold()
      const mail = () => sending(account, ordinaryJson(account.address, 'somebody@remote.example'))
      // One mail goes ahead and waits at the gate: the others then go in whole batches of the queue.
      await caller.call(mail())
      await until(() => gate.waiting() > 0)
      await load(caller, line.mails, 8, mail)
      gate.open(line.connections)
      await until(
        () => seen.length > line.mails,
        () => seen.length,
      )
      // A second connection of the last batch may still wait for its turn.
      await until(() => gate.inside() + gate.waiting() === 0)
      return speedOf(seen.slice(1))
    },
    async nodemailer(line) {
      lay(line)
      gate.open(line.connections)
      const pool = createTransport({
        pool: true,
        maxConnections: line.connections,
        maxMessages: Number.POSITIVE_INFINITY,
        host: '127.0.0.1',
        port: gate.port,
        ignoreTLS: true,
      })
      const to = 'somebody@remote.example'
      const send = () => pool.sendMail({ envelope: { from: 'a@shop.example', to }, raw: ordinaryMail(to) })
      await Promise.all(Array.from({ length: line.mails }, send))
      pool.close()
      await until(() => gate.inside() === 0)
      return speedOf(seen)
    },
    async close() {
      await gate.close()
      await sink.close()
    },
  }
}

function forget(sink: Sink, seen: Seen[]): void {
  seen.length = 0
  sink.messages.length = 0
  sink.commands.length = 0
}

function speedOf(seen: readonly Seen[]): Speed {
  const each = [...Map.groupBy(seen, ({ connection }) => connection).values()].filter((some) => some.length > 2)
  return { perSecond: rate(seen), perConnection: median(each.map(rate)), connections: each.length }
}

function rate(seen: readonly Seen[]): number {
  const times = seen.map(({ at }) => at)
  return ((seen.length - 1) * 1000) / (Math.max(...times) - Math.min(...times))
}

/** Waits for what must come; gives up where nothing has moved for long. */
async function until(isSo: () => boolean, progress: () => number = () => 0): Promise<void> {
  let [last, since] = [progress(), performance.now()]
  while (!isSo()) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const now = progress()
    if (now !== last) [last, since] = [now, performance.now()]
    if (performance.now() - since > SILENCE_MS)
      throw new Error(`no mail came for ${SILENCE_MS / 1000} s (${now} so far)`)
  }
}
