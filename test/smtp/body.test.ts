import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { Body, RecipientOutcome, Transaction } from '../../src/smtp/envelope.ts'
import type { Pipe } from '../../src/smtp/pipe.ts'
import { openSession } from '../../src/smtp/session.ts'
import { settled, stillClock } from './clock.ts'
import { scripted } from './scripted.ts'

const OPEN = 'S: 220 y\nC: EHLO x.example\nS: 250-y\nS: 250 PIPELINING\n'
const OFFERED = `${OPEN}C: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n`

function transaction(size: number, body: () => Body | Promise<Body>): Transaction {
  return { from: 'a@x.example', recipients: [{ address: 'b@y.example' }], size, eightBit: false, utf8: false, body }
}

async function send(
  script: string,
  one: Transaction,
): Promise<{ outcome?: RecipientOutcome; closed: boolean; said: string }> {
  const server = scripted(script)
  let outcome: RecipientOutcome | undefined
  const queue = [one]
  const session = openSession(server.pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, server.clock)
  const running = session.then((open) =>
    open.run(
      async () => queue.shift(),
      async (_transaction, outcomes) => {
        outcome = outcomes[0]
      },
    ),
  )
  await server.done
  await running
  return { outcome, closed: server.closed(), said: server.said() }
}

function stream(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(utf8(chunk))
      controller.close()
    },
  })
}

test('a body is streamed, its dots doubled across the chunks of the stream', async () => {
  const { outcome } = await send(
    `${OFFERED}C: a\nC: ..b\nC: ...\nC: .\nS: 250 ok`,
    transaction(8, async () => stream('a\r', '', '\n', '.b', '\n', '..')),
  )
  expect(outcome?.kind).toBe('sent')
})

test('a body that is not fetched before a recipient is accepted costs nothing when none is', async () => {
  let fetched = 0
  const one = transaction(1, () => {
    fetched++
    return utf8('x')
  })
  await send(
    `${OPEN}C: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 503 no`,
    one,
  )
  expect(fetched).toBe(0)
})

test('a body that fails, breaks off, hangs or has another length is never ended by a dot', async () => {
  const failing = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error('storage trouble'))
    },
  })
  const endless = () =>
    new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) })
  const bodies: [string, Transaction][] = [
    ['', transaction(3, () => Promise.reject(new Error('storage trouble')))],
    ['', transaction(3, () => failing)],
    ['', transaction(4, () => stream('abc'))],
    ['', transaction(2, () => stream('abc'))],
    ['', transaction(4, () => utf8('abc'))],
    ['', transaction(1, endless)],
    ['S! silence', transaction(3, () => new Promise<Body>(() => undefined))],
    ['S! silence', transaction(3, () => new ReadableStream<Uint8Array>())],
  ]
  for (const [script, one] of bodies) {
    const { outcome, closed, said } = await send(`${OFFERED}${script}`, one)
    expect(outcome).toMatchObject({ kind: 'deferred', reply: { code: 451, enhanced: '4.3.0', local: true } })
    expect(said).not.toMatch(/\n\.\r\n/)
    expect(closed).toBe(true)
  }
})

test.each([
  ['421 4.3.2 shutting down', { kind: 'deferred', reply: { code: 421, enhanced: '4.3.2' } }],
  ['552 5.3.4 too large', { kind: 'failed', reply: { code: 552 } }],
  ['250 thanks', { kind: 'deferred', reply: { code: 421, local: true } }],
])('an answer of %s in the middle of the body ends it without a dot', async (reply, expected) => {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(utf8('abc\r\n'))
      await settled(3)
    },
  })
  const { outcome, closed, said } = await send(
    `${OFFERED}C: abc\nS! heedless\nS: ${reply}`,
    transaction(100_000, () => body),
  )
  expect(outcome).toMatchObject(expected)
  expect(said).not.toMatch(/\n\.\r\n/)
  expect(closed).toBe(true)
})

const LARGE = 200_000

test('a server that stops reading in the middle of a body holds it up for a bounded time, and its last word counts', async () => {
  const one = () => transaction(LARGE, () => new Uint8Array(LARGE).fill(97))
  const deaf = OFFERED.replace('S: 250 ok\nS: 250 ok', 'S! deaf\nS! heedless\nS: 250 ok\nS: 250 ok')
  const silent = await send(`${deaf}S! silence\nS! silence`, one())
  expect(silent.outcome).toMatchObject({ kind: 'deferred', reply: { local: true } })
  expect(silent.closed).toBe(true)
  const spoken = await send(`${deaf}S! silence\nS: 552 5.3.4 too large`, one())
  expect(spoken.outcome).toMatchObject({ kind: 'failed', reply: { code: 552 } })
})

test.each([
  ['S! silence', 'unknown'],
  ['S: 354 go on', 'unknown'],
  ['S: 552 5.3.4 too large', 'failed'],
  ['S: 250 2.0.0 taken', 'sent'],
])('a write that may have carried the dot and hangs is judged by the last word (%s: %s)', async (last, kind) => {
  const deaf = OFFERED.replace('S: 250 ok\nS: 250 ok', 'S! deaf\nS! heedless\nS: 250 ok\nS: 250 ok')
  const { outcome, closed } = await send(
    `${deaf}S! silence\n${last}`,
    transaction(3, () => utf8('abc')),
  )
  expect(outcome?.kind).toBe(kind)
  expect(closed).toBe(true)
})

test('a body of 25 MiB is streamed as fast as it is taken, and never held whole', async () => {
  const chunk = new Uint8Array(256 * 1024).fill(97)
  const chunks = 100
  let pulled = 0
  let written = 0
  let ahead = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        pulled += chunk.length
        ahead = Math.max(ahead, pulled - written)
        if (pulled <= chunks * chunk.length) controller.enqueue(chunk)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  const pipe = answering((bytes) => {
    written += bytes.length
  })
  const session = await openSession(pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, stillClock())
  const queue = [transaction(chunks * chunk.length, () => body)]
  const kinds: string[] = []
  await session.run(
    async () => queue.shift(),
    async (_transaction, [outcome]) => {
      kinds.push(outcome?.kind ?? '')
    },
  )
  expect(kinds).toEqual(['sent'])
  expect(written).toBeGreaterThan(chunks * chunk.length)
  expect(ahead).toBeLessThanOrEqual(3 * chunk.length)
})

/** A server that takes all, each write a turn of the event loop late. */
function answering(onBytes: (bytes: Uint8Array) => void): Pipe {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      feed = controller
      controller.enqueue(utf8('220 y\r\n'))
    },
  })
  const answers: [RegExp, string][] = [
    [/^EHLO/, '250-y\r\n250 PIPELINING\r\n'],
    [/^MAIL/, '250 ok\r\n250 ok\r\n354 go\r\n'],
    [/\r\n\.\r\n$/, '250 ok\r\n'],
  ]
  const writable = new WritableStream<Uint8Array>({
    async write(bytes) {
      await settled(1)
      onBytes(bytes)
      const text = String.fromCharCode(...bytes.subarray(0, 4), ...bytes.subarray(-5))
      const [, answer] = answers.find(([asked]) => asked.test(text)) ?? []
      if (answer) feed?.enqueue(utf8(answer))
    },
  })
  return { readable, writable, close: async () => undefined }
}
