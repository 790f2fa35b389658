import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { RecipientOutcome, Transaction } from '../../src/smtp/envelope.ts'
import { openSession, type SessionSettings } from '../../src/smtp/session.ts'
import { type Scripted, scripted } from './scripted.ts'

const HELLO = 'S: 220 y\nC: EHLO x.example\nS: 250-y\n'
const PIPELINED = `${HELLO}S: 250 PIPELINING\n`
const LOCK_STEP = `${HELLO}S: 250 HELP\n`

const settings: SessionSettings = { helo: 'x.example', security: 'none', allowClearAuth: false }

function message(name: string, more: Partial<Transaction> = {}): Transaction {
  const body = utf8(`Subject: ${name}\r\n\r\n`)
  const recipients = [{ address: `${name}@y.example` }]
  const given = { from: 'a@x.example', recipients, size: body.length, eightBit: false, utf8: false, body: () => body }
  return { ...given, ...more }
}

function to(...names: string[]) {
  return names.map((name) => ({ address: `${name}@y.example` }))
}

/** What a recipient's outcome comes down to. */
function brief(outcome: RecipientOutcome): string {
  if (outcome.kind === 'unknown' || outcome.kind === 'not_begun') return outcome.kind
  const { code, enhanced, local } = outcome.reply
  return [outcome.kind, code, enhanced, local && 'local'].filter(Boolean).join(' ')
}

/** Runs the transactions against the script; gives the outcomes in the order they were reported. */
async function run(server: Scripted, transactions: Transaction[]) {
  const reported: [Transaction, RecipientOutcome[]][] = []
  const queue = [...transactions]
  const running = openSession(server.pipe, settings, server.clock).then((session) =>
    session.run(
      async () => queue.shift(),
      async (transaction, outcomes) => {
        reported.push([transaction, outcomes])
      },
    ),
  )
  await server.done
  const end = await running
  return { end, reported, outcomes: reported.map(([, outcomes]) => outcomes.map(brief).join(', ')), left: queue.length }
}

const GROUP = (name: string) => `C: MAIL FROM:<a@x.example>\nC: RCPT TO:<${name}@y.example>\nC: DATA\n`
const TAKEN = 'S: 250 ok\nS: 250 ok\nS: 354 go\n'
const BODY = (name: string) => `C: Subject: ${name}\nC: \nC: .\n`

test('pipelined, a message costs one round trip: the next envelope rides behind the dot', async () => {
  const server = scripted(
    `${PIPELINED}${GROUP('one')}${TAKEN}
    ${BODY('one')}${GROUP('two')}
    S: 250 2.0.0 queued 1
    ${TAKEN}
    ${BODY('two')}${GROUP('three')}
    S: 250 2.0.0 queued 2
    ${TAKEN}
    ${BODY('three')}
    S: 250 2.0.0 queued 3`,
  )
  const { outcomes, end, reported } = await run(server, [message('one'), message('two'), message('three')])
  expect(outcomes).toEqual(['sent 250 2.0.0', 'sent 250 2.0.0', 'sent 250 2.0.0'])
  expect(reported.map(([, [outcome]]) => outcome?.kind === 'sent' && outcome.reply.text)).toEqual([
    'queued 1',
    'queued 2',
    'queued 3',
  ])
  expect(end).toEqual({ kind: 'idle' })
})

test('a server that pipelines but answers late and byte by byte works', async () => {
  const server = scripted(
    `${PIPELINED}S! bytes
    ${GROUP('one')}${TAKEN}${BODY('one')}${GROUP('two')}
    S: 250-2.0.0 queued
    S: 250 2.0.0 as one
    ${TAKEN}${BODY('two')}
    S: 250 ok`,
  )
  expect((await run(server, [message('one'), message('two')])).outcomes).toEqual(['sent 250 2.0.0', 'sent 250'])
})

test('without PIPELINING every command waits for its reply', async () => {
  const server = scripted(`${LOCK_STEP}
    C: MAIL FROM:<a@x.example>
    S: 250 ok
    C: RCPT TO:<one@y.example>
    S: 250 ok
    C: DATA
    S: 354 go
    ${BODY('one')}
    S: 250 ok
    C: MAIL FROM:<>
    S: 250 ok
    C: RCPT TO:<two@y.example>
    S: 251 will forward
    C: DATA
    S: 354 go
    ${BODY('two')}
    S: 250 ok
  `)
  const { outcomes } = await run(server, [message('one'), message('two', { from: '' })])
  expect(outcomes).toEqual(['sent 250', 'sent 250'])
})

