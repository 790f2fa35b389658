import { expect, test } from 'vitest'
import { SessionError } from '../../src/smtp/errors.ts'
import { openSession, type SessionSettings } from '../../src/smtp/session.ts'
import { type Scripted, scripted } from './scripted.ts'

const PLAIN: SessionSettings = { helo: 'x.example', security: 'none', allowClearAuth: false }
const TLS: SessionSettings = { helo: 'x.example', security: 'starttls', allowClearAuth: false }
const auth = { user: 'jo', password: 'geheim-ü' }
const LOGGED_IN = 'AUTH PLAIN AGpvAGdlaGVpbS3DvA=='

async function refused(server: Scripted, settings: Partial<SessionSettings> = {}): Promise<SessionError> {
  const opening = openSession(server.pipe, { ...PLAIN, ...settings }, server.clock)
  const [error] = await Promise.all([opening.then(undefined, (thrown: unknown) => thrown), server.done])
  if (!(error instanceof SessionError)) throw new Error(`expected a SessionError, got ${error}`)
  expect(server.closed()).toBe(true)
  return error
}

async function opened(server: Scripted, settings: Partial<SessionSettings> = {}) {
  const session = await Promise.race([
    openSession(server.pipe, { ...PLAIN, ...settings }, server.clock),
    server.done.then(() => new Promise<never>(() => undefined)),
  ])
  await server.done
  return session
}

test('a session greets by its own name and reads what is offered', async () => {
  const server = scripted(`
    S: 220-y.example ESMTP
    S: 220 ready
    C: EHLO x.example
    S: 250-y.example
    S: 250-SIZE 1000
    S: 250-pipelining
    S: 250-AUTH=LOGIN
    S: 250-AUTH PLAIN  LOGIN
    S: 250-8BITMIME
    S: 250 DSN
  `)
  expect((await opened(server)).extensions).toEqual({
    pipelining: true,
    chunking: false,
    eightBit: true,
    utf8: false,
    dsn: true,
    starttls: false,
    size: true,
    sizeLimit: 1000,
    auth: ['LOGIN', 'PLAIN'],
  })
})

test('SIZE 0 is no limit (RFC 1870 section 4)', async () => {
  const { extensions } = await opened(scripted('S: 220 y\nC: EHLO x.example\nS: 250-y\nS: 250 SIZE 0'))
  expect(extensions.size).toBe(true)
  expect(extensions.sizeLimit).toBeUndefined()
})

test.each([
  { user: 'jo\0root', password: 'x' },
  { user: 'jo', password: 'x\0y' },
  { user: '', password: 'x' },
  { user: 'jo', password: '' },
])('credentials that PLAIN could not tell apart are not said: %j', async (credentials) => {
  const server = scripted('')
  expect(await refused(server, { auth: credentials, allowClearAuth: true })).toMatchObject({ stage: 'settings' })
})

test('a server that does not know EHLO is greeted by HELO, and offers nothing', async () => {
  const server = scripted(`
    S: 220 y.example
    C: EHLO x.example
    S: 500 what?
    C: HELO x.example
    S: 250
  `)
  expect((await opened(server)).extensions.pipelining).toBe(false)
})

test('replies that come byte by byte, with bare LF, or with bytes that are no text are understood', async () => {
  const server = scripted(`
    S! bytes
    S: 220-y.example ünïcode
    S: 220 ready
    C: EHLO x.example
    S! raw 250-y.example\\n250-SIZE 5\\n250 DSN\\n
  `)
  expect((await opened(server)).extensions).toMatchObject({ sizeLimit: 5, dsn: true })
})

test.each(['127.0.0.1', '::1', 'localhost', 'x.example\r\nRCPT', '[x]', 'x example', ''])(
  'EHLO never says %j: neither a full name nor an address literal',
  async (helo) => {
    const error = await refused(scripted(''), { helo })
    expect(error).toMatchObject({ stage: 'settings', kind: 'permanent' })
  },
)

test('an address literal is a name to greet with', async () => {
  const server = scripted(`
    S: 220 hi
    C: EHLO [127.0.0.1]
    S: 250 y
  `)
  await opened(server, { helo: '[127.0.0.1]' })
})

