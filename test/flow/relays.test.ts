/** Several real servers on loopback, each failing in its own way, before the one Worker. */
import { createServer, type Server } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { type Sink, type SinkOptions, startSink } from '../support/smtp-sink.ts'
import { makeTestCa } from '../support/tls.ts'
import { type Json, makeTenant, type Service, startService, until } from './service.ts'

const open: { close(): unknown }[] = []

afterAll(async () => {
  for (const one of open.reverse()) await one.close()
})

type Given = {
  options?: SinkOptions
  security?: 'none' | 'starttls' | 'implicit'
  login?: { user: string; password: string }
}

const stranger = makeTestCa()
const tls = stranger.issue(['localhost'], ['127.0.0.1'])

/** In the order of their priority; the last one is well. */
const RELAYS: Record<string, Given> = {
  'goes away at once': { options: { dropAt: 'greeting' } },
  'goes away at EHLO': { options: { dropAt: 'ehlo' } },
  'goes away at MAIL': { options: { dropAt: 'mail' } },
  'goes away at RCPT': { options: { dropAt: 'rcpt' } },
  'goes away at DATA': { options: { dropAt: 'data' } },
  'goes away while the whole message is under way': { options: { dropAt: 'body' } },
  'is not served': { options: { reply: { greeting: () => '554 5.3.2 not here' } } },
  'is busy': { options: { reply: { greeting: () => '421 4.3.2 too many' } } },
  'leaves at MAIL': { options: { reply: { mail: () => '421 4.3.2 bye' } } },
  'leaves after the message': { options: { reply: { message: () => '421 4.3.2 bye' } } },
  'wants a login': { options: { reply: { mail: () => '530 5.7.0 log in first' } } },
  'knows another password': {
    options: { login: { user: 'u', password: 'right' } },
    login: { user: 'u', password: 'not that' },
  },
  'offers no TLS': { security: 'starttls' },
  'has a certificate of nobody we trust': { options: { tls }, security: 'starttls' },
  'has such a certificate from the first byte': { options: { tls, secure: true }, security: 'implicit' },
  'speaks no CHUNKING, but works': {},
}

test('mail finds its way past relays that fail in every way at once, each mail once, and their health tells of it', async () => {
  const service: Service = await startService()
  open.push(service)
  const { key, address } = await makeTenant(service, 'several.test')
  const sinks = new Map<string, Sink>()
  const ids = new Map<string, string>()
  const make = async (name: string, port: number, priority: number, { security = 'none', login }: Given) => {
    const body = { name, host: 'localhost', port, security, priority, verp: false, ...login }
    const made = await service.call('POST', '/relays', { key, body })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    ids.set(name, made.body.id)
  }
  for (const [priority, [name, given]] of Object.entries(RELAYS).entries()) {
    const sink = await startSink(given.options)
    open.push(sink)
    sinks.set(name, sink)
    await make(name, sink.port, priority + 1, given)
  }
  await make('is not there at all', await closedPort(), 0, {})

  const body = Array.from({ length: 30 }, (_, at) => ({
    from: address,
    to: `r${at}@away.test`,
    subject: 'x',
    text: 'x',
  }))
  const sent = await service.call('POST', '/emails/batch', { key, body })
  expect(sent.status).toBe(200)
  const good = sinks.get('speaks no CHUNKING, but works')
  await until(() => good?.messages.length === 29, 'all but one')
  const states = await until(async () => {
    const all: Json[] = await Promise.all(
      sent.body.data.map(async ({ id }: Json) => (await service.call('GET', `/emails/${id}`, { key })).body),
    )
    return all.every(({ last_event }) => last_event !== 'queued') && all
  }, 'an outcome of each')
  expect(states.every(({ recipients }) => recipients[0].attempts === 1)).toBe(true)
  // One was under way with its last dot when the server went: nobody else gets it before its next attempt.
  const [unknown, ...others] = states.filter(({ last_event }) => last_event !== 'sent')
  expect(others).toEqual([])
  expect(unknown.recipients[0]).toMatchObject({ state: 'deferred', outcome_unknown: true })
  const taken = [...sinks.values()].flatMap(({ messages }) => messages.map((mail) => mail.recipients[0]?.address))
  const expected = body.map(({ to }) => to).filter((to) => to !== unknown.recipients[0].address)
  expect(taken.sort()).toEqual(expected.sort())

  const { body: list } = await service.call('GET', '/relays?limit=100', { key })
  const failing: Json[] = list.data.filter(({ health }: Json) => health.state === 'failing')
  expect(failing.map(({ name }) => name).sort()).toEqual(
    [...ids.keys()].filter((name) => !name.includes('works')).sort(),
  )
  for (const { name, health } of failing)
    expect(health, name).toMatchObject({ since: expect.any(String), last_error: expect.any(String) })
  const asked = [...sinks].filter(([name]) => !name.includes('works')).map(([, sink]) => sink.connections())

  // They are left alone now, and one that has come to its senses is used as soon as somebody has tried it.
  await service.call('POST', '/emails', { key, body: { from: address, to: 'late@away.test', subject: 'x', text: 'x' } })
  await until(() => good?.messages.length === 30, 'one more')
  expect([...sinks].filter(([name]) => !name.includes('works')).map(([, sink]) => sink.connections())).toEqual(asked)
  const tried = await service.call('POST', `/relays/${ids.get('is busy')}/test`, { key })
  expect(tried.body).toMatchObject({ ok: false, stage: 'greeting' })
}, 90_000)

async function closedPort(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 1
}
