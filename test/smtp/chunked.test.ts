import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { RecipientOutcome, Transaction } from '../../src/smtp/envelope.ts'
import { openSession } from '../../src/smtp/session.ts'
import { nodeClock, openNodePipe } from '../support/node-pipe.ts'
import { SINK_EXTENSIONS, startSink } from '../support/smtp-sink.ts'
import { type Scripted, scripted } from './scripted.ts'

const OPEN = 'S: 220 y\nC: EHLO x.example\nS: 250-y\nS: 250-PIPELINING\nS: 250 CHUNKING\n'

function message(name: string, more: Partial<Transaction> = {}): Transaction {
  const body = utf8(`Subject: ${name}\r\n\r\n`)
  const recipients = [{ address: `${name}@y.example` }]
  const given = { from: 'a@x.example', recipients, size: body.length, eightBit: false, utf8: false, body: () => body }
  return { ...given, ...more }
}

async function run(server: Scripted, transactions: Transaction[]) {
  const outcomes: string[] = []
  const session = openSession(server.pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, server.clock)
  const running = session.then((open) =>
    open.run(
      async () => transactions.shift(),
      async (_transaction, told) => {
        outcomes.push(told.map(brief).join(', '))
      },
    ),
  )
  await server.done
  const end = await running
  return { outcomes, end: end.kind, left: transactions.length }
}

function brief(outcome: RecipientOutcome): string {
  return 'reason' in outcome ? outcome.kind : `${outcome.kind} ${outcome.reply.code}`
}

const ONE = 'C: MAIL FROM:<a@x.example>\nC: RCPT TO:<one@y.example>\nC: BDAT 16 LAST\nC: Subject: one\nC: \n'
const NEXT = (name: string) =>
  `C: RSET\nC: MAIL FROM:<a@x.example>\nC: RCPT TO:<${name}@y.example>\nC: BDAT ${13 + name.length} LAST\nC: Subject: ${name}\nC: \n`
const TAKEN = 'S: 250 ok\nS: 250 ok\nS: 250 2.0.0 taken\n'

test('small messages go one behind the other, four at most before the first is answered', async () => {
  const server = scripted(
    `${OPEN}${ONE}${NEXT('two')}${NEXT('three')}${NEXT('four')}${TAKEN}${NEXT('five')}
    S: 250 ok
    ${TAKEN}S: 250 ok
    ${TAKEN}S: 250 ok
    ${TAKEN}S: 250 ok
    ${TAKEN}`,
  )
  const all = ['one', 'two', 'three', 'four', 'five'].map((name) => message(name))
  expect(await run(server, all)).toEqual({ outcomes: Array(5).fill('sent 250'), end: 'idle', left: 0 })
})

test('a refused MAIL, RCPT or message touches no other', async () => {
  const server = scripted(
    `${OPEN}${ONE}${NEXT('two')}${NEXT('three')}${NEXT('four')}
    S: 451 4.7.1 later
    S: 503 MAIL first
    S: 503 MAIL first
    S: 250 reset
    S: 250 ok
    S: 550 5.1.1 unknown
    S: 503 RCPT first
    S: 250 reset
    S: 250 ok
    S: 250 ok
    S: 554 5.7.1 policy
    S: 250 reset
    ${TAKEN}`,
  )
  const { outcomes } = await run(
    server,
    ['one', 'two', 'three', 'four'].map((name) => message(name)),
  )
  expect(outcomes).toEqual(['deferred 451', 'failed 550', 'failed 554', 'sent 250'])
})

test('when the connection breaks, all that is in flight is unknown, and only that', async () => {
  for (const trouble of ['drop', 'reset', 'silence']) {
    const server = scripted(
      `${OPEN}${ONE}${NEXT('two')}${NEXT('three')}${NEXT('four')}${TAKEN}S! heedless\nS! ${trouble}`,
    )
    const { outcomes, end, left } = await run(
      server,
      ['one', 'two', 'three', 'four', 'five', 'six'].map((name) => message(name)),
    )
    expect(outcomes.slice(0, 4)).toEqual(['sent 250', 'unknown', 'unknown', 'unknown'])
    expect(['unknown', 'not_begun']).toContain(outcomes[4] ?? 'not_begun')
    expect(end).toBe('closed')
    expect(left + outcomes.length).toBe(6)
    expect(server.clock.timers).toBe(0)
  }
})