test.each([
  ['a server that never greets', 'S! silence', 'greeting'],
  ['a server that drops at once', 'S! drop', 'greeting'],
  ['a connection reset before the greeting', 'S! reset', 'greeting'],
  ['a greeting that breaks off', 'S! raw 220-hel\nS! drop', 'greeting'],
  ['half a greeting and then silence', 'S! raw 220-hel\nS! silence', 'greeting'],
  ['a greeting of 421', 'S: 421 too busy', 'greeting'],
  ['silence after EHLO', 'S: 220 y\nC: EHLO x.example\nS! silence', 'ehlo'],
  ['a drop after EHLO', 'S: 220 y\nC: EHLO x.example\nS! drop', 'ehlo'],
  ['a server that stops reading', 'S! deaf\nS: 220 y\nC: EHLO x.example\nS! silence', 'ehlo'],
  ['EHLO put off', 'S: 220 y\nC: EHLO x.example\nS: 451 later', 'ehlo'],
  ['a reply that never ends', 'S: 220 y\nC: EHLO x.example\nS! endless 250-more\\r\\n', 'ehlo'],
  ['a line that never ends', 'S! endless 250 more and more', 'greeting'],
  ['a reply line without a line end of more than 2048 octets', `S! raw 220 ${'x'.repeat(3000)}`, 'greeting'],
  ['garbage', 'S: HTTP/1.1 400 Bad Request', 'greeting'],
  ['one reply with two codes', 'S: 220-y\nS: 250 y', 'greeting'],
])('%s is a temporary failure in bounded time', async (_name, script, stage) => {
  expect(await refused(scripted(script))).toMatchObject({ stage, kind: 'temporary' })
})

test('a timer that fired leaves no other behind', async () => {
  const server = scripted('S! silence')
  await refused(server)
  expect(server.clock.timers).toBe(0)
})

test('a greeting of 554 is a permanent failure with its reply', async () => {
  const error = await refused(scripted('S: 554 5.7.1 no mail\u0007 here'))
  expect(error).toMatchObject({ stage: 'greeting', kind: 'permanent' })
  expect(error.reply).toEqual({ code: 554, enhanced: '5.7.1', text: 'no mail  here' })
})

test('what was offered before TLS counts no more after it', async () => {
  const server = scripted(`
    S: 220 y.example
    C: EHLO x.example
    S: 250-y.example
    S: 250-PIPELINING
    S: 250-AUTH LOGIN
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 go ahead
    S! tls
    C: EHLO x.example
    S: 250-y.example
    S: 250 AUTH PLAIN
    C: ${LOGGED_IN}
    S: 235 2.7.0 welcome
  `)
  const { extensions } = await opened(server, { ...TLS, auth })
  expect(extensions).toMatchObject({ pipelining: false, starttls: false, auth: ['PLAIN'] })
})

test('where STARTTLS is required and not offered nothing is sent, and the error names the fix', async () => {
  const server = scripted(`
    S: 220 y.example
    C: EHLO x.example
    S: 250-y.example
    S: 250 AUTH PLAIN
  `)
  const error = await refused(server, { ...TLS, auth })
  expect(error).toMatchObject({ stage: 'starttls', kind: 'permanent' })
  expect(error.message).toContain('465')
})

test.each([
  ['454 not now', 'temporary'],
  ['502 no', 'permanent'],
  ['421 bye', 'temporary'],
])('STARTTLS answered by %s is a %s failure', async (reply, kind) => {
  const server = scripted(`
    S: 220 y.example
    C: EHLO x.example
    S: 250-y.example
    S: 250 STARTTLS
    C: STARTTLS
    S: ${reply}
  `)
  expect(await refused(server, { ...TLS, auth })).toMatchObject({ stage: 'starttls', kind })
})

test('bytes that come between the STARTTLS reply and TLS end the session: they may be anybody’s', async () => {
  const server = scripted(`
    S: 220 y.example
    C: EHLO x.example
    S: 250-y.example
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 go ahead
    S: 250-injected.example
    S: 250 AUTH PLAIN
  `)
  const error = await refused(server, { ...TLS, auth })
  expect(error).toMatchObject({ stage: 'starttls', kind: 'temporary' })
  expect(error.message).toContain('between')
})

test('a handshake that fails or hangs is a failure of STARTTLS', async () => {
  const until =
    'S: 220 y\nC: EHLO x.example\nS: 250-y\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS! tls\nC: EHLO x.example\n'
  expect(await refused(scripted(`${until}S! reset`), TLS)).toMatchObject({ stage: 'starttls', kind: 'temporary' })
  expect(await refused(scripted(`${until}S! silence`), TLS)).toMatchObject({ stage: 'starttls', kind: 'temporary' })
})

test('a password never goes over a pipe in clear', async () => {
  const server = scripted('')
  const error = await refused(server, { auth })
  expect(error).toMatchObject({ stage: 'settings', kind: 'permanent' })
  expect(server.said()).toBe('')
})

const offering = (mechanisms: string) => `
  S: 220 y.example
  C: EHLO x.example
  S: 250-y.example
  S: 250 ${mechanisms}
`
const clear = { auth, allowClearAuth: true }