const THREE =
  'C: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\nC: RCPT TO:<c@y.example>\nC: RCPT TO:<d@y.example>\n'

test('each recipient is judged by its own reply', async () => {
  const server = scripted(
    `${PIPELINED}${THREE}C: DATA
    S: 250 ok
    S: 550 5.1.1 unknown
    S: 250 ok
    S: 450 4.2.1 busy
    S: 354 go
    ${BODY('x')}
    S: 250 ok`,
  )
  const { outcomes } = await run(server, [message('x', { recipients: to('b', 'c', 'd') })])
  expect(outcomes).toEqual(['failed 550 5.1.1, sent 250, deferred 450 4.2.1'])
})

test('the reply to the dot, or to DATA, is that of every accepted recipient and of no other', async () => {
  const dot = scripted(
    `${PIPELINED}${THREE}C: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 354 go\n${BODY('x')}S: 451 4.3.0 disk`,
  )
  const x = message('x', { recipients: to('b', 'c', 'd') })
  expect((await run(dot, [x])).outcomes).toEqual(['deferred 451 4.3.0, failed 550 5.1.1, deferred 451 4.3.0'])
  const data = scripted(`${PIPELINED}${THREE}C: DATA\nS: 250 ok\nS: 250 ok\nS: 450 no\nS: 250 ok\nS: 554 5.7.1 policy`)
  expect((await run(data, [x])).outcomes).toEqual(['failed 554 5.7.1, deferred 450, failed 554 5.7.1'])
})

test('552 for a recipient means too many recipients and passes, unless it speaks of the message', async () => {
  const server = scripted(`${LOCK_STEP}
    C: MAIL FROM:<a@x.example>
    S: 250 ok
    C: RCPT TO:<b@y.example>
    S: 552 5.5.3 too many
    C: RCPT TO:<c@y.example>
    S: 552 5.3.4 too large
  `)
  const { outcomes } = await run(server, [message('x', { recipients: to('b', 'c') })])
  expect(outcomes).toEqual(['deferred 552 5.5.3, failed 552 5.3.4'])
})

test('a server that takes DATA without a recipient gets an empty message, and the next follows', async () => {
  const server = scripted(
    `${PIPELINED}${GROUP('one')}
    S: 250 ok
    S: 550 5.1.1 unknown
    S: 354 go
    C: .
    S: 554 no valid recipients
    ${GROUP('two')}${TAKEN}${BODY('two')}
    S: 250 ok`,
  )
  const { outcomes } = await run(server, [message('one'), message('two')])
  expect(outcomes).toEqual(['failed 550 5.1.1', 'sent 250'])
})

test('a server that refuses DATA without a recipient is reset before the next', async () => {
  const server = scripted(
    `${PIPELINED}${GROUP('one')}
    S: 250 ok
    S: 550 5.1.1 unknown
    S: 503 no valid recipients
    C: RSET
    ${GROUP('two')}
    S: 250 flushed
    ${TAKEN}${BODY('two')}
    S: 250 ok`,
  )
  const { outcomes } = await run(server, [message('one'), message('two')])
  expect(outcomes).toEqual(['failed 550 5.1.1', 'sent 250'])
})

test('a refused MAIL is the reply of all, and the next message is tried', async () => {
  const pipelined = scripted(
    `${PIPELINED}${GROUP('one')}
    S: 451 4.7.1 come back later
    S: 503 need MAIL
    S: 503 need RCPT
    C: RSET
    ${GROUP('two')}
    S: 250 ok
    ${TAKEN}${BODY('two')}
    S: 250 ok`,
  )
  expect((await run(pipelined, [message('one'), message('two')])).outcomes).toEqual(['deferred 451 4.7.1', 'sent 250'])
  const lockStep = scripted(`${LOCK_STEP}C: MAIL FROM:<a@x.example>\nS: 550 5.7.1 not you`)
  expect((await run(lockStep, [message('one')])).outcomes).toEqual(['failed 550 5.7.1'])
})

