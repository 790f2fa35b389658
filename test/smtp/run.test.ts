import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { Next, Report } from '../../src/smtp/desk.ts'
import type { Transaction } from '../../src/smtp/envelope.ts'
import type { Pipe } from '../../src/smtp/pipe.ts'
import { openSession, type Session } from '../../src/smtp/session.ts'
import { settled, stillClock } from './clock.ts'

const body = utf8('Subject: x\r\n\r\nx\r\n')

function message(name = 'b'): Transaction {
  const recipients = [{ address: `${name}@y.example` }]
  return { from: 'a@x.example', recipients, size: body.length, eightBit: false, utf8: false, body: () => body }
}

/**
 * A server at the end of a long line: it hears what was said only once the client has nothing more to say, and answers all
 * of it at once. `flights` counts how often that was: the round trips.
 */
function farAway(extensions: string[]) {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined
  let heard = ''
  let answer = ''
  let flights = 0
  let writes = 0
  let inData = false
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      feed = controller
      controller.enqueue(utf8('220 y\r\n'))
    },
    cancel() {
      feed = undefined
    },
  })
  const replies: Record<string, string> = {
    EHLO: ['250-y', ...extensions.map((extension) => `250-${extension}`), '250 HELP'].join('\r\n'),
    DATA: '354 go',
  }
  const obey = (line: string) => {
    if (inData && line !== '.') return
    inData = line === 'DATA'
    answer += `${replies[line.slice(0, 4)] ?? '250 ok'}\r\n`
  }
  const listen = async (mine: number) => {
    await settled(10)
    if (mine !== writes) return
    const lines = heard.split('\r\n')
    heard = lines.pop() ?? ''
    for (const line of lines) obey(line)
    if (answer === '') return
    flights++
    feed?.enqueue(utf8(answer))
    answer = ''
  }
  const writable = new WritableStream<Uint8Array>({
    write(bytes) {
      heard += String.fromCharCode(...bytes)
      void listen(++writes)
    },
  })
  const pipe: Pipe = { readable, writable, close: async () => undefined }
  return { pipe, flights: () => flights }
}

async function openFar(extensions: string[]): Promise<{ session: Session; flights(): number }> {
  const { pipe, flights } = farAway(extensions)
  const session = await openSession(pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, stillClock())
  const before = flights()
  return { session, flights: () => flights() - before }
}

function queueOf(count: number): Next {
  let given = 0
  return async () => (given++ < count ? message(`b${given}`) : undefined)
}

const ignore: Report = async () => undefined

test('a hundred messages cost a hundred and one round trips, where lock-step costs four each', async () => {
  const fast = await openFar(['PIPELINING'])
  await fast.session.run(queueOf(100), ignore)
  expect(fast.flights()).toBe(101)

  const slow = await openFar([])
  await slow.session.run(queueOf(10), ignore)
  expect(slow.flights()).toBe(40)
})

test('a message handed over late still rides on the same connection, and holds no report up', async () => {
  const { session } = await openFar(['PIPELINING'])
  const reported: string[] = []
  let handOver: (transaction: Transaction | undefined) => void = () => undefined
  const queue: (Transaction | undefined)[] = [message('first')]
  const running = session.run(
    async () =>
      queue.shift() ??
      new Promise((resolve) => {
        handOver = resolve
      }),
    async ({ recipients }) => {
      reported.push(recipients[0]?.address ?? '')
    },
  )
  await settled(100)
  expect(reported).toEqual(['first@y.example'])
  handOver(message('late'))
  await settled(100)
  expect(reported).toEqual(['first@y.example', 'late@y.example'])
  handOver(undefined)
  expect(await running).toEqual({ kind: 'idle' })
})

test('a session can be run again, but not twice at once', async () => {
  const { session } = await openFar(['PIPELINING'])
  const first = session.run(queueOf(2), ignore)
  await expect(session.run(queueOf(1), ignore)).rejects.toThrow('one run at a time')
  expect(await first).toEqual({ kind: 'idle' })
  expect(await session.run(queueOf(2), ignore)).toEqual({ kind: 'idle' })
})

test('when an outcome cannot be recorded, what is under way is finished, nothing more is begun, and the trouble is told', async () => {
  const { session } = await openFar(['PIPELINING'])
  let taken = 0
  let reported = 0
  const running = session.run(
    async () => {
      taken++
      return message()
    },
    async () => {
      reported++
      throw new Error('storage trouble')
    },
  )
  await expect(running).rejects.toThrow('storage trouble')
  expect(reported).toBe(taken)
  expect(taken).toBeLessThanOrEqual(2)
})

test('when the next message cannot be had, the one under way is reported before the trouble is told', async () => {
  const { session } = await openFar(['PIPELINING'])
  const kinds: string[] = []
  const queue = [message()]
  const running = session.run(
    async () => {
      const next = queue.shift()
      if (!next) throw new Error('no claims')
      return next
    },
    async (_transaction, [outcome]) => {
      kinds.push(outcome?.kind ?? '')
    },
  )
  await expect(running).rejects.toThrow('no claims')
  expect(kinds).toEqual(['sent'])
})

test('no more than eight messages are ahead of their records', async () => {
  const { session } = await openFar(['PIPELINING'])
  let sent = 0
  let recorded = 0
  let most = 0
  await session.run(queueOf(40), async () => {
    sent++
    most = Math.max(most, sent - recorded)
    await settled(200)
    recorded++
  })
  expect(sent).toBe(40)
  expect(most).toBeLessThanOrEqual(9)
})

test('the connection dies while the next message is being fetched: it comes back not begun', async () => {
  const { pipe } = farAway(['PIPELINING'])
  const session = await openSession(pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, stillClock())
  const kinds: string[] = []
  let handOver: (transaction: Transaction | undefined) => void = () => undefined
  const queue: (Transaction | undefined)[] = [message()]
  const running = session.run(
    async () =>
      queue.shift() ??
      new Promise((resolve) => {
        handOver = resolve
      }),
    async (_transaction, [outcome]) => {
      kinds.push(outcome?.kind ?? '')
    },
  )
  await settled(100)
  session.close()
  handOver(message())
  await settled(50)
  expect(kinds).toEqual(['sent', 'not_begun'])
  expect((await running).kind).toBe('closed')
})