test('PLAIN is preferred, also where the server overlooks the initial response', async () => {
  await opened(scripted(`${offering('AUTH LOGIN PLAIN')}C: ${LOGGED_IN}\nS: 235 ok`), clear)
  const forgetful = `C: ${LOGGED_IN}\nS: 334 \nC: AGpvAGdlaGVpbS3DvA==\nS: 235 ok`
  await opened(scripted(offering('AUTH PLAIN') + forgetful), clear)
})

const LOGIN = 'C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: am8=\nS: 334 UGFzc3dvcmQ6\nC: Z2VoZWltLcO8\n'

test('LOGIN is spoken where PLAIN is not offered, or is not there after all', async () => {
  await opened(scripted(`${offering('AUTH LOGIN XOAUTH2')}${LOGIN}S: 235 ok`), clear)
  const lying = `${offering('AUTH PLAIN LOGIN')}C: ${LOGGED_IN}\nS: 504 5.5.4 no such mechanism\n${LOGIN}S: 235 ok`
  await opened(scripted(lying), clear)
})

test.each([
  ['AUTH PLAIN', `C: ${LOGGED_IN}\nS: 334 bW9yZT8=\nC: *\nS: 501 cancelled`],
  ['AUTH PLAIN', `C: ${LOGGED_IN}\nS: 334 \nC: AGpvAGdlaGVpbS3DvA==\nS: 334 \nC: *\nS: 235 as you like`],
  ['AUTH LOGIN', 'C: AUTH LOGIN\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 501 cancelled'],
  ['AUTH LOGIN', `${LOGIN}S: 334 bW9yZT8=\nC: *\nS: 501 cancelled`],
])('a challenge nobody expected is cancelled (%s)', async (offer, script) => {
  expect(await refused(scripted(offering(offer) + script), clear)).toMatchObject({ stage: 'auth', kind: 'permanent' })
})

test.each([
  ['535 5.7.8 wrong', 'permanent'],
  ['454 4.7.0 later', 'temporary'],
  ['421 bye', 'temporary'],
])('a login answered by %s is a %s failure, and is not tried by another mechanism', async (reply, kind) => {
  const server = scripted(`${offering('AUTH PLAIN LOGIN')}C: ${LOGGED_IN}\nS: ${reply}`)
  expect(await refused(server, clear)).toMatchObject({ stage: 'auth', kind })
})

test('a server that repeats the password does not bring it into our errors', async () => {
  const echo = `C: ${LOGGED_IN}\nS: 500 unknown: ${LOGGED_IN} (geheim-ü)`
  const error = await refused(scripted(offering('AUTH PLAIN') + echo), clear)
  const shown = JSON.stringify([error.message, error.reply, String(error.stack)])
  expect(shown).not.toMatch(/geheim|AGpvAGdlaGVpbS3DvA/)
})

test('no mechanism in common is a permanent failure that names what is offered', async () => {
  const error = await refused(scripted(offering('AUTH GSSAPI')), clear)
  expect(error).toMatchObject({ stage: 'auth', kind: 'permanent' })
  expect(error.message).toContain('GSSAPI')
})

test('a drop or silence in the login is temporary', async () => {
  expect(await refused(scripted(`${offering('AUTH PLAIN')}C: ${LOGGED_IN}\nS! drop`), clear)).toMatchObject({
    stage: 'auth',
    kind: 'temporary',
  })
  expect(await refused(scripted(`${offering('AUTH PLAIN')}C: ${LOGGED_IN}\nS! silence`), clear)).toMatchObject({
    stage: 'auth',
    kind: 'temporary',
  })
})

test('quit says so, and is bounded where the server does not answer', async () => {
  const polite = scripted('S: 220 y\nC: EHLO x.example\nS: 250 y\nC: QUIT\nS: 221 bye')
  const session = await openSession(polite.pipe, PLAIN, polite.clock)
  await session.quit()
  await polite.done
  expect(polite.closed()).toBe(true)

  const rude = scripted('S: 220 y\nC: EHLO x.example\nS: 250 y\nC: QUIT\nS! silence')
  await (await openSession(rude.pipe, PLAIN, rude.clock)).quit()
  await rude.done
  expect(rude.closed()).toBe(true)
})

test('a pipe whose close never ends or throws holds nothing up', async () => {
  for (const close of [() => new Promise<void>(() => undefined), () => Promise.reject(new Error('no'))]) {
    const server = scripted('S: 554 no')
    const opening = openSession({ ...server.pipe, close }, PLAIN, server.clock)
    await expect(opening).rejects.toThrow(SessionError)
  }
})