test('a message refused by MAIL is never completed by a dot, even where the server asks for it', async () => {
  const server = scripted(`${PIPELINED}${GROUP('one')}S: 550 5.7.1 not you\nS: 250 ok\nS: 354 go`)
  const { outcomes, end } = await run(server, [message('one')])
  expect(outcomes).toEqual(['failed 550 5.7.1'])
  expect(end.kind).toBe('closed')
  expect(server.closed()).toBe(true)
})

test('where RSET is refused the connection is given up', async () => {
  const server = scripted(
    `${PIPELINED}${GROUP('one')}S: 250 ok\nS: 250 ok\nS: 451 4.3.0 later
    C: RSET
    ${GROUP('two')}
    S: 500 what`,
  )
  const { outcomes, end } = await run(server, [message('one'), message('two')])
  expect(outcomes).toEqual(['deferred 451 4.3.0', 'not_begun'])
  expect(end.kind).toBe('closed')
})

const OFFER = `${PIPELINED}${GROUP('one')}`
const LOCAL = 'deferred 421 4.4.2 local'

test.each([
  ['after MAIL', OFFER, LOCAL],
  ['after a RCPT', `${OFFER}S: 250 ok\nS: 250 ok\n`, LOCAL],
  ['after 354', `${OFFER}${TAKEN}`, 'unknown'],
  ['after the dot', `${OFFER}${TAKEN}${BODY('one')}`, 'unknown'],
  ['in the middle of the reply to the dot', `${OFFER}${TAKEN}${BODY('one')}S! raw 250 o\n`, 'unknown'],
  ['in the middle of a long reply to the dot', `${OFFER}${TAKEN}${BODY('one')}S: 250-ok\n`, 'unknown'],
])('a drop, a reset and silence %s are told apart by what the server may have', async (_name, script, outcome) => {
  for (const trouble of ['drop', 'reset', 'silence']) {
    // A drop that is known before the body goes is known not to have brought it.
    const noticed = script.endsWith(TAKEN) && trouble !== 'silence'
    const waits = script.endsWith(TAKEN) && !noticed ? BODY('one') : ''
    const server = scripted(`${script}${waits}S! ${trouble}`)
    const { outcomes, end } = await run(server, [message('one')])
    expect(outcomes, trouble).toEqual([noticed ? LOCAL : outcome])
    expect(end.kind).toBe('closed')
    expect(server.clock.timers).toBe(0)
  }
})

test('when the dot’s reply is lost, that message is unknown and the one behind it was not begun', async () => {
  const server = scripted(`${OFFER}${TAKEN}${BODY('one')}${GROUP('two')}S! drop`)
  const { outcomes, left } = await run(server, [message('one'), message('two'), message('three')])
  expect(outcomes).toEqual(['unknown', 'not_begun'])
  expect(left).toBe(1)
})

test.each([
  ['MAIL', OFFER, 'deferred 421 4.3.2'],
  ['RCPT', `${OFFER}S: 250 ok\n`, 'deferred 421 4.3.2'],
  ['DATA', `${OFFER}S: 250 ok\nS: 250 ok\n`, 'deferred 421 4.3.2'],
  ['the dot', `${OFFER}${TAKEN}${BODY('one')}${GROUP('two')}`, 'deferred 421 4.3.2, not_begun'],
])('421 as the reply to %s ends the session and loses nothing', async (_name, script, expected) => {
  const server = scripted(`${script}S: 421 4.3.2 shutting down`)
  const { outcomes, end } = await run(server, [message('one'), message('two')])
  expect(outcomes.join(', ')).toBe(expected)
  expect(end).toMatchObject({ kind: 'closed', reply: { code: 421 } })
})

test('a server that takes only so many messages a connection costs the next no attempt', async () => {
  const server = scripted(`${OFFER}${TAKEN}${BODY('one')}${GROUP('two')}S: 250 ok\nS: 421 4.7.0 enough`)
  expect((await run(server, [message('one'), message('two')])).outcomes).toEqual(['sent 250', 'not_begun'])
})

test('recipients refused before a 421 keep their own reply', async () => {
  const server = scripted(`${PIPELINED}${THREE}C: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 421 4.3.2 bye`)
  const { outcomes } = await run(server, [message('x', { recipients: to('b', 'c', 'd') })])
  expect(outcomes).toEqual(['failed 550 5.1.1, deferred 421 4.3.2, deferred 421 4.3.2'])
})

