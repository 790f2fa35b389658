/**
 * A server that follows a transcript, over a pipe in memory. Lines of a script:
 *
 *   S: text     the server says the line          C: text     the client must say exactly this line
 *   S! bytes    each byte a chunk from here on    S! lines    each S line a chunk of its own again
 *   S! drop     the server closes                 S! reset    the connection breaks with an error
 *   S! silence  time passes until a timer fires   S! deaf     the server stops reading: writes hang
 *   S! endless TEXT   the line again and again    S! tls      the client must have asked for TLS by now
 *   S! heedless what the client says from here on does not matter
 *   S! raw TEXT bytes with no line end; JSON escapes in TEXT
 *
 * Consecutive S lines are one chunk. The server says nothing before the C lines that stand above it have come, nor if more
 * has come than those: so what is pipelined, and what is waited for, is what the transcript shows.
 */
import { concat, latin1, utf8 } from '../../src/base/bytes.ts'
import type { Pipe } from '../../src/smtp/pipe.ts'
import { type StillClock, settled, stillClock } from './clock.ts'

export type Scripted = {
  pipe: Pipe
  clock: StillClock
  /** Resolves when the whole transcript has happened and nothing was said beyond it; rejects where it went otherwise. */
  done: Promise<void>
  /** All that the client wrote, one character a byte. */
  said(): string
  closed(): boolean
}

type Channel = { feed: ReadableStreamDefaultController<Uint8Array>; pipe: Pipe }

/** Turns of the event loop without progress after which the client is known to wait for something. */
const PATIENCE = 60

export function scripted(script: string): Scripted {
  const clock = stillClock()
  let said: Uint8Array[] = []
  let taken = 0
  let closed = false
  let deaf = false
  let heedless = false
  let upgraded = 0
  let channel = open(true)

  function open(canUpgrade: boolean): Channel {
    let feed: ReadableStreamDefaultController<Uint8Array> | undefined
    const readable = new ReadableStream<Uint8Array>({
      start(controller) {
        feed = controller
      },
    })
    const writable = new WritableStream<Uint8Array>({
      write: (chunk) => {
        said = [concat([...said, chunk])]
        return deaf ? new Promise<void>(() => undefined) : undefined
      },
    })
    const startTls = () => {
      // Throws, as the real ones do, where a lock was kept.
      readable.getReader().releaseLock()
      writable.getWriter().releaseLock()
      upgraded++
      channel = open(false)
      return channel.pipe
    }
    const close = async () => {
      closed = true
    }
    if (!feed) throw new Error('a stream starts at once')
    return { feed, pipe: { readable, writable, close, ...(canUpgrade ? { startTls } : {}) } }
  }

  const everything = () => latin1(concat(said))
  const steps = readScript(script)
  const first = channel.pipe

  async function play(): Promise<void> {
    let bytewise = false
    for (const { mark, text } of steps) {
      if (mark === 'C') await expectLine(text)
      else if (mark === 'S') await say(text, bytewise)
      else if (text === 'bytes' || text === 'lines') bytewise = text === 'bytes'
      else if (text === 'drop') channel.feed.close()
      else if (text === 'reset') channel.feed.error(new Error('connection reset'))
      else if (text === 'silence') await silence()
      else if (text === 'deaf') deaf = true
      else if (text === 'heedless') heedless = true
      else if (text === 'tls') await expectTls()
      else if (text.startsWith('endless ')) endless(text.slice('endless '.length))
      else if (text.startsWith('raw ')) channel.feed.enqueue(utf8(String(JSON.parse(`"${text.slice(4)}"`))))
      else throw new Error(`the script says ${JSON.stringify(text)}, which means nothing`)
    }
    await nothingMore()
  }

  async function nothingMore(): Promise<void> {
    await settled()
    const rest = everything().slice(taken)
    if (rest !== '' && !heedless) throw new Error(`the client said more than the script: ${JSON.stringify(rest)}`)
  }

  async function say(text: string, bytewise: boolean): Promise<void> {
    await nothingMore()
    const bytes = utf8(text)
    if (!bytewise) channel.feed.enqueue(bytes)
    else for (const byte of bytes) channel.feed.enqueue(Uint8Array.of(byte))
  }

  async function expectLine(line: string): Promise<void> {
    for (let turn = 0; turn < PATIENCE; turn++) {
      const text = everything()
      const end = text.indexOf('\r\n', taken)
      if (end >= 0) {
        const heard = text.slice(taken, end)
        if (heard !== line) throw new Error(`expected C: ${line}\nbut heard C: ${JSON.stringify(heard)}`)
        taken = end + 2
        return
      }
      await settled(1)
    }
    throw new Error(`expected C: ${line}\nbut the client ${closed ? 'closed' : 'waits'}`)
  }

  async function expectTls(): Promise<void> {
    await settled()
    if (upgraded === 0) throw new Error('expected TLS, but the client did not ask for it')
  }

  async function silence(): Promise<void> {
    await settled()
    if (!clock.fireNext()) throw new Error('the client waits without a timer')
    await settled()
  }

  function endless(text: string): void {
    // More than any cap; a client that gathers it all would be seen by its memory, one without a cap by this test's time.
    for (let line = 0; line < 5000; line++) channel.feed.enqueue(utf8(String(JSON.parse(`"${text}"`))))
  }

  const done = play()
  done.catch(() => undefined)
  return { pipe: first, clock, done, said: everything, closed: () => closed }
}

function readScript(script: string): { mark: 'S' | 'C' | '!'; text: string }[] {
  const steps: { mark: 'S' | 'C' | '!'; text: string }[] = []
  for (const line of script.split('\n').map((text) => text.trimStart())) {
    if (line === '') continue
    const text = line.slice(3)
    const last = steps.at(-1)
    if (line.startsWith('S:')) {
      if (last?.mark === 'S') last.text += `${text}\r\n`
      else steps.push({ mark: 'S', text: `${text}\r\n` })
    } else if (line.startsWith('C:')) steps.push({ mark: 'C', text })
    else if (line.startsWith('S!')) steps.push({ mark: '!', text })
    else throw new Error(`not a line of a script: ${line}`)
  }
  return steps
}