test('after a 421 what was sent behind it was not begun', async () => {
  const server = scripted(`${OPEN}${ONE}${NEXT('two')}${NEXT('three')}${TAKEN}S: 250 reset\nS: 421 4.3.2 bye`)
  const { outcomes, end } = await run(
    server,
    ['one', 'two', 'three'].map((name) => message(name)),
  )
  expect(outcomes).toEqual(['sent 250', 'not_begun', 'not_begun'])
  expect(end).toBe('closed')
})

test('line ends are set right and dots are left alone', async () => {
  const body = utf8('a\n.b\r..\r\n.')
  const server = scripted(
    `${OPEN}C: MAIL FROM:<a@x.example>\nC: RCPT TO:<one@y.example>\nC: BDAT 14 LAST\nC: a\nC: .b\nC: ..\nC: .\n${TAKEN}`,
  )
  const { outcomes } = await run(server, [message('one', { body: () => body, size: body.length })])
  expect(outcomes).toEqual(['sent 250'])
})

test('a body that cannot be had, or has another length, is not sent, and the connection goes on', async () => {
  const server = scripted(`${OPEN}${NEXT('one')}S: 250 reset\n${TAKEN}`)
  const { outcomes, end } = await run(server, [
    message('bad', { body: () => Promise.reject(new Error('storage trouble')) }),
    message('bad', { size: 17 }),
    message('bad', { size: 15 }),
    message('one'),
  ])
  expect(outcomes).toEqual(['deferred 451', 'deferred 451', 'deferred 451', 'sent 250'])
  expect(end).toBe('idle')
})

test('a refused MAIL is the reply that counts where recipients were taken all the same', async () => {
  const server = scripted(`${OPEN}${ONE}S: 550 5.7.1 not you\nS: 250 ok\nS: 503 5.5.1 MAIL first`)
  expect((await run(server, [message('one')])).outcomes).toEqual(['failed 550'])
})

test('a server that stops reading or breaks in the middle of a write loses no outcome', async () => {
  const server = scripted(`${OPEN}S! deaf\nS! heedless\nS! silence\nS! silence`)
  const { outcomes, end, left } = await run(server, [message('one'), message('two')])
  expect(outcomes).toEqual(['unknown'])
  expect({ end, left }).toEqual({ end: 'closed', left: 1 })
})

test('a large message waits for those in flight, and nothing of them is left before it', async () => {
  const server = scripted(
    `${OPEN}${ONE}
    S: 250 ok
    S: 550 5.1.1 unknown
    S: 503 RCPT first
    C: RSET
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<two@y.example>
    C: DATA
    S: 250 reset
    S: 250 ok
    S: 552 5.3.4 too large
    S: 503 RCPT first`,
  )
  const { outcomes } = await run(server, [message('one'), message('two', { size: 300_000 })])
  expect(outcomes).toEqual(['failed 550', 'failed 552'])
})

test('large messages go by DATA between small ones, all to the byte, over real sockets', async () => {
  const sink = await startSink({
    extensions: [...SINK_EXTENSIONS, 'CHUNKING'],
    delay: 1,
    reply: { rcpt: (address) => (address.startsWith('no') ? '550 5.1.1 unknown' : undefined) },
  })
  try {
    const pipe = await openNodePipe({ host: '127.0.0.1', port: sink.port, security: 'none' })
    const session = await openSession(pipe, { helo: 'x.example', security: 'none', allowClearAuth: false }, nodeClock)
    const bodies = Array.from({ length: 40 }, (_, at) =>
      utf8(`Subject: ${at}\r\n\r\n.\r\n..x${'y'.repeat(at % 7 === 3 ? 300_000 : at * 100)}\r\n`),
    )
    const queue = bodies.map((body, at) =>
      message('x', {
        size: body.length,
        body: () => body,
        recipients: [{ address: `${at % 5 === 4 ? 'no' : 'b'}@y.example` }],
      }),
    )
    const kinds: (string | undefined)[] = []
    await session.run(
      async () => queue.shift(),
      async (_transaction, [outcome]) => {
        kinds.push(outcome?.kind)
      },
    )
    await session.quit()
    expect(kinds).toEqual(bodies.map((_, at) => (at % 5 === 4 ? 'failed' : 'sent')))
    expect(sink.messages.map(({ bytes }) => bytes.toString())).toEqual(
      bodies.filter((_, at) => at % 5 !== 4).map((body) => Buffer.from(body).toString()),
    )
    expect(sink.commands.filter((command) => command === 'DATA').length).toBeGreaterThan(3)
    expect(sink.connections()).toBe(1)
  } finally {
    await sink.close()
  }
})