test('garbage, an endless reply, or 354 as the reply to the dot leave the message unknown', async () => {
  for (const nonsense of ['S: what', 'S! endless 250-more\\r\\n', 'S: 354 go on', 'S: 250-a\nS: 550 b']) {
    const server = scripted(`${OFFER}${TAKEN}${BODY('one')}${nonsense}`)
    expect((await run(server, [message('one')])).outcomes).toEqual(['unknown'])
  }
})

test('a reply too many is never taken for that of the dot', async () => {
  const server = scripted(`${OFFER}S: 250 ok\n${TAKEN}`)
  expect((await run(server, [message('one')])).outcomes).toEqual([LOCAL])
  const late = scripted(`${OFFER}${TAKEN}S: 250 taken already`)
  expect((await run(late, [message('one')])).outcomes).toEqual([LOCAL])
})

test('what cannot be sent here fails with a reply of our own, and nothing is said of it', async () => {
  const server = scripted(`${HELLO}S: 250 SIZE 1000`)
  const { outcomes, end } = await run(server, [
    message('one', { size: 1001 }),
    message('one', { eightBit: true }),
    message('one', { utf8: true }),
    message('one', { from: 'ü@x.example' }),
    message('one', { recipients: [{ address: 'ü@y.example' }] }),
  ])
  expect(outcomes).toEqual([
    'failed 552 5.3.4 local',
    'failed 554 5.6.3 local',
    'failed 553 5.6.7 local',
    'failed 553 5.6.7 local',
    'failed 553 5.6.7 local',
  ])
  expect(end.kind).toBe('idle')
})

test('parameters are said where they are offered', async () => {
  const transaction = message('one', {
    eightBit: true,
    utf8: true,
    envelopeId: 'a+b=c d',
    ret: 'HDRS',
    recipients: [{ address: 'one@y.example', notify: 'FAILURE,DELAY', orcpt: 'o+ne@y.example' }],
  })
  const server = scripted(`${HELLO}
    S: 250-SIZE
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 DSN
    C: MAIL FROM:<a@x.example> SIZE=16 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc+20d
    S: 250 ok
    C: RCPT TO:<one@y.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;o+2Bne@y.example
    S: 450 later
  `)
  expect((await run(server, [transaction])).outcomes).toEqual(['deferred 450'])
  const bare = scripted(`${HELLO}S: 250-8BITMIME\nS: 250 SMTPUTF8
    C: MAIL FROM:<a@x.example> BODY=8BITMIME SMTPUTF8
    S: 250 ok
    C: RCPT TO:<one@y.example>
    S: 450 later
  `)
  expect((await run(bare, [transaction])).outcomes).toEqual(['deferred 450'])
})

test.each([
  'b@y.example\r\nRCPT TO:<evil@y.example>',
  'b@y.example> NOTIFY=NEVER',
  '<b@y.example',
  'b c@y.example',
  'b@y.example\n',
  'b\0@y.example',
  'b\u0085@y.example',
  'b\u2028@y.example',
  'b\ud800@y.example',
  `${'b'.repeat(250)}@y.example`,
  'b',
  '@y.example',
  '',
])('the address %j reaches no command, and its neighbours are not held up by it', async (address) => {
  const server = scripted(`${PIPELINED}${GROUP('one')}S: 250 ok\nS: 450 later\nS: 503 no`)
  const { outcomes } = await run(server, [
    message('one', { recipients: [{ address }, ...to('one')] }),
    ...(address === '' ? [] : [message('one', { from: address })]),
    message('one', { recipients: [{ address: 'one@y.example', orcpt: address || 'no' }] }),
    message('one', { recipients: [{ address: 'one@y.example', notify: 'NEVER X=Y' }] }),
    message('one', { envelopeId: 'x\r\ny' }),
  ])
  expect(outcomes).toEqual([
    'failed 553 5.1.3 local, deferred 450',
    ...(address === '' ? [] : ['failed 553 5.1.7 local']),
    'failed 553 5.1.3 local',
    'failed 553 5.1.3 local',
    'failed 553 5.1.7 local',
  ])
})
