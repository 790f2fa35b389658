import { afterEach, expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { RecipientOutcome, Transaction } from '../../src/smtp/envelope.ts'
import { openSession, type SessionSettings } from '../../src/smtp/session.ts'
import { nodeClock, openNodePipe, type PipeTarget } from '../support/node-pipe.ts'
import { type Sink, type SinkOptions, startSink } from '../support/smtp-sink.ts'
import { makeTestCa } from '../support/tls.ts'

const ca = makeTestCa()
const tls = ca.issue(['localhost'], ['127.0.0.1'])
const login = { user: 'jo', password: 'geheim' }

let sink: Sink | undefined
afterEach(async () => {
  await sink?.close()
  sink = undefined
})

async function connectTo(options: SinkOptions, target: Partial<PipeTarget> = {}, more: Partial<SessionSettings> = {}) {
  const server = await startSink(options)
  sink = server
  const security = target.security ?? 'none'
  const pipe = await openNodePipe({ host: '127.0.0.1', port: server.port, security, ca: ca.caPem, ...target })
  const session = await openSession(pipe, { helo: 'x.example', security, allowClearAuth: false, ...more }, nodeClock)
  return { session, server }
}

function message(body: Uint8Array, to = ['b@y.example']): Transaction {
  const recipients = to.map((address) => ({ address }))
  return { from: 'a@x.example', recipients, size: body.length, eightBit: true, utf8: false, body: () => body }
}

async function send({ session }: Awaited<ReturnType<typeof connectTo>>, ...transactions: Transaction[]) {
  const outcomes: RecipientOutcome['kind'][][] = []
  await session.run(
    async () => transactions.shift(),
    async (_transaction, told) => {
      outcomes.push(told.map(({ kind }) => kind))
    },
  )
  await session.quit()
  return outcomes
}

test.each(['none', 'starttls', 'implicit'] as const)(
  'messages arrive to the byte over real sockets (%s)',
  async (security) => {
    const options = { ...(security === 'none' ? {} : { tls }), secure: security === 'implicit', login }
    const line = await connectTo(options, { security }, { auth: login, allowClearAuth: security === 'none' })
    const bodies = ['.\r\n..\r\n.a\r\n', 'ü\u2028.\r\n', '', 'x'.repeat(300_000), 'last\r\n'].map((text) => utf8(text))
    expect(await send(line, ...bodies.map((body) => message(body)))).toEqual(bodies.map(() => ['sent']))
    const { messages } = line.server
    expect(messages.map(({ bytes }) => bytes.toString())).toEqual([
      '.\r\n..\r\n.a\r\n',
      'ü\u2028.\r\n',
      '',
      `${'x'.repeat(300_000)}\r\n`,
      'last\r\n',
    ])
    expect(messages.every(({ secure, user }) => secure === (security !== 'none') && user === 'jo')).toBe(true)
    expect(line.server.connections()).toBe(1)
  },
)

test('a certificate of an unknown authority or another name is not spoken to', async () => {
  const other = makeTestCa()
  const failing = connectTo({ tls }, { security: 'starttls', ca: other.caPem }, { auth: login })
  await expect(failing).rejects.toMatchObject({ kind: 'temporary', stage: 'starttls' })
  expect(sink?.commands).toEqual(['EHLO x.example', 'STARTTLS'])
  await sink?.close()
  await expect(connectTo({ tls, secure: true }, { security: 'implicit', ca: other.caPem })).rejects.toThrow()
  await sink?.close()
  const wrongName = connectTo({ tls }, { security: 'starttls', servername: 'mail.example' })
  await expect(wrongName).rejects.toMatchObject({ stage: 'starttls' })
})

test('a wrong password is a permanent failure over real TLS', async () => {
  const failing = connectTo({ tls, login }, { security: 'starttls' }, { auth: { user: 'jo', password: 'wrong' } })
  await expect(failing).rejects.toMatchObject({ kind: 'permanent', stage: 'auth', reply: { code: 535 } })
})

test('each recipient is judged by its own reply over real sockets', async () => {
  const rcpt = (address: string) => (address.startsWith('no') ? '550 5.1.1 unknown' : undefined)
  const line = await connectTo({ reply: { rcpt } })
  expect(await send(line, message(utf8('a'), ['no@y.example', 'b@y.example']), message(utf8('b')))).toEqual([
    ['failed', 'sent'],
    ['sent'],
  ])
  expect(line.server.messages[0]?.recipients).toEqual([{ address: 'b@y.example', parameters: [] }])
})

test.each([
  ['greeting', 'refused'],
  ['ehlo', 'refused'],
  ['mail', 'deferred'],
  ['rcpt', 'deferred'],
  ['data', 'deferred'],
  ['body', 'unknown or deferred'],
  ['dot', 'unknown'],
] as const)('a real drop at %s is %s', async (dropAt, expected) => {
  const line = await connectTo({ dropAt }).catch(() => undefined)
  const [kind = 'refused'] = line ? ((await send(line, message(utf8('a'))))[0] ?? []) : []
  expect(expected.split(' or ')).toContain(kind)
  expect(sink?.messages.length).toBe(dropAt === 'dot' ? 1 : 0)
})

test.each([
  ['greeting', 'refused'],
  ['ehlo', 'refused'],
  ['mail', 'deferred'],
  ['rcpt', 'deferred'],
  ['data', 'deferred'],
  ['dot', 'unknown'],
] as const)('real silence at %s ends: %s', async (silentAt, expected) => {
  const timers = { greeting: 60, command: 60, envelope: 60, dot: 60, quit: 60 }
  const line = await connectTo({ silentAt }, {}, { timers }).catch(() => undefined)
  const [kind = 'refused'] = line ? ((await send(line, message(utf8('a'))))[0] ?? []) : []
  expect(kind).toBe(expected)
})
