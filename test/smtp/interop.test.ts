/** Against another's server: the smtp-server package, as it comes. */
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { RecipientOutcome, Transaction } from '../../src/smtp/envelope.ts'
import { openSession } from '../../src/smtp/session.ts'
import { nodeClock, openNodePipe } from '../support/node-pipe.ts'
import { makeTestCa } from '../support/tls.ts'

const ca = makeTestCa()
const tls = ca.issue(['localhost'])
const stop: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of stop.splice(0)) await end()
})

async function serve(options: SMTPServerOptions) {
  const server = new SMTPServer({ ...tls, ...options })
  const listener = server.listen(0, '127.0.0.1')
  server.on('error', () => undefined)
  await once(listener, 'listening')
  stop.push(() => new Promise((resolve) => server.close(() => resolve())))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const auth = { user: 'jo', password: 'geheim-ü' }

test.each([['PLAIN'], ['LOGIN']])(
  'fifty messages over STARTTLS and AUTH %s, some refused, arrive as they were',
  async (mechanism) => {
    const taken: { from: string; to: string[]; bytes: Buffer; secure: boolean }[] = []
    const port = await serve({
      authMethods: [mechanism],
      onAuth: ({ username, password }, _session, callback) => {
        callback(username === auth.user && password === auth.password ? null : new Error('no'), { user: username })
      },
      onRcptTo: ({ address }, _session, callback) => {
        callback(address.startsWith('no') ? Object.assign(new Error('unknown'), { responseCode: 550 }) : null)
      },
      onData: async (stream, { envelope, secure }, callback) => {
        const bytes = await buffer(stream)
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
        taken.push({ from, to: envelope.rcptTo.map(({ address }) => address), bytes, secure })
        callback(null)
      },
    })
    const pipe = await openNodePipe({
      host: '127.0.0.1',
      port,
      security: 'starttls',
      ca: ca.caPem,
      servername: 'localhost',
    })
    const session = await openSession(
      pipe,
      { helo: '[127.0.0.1]', security: 'starttls', auth, allowClearAuth: false },
      nodeClock,
    )
    expect(session.extensions).toMatchObject({ pipelining: true, eightBit: true, utf8: true })

    const bodies = Array.from({ length: 50 }, (_, at) =>
      utf8(`Subject: ${at}\r\n\r\n.\r\n.ü${'y'.repeat(at * 997)}\r\n`),
    )
    const queue = bodies.map((body, at): Transaction => {
      const recipients = [...(at % 5 === 0 ? ['no@y.example'] : []), ...(at % 10 === 0 ? [] : ['b@y.example'])]
      const given = { eightBit: true, utf8: false, body: () => body, size: body.length }
      return {
        from: at % 7 === 0 ? '' : 'a@x.example',
        recipients: recipients.map((address) => ({ address })),
        ...given,
      }
    })
    const kinds: RecipientOutcome['kind'][][] = []
    const end = await session.run(
      async () => queue.shift(),
      async (_transaction, outcomes) => {
        kinds.push(outcomes.map(({ kind }) => kind))
      },
    )
    await session.quit()
    expect(end).toEqual({ kind: 'idle' })
    expect(kinds).toEqual(
      bodies.map((_, at) => [...(at % 5 === 0 ? ['failed'] : []), ...(at % 10 === 0 ? [] : ['sent'])]),
    )
    const expected = bodies.filter((_, at) => at % 10 !== 0)
    expect(taken.map(({ bytes }) => bytes.toString())).toEqual(expected.map((body) => Buffer.from(body).toString()))
    expect(taken.every(({ secure, to }) => secure && to.join() === 'b@y.example')).toBe(true)
  },
)

test('a message over the size that the server names is not begun there', async () => {
  const port = await serve({
    size: 1000,
    authOptional: true,
    onData: (stream, _session, callback) => {
      stream.resume().on('end', () => callback(null))
    },
  })
  const pipe = await openNodePipe({ host: '127.0.0.1', port, security: 'none' })
  const session = await openSession(pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, nodeClock)
  const body = new Uint8Array(1001)
  const queue: Transaction[] = [
    { from: '', recipients: [{ address: 'b@y.example' }], size: 1001, eightBit: false, utf8: false, body: () => body },
  ]
  const told: RecipientOutcome[] = []
  await session.run(
    async () => queue.shift(),
    async (_transaction, outcomes) => {
      told.push(...outcomes)
    },
  )
  await session.quit()
  expect(told).toMatchObject([{ kind: 'failed', reply: { enhanced: '5.3.4', local: true } }])
})
