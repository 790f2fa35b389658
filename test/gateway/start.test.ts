/** The real thing: `npm start`'s own script, wrangler and workerd, on free ports and in folders of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { membersOf } from '../../src/gateway/processes.ts'
import { sendMail, talkTo } from './smtp-client.ts'

const SCRIPT = resolve(import.meta.dirname, '../../src/gateway/start.mjs')
const folder = mkdtempSync(join(tmpdir(), 'pochta-start-'))
const started: Copy[] = []

type Place = { home: string; port: number; smtpPort: number }
type Local = Record<'api' | 'smtp' | 'admin_key' | 'account' | 'domain' | 'address' | 'api_key', string>

/** One run of the script. */
class Copy {
  readonly place: Place
  readonly child: ChildProcess
  readonly exit: Promise<unknown[]>
  output = ''

  constructor(place: Place) {
    this.place = place
    const env = { ...process.env, PORT: `${place.port}`, SMTP_PORT: `${place.smtpPort}`, POCHTA_HOME: place.home }
    this.child = spawn(process.execPath, [SCRIPT], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (chunk) => (this.output += chunk))
    this.exit = once(this.child, 'exit')
    started.push(this)
  }

  async up(): Promise<this> {
    await vi.waitUntil(() => /Ctrl-C ends it/.test(this.output) || this.child.exitCode !== null, { timeout: 50_000 })
    expect(this.output).toContain('Ctrl-C ends it')
    return this
  }

  /** Ends it; answers its exit code. */
  async end(signal: NodeJS.Signals): Promise<unknown> {
    this.child.kill(signal)
    const [code] = await this.exit
    return code
  }

  local(): Local {
    return JSON.parse(readFileSync(join(this.place.home, 'local.json'), 'utf8'))
  }

  groups(): number[] {
    const path = join(this.place.home, 'pids')
    if (!existsSync(path)) return []
    return JSON.parse(readFileSync(path, 'utf8')).children.map((mark: { pid: number }) => mark.pid)
  }

  async get(path: string): Promise<{ data: { subject: string }[] }> {
    const { api, api_key } = this.local()
    const answer = await fetch(api + path, { headers: { authorization: `Bearer ${api_key}` } })
    return JSON.parse(await answer.text())
  }

  async subjects(): Promise<string[]> {
    return (await this.get('/emails/receiving')).data.map(({ subject }) => subject).sort()
  }
}

let one: Copy
let other: Copy

beforeAll(async () => {
  const [a, b, c, d] = await freePorts(4)
  one = new Copy({ home: join(folder, 'one'), port: a, smtpPort: b })
  other = new Copy({ home: join(folder, 'other'), port: c, smtpPort: d })
  await Promise.all([one.up(), other.up()])
}, 60_000)

afterAll(() => {
  for (const copy of started) {
    copy.child.kill('SIGKILL')
    for (const group of copy.groups()) if (membersOf(group).length > 0) process.kill(-group, 'SIGKILL')
  }
  rmSync(folder, { recursive: true, force: true })
})

test('a fresh copy says where it is, and its keys work', async () => {
  const { api, smtp, account, domain, address, api_key, admin_key } = one.local()
  expect({ api, smtp, domain, address }).toEqual({
    api: `http://127.0.0.1:${one.place.port}`,
    smtp: `smtp://127.0.0.1:${one.place.smtpPort}`,
    domain: 'demo.test',
    address: 'hello@demo.test',
  })
  for (const word of [
    `${api}/emails`,
    `Bearer ${api_key}`,
    `${api}/emails/receiving`,
    `--url ${smtp}`,
    `${api}/docs`,
  ]) {
    expect(one.output).toContain(word)
  }
  const asOperator = await fetch(`${api}/accounts/${account}`, { headers: { authorization: `Bearer ${admin_key}` } })
  expect(asOperator.status).toBe(200)
})

test('what is sent to a local address comes back in; what is sent elsewhere is caught; strangers reach ours alone', async () => {
  const { api, api_key, address } = one.local()
  const talk = await talkTo(one.place.smtpPort)
  await talk.say('EHLO stranger.example')
  expect(await sendMail(talk, 'a@x.example', [address], 'Subject: from outside\r\n\r\nhi\r\n')).toMatch(/^250 /)
  expect(await sendMail(talk, 'a@x.example', ['b@y.example'], '')).toMatch(/^550 5\.7\.1 /)
  talk.cut()
  const sent = await fetch(`${api}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: address, to: [address, 'x@example.com'], subject: 'to self', text: 'hi' }),
  })
  expect(sent.status).toBe(200)
  const caught = () => readdirSync(join(one.place.home, 'caught')).filter((name) => name.endsWith('.eml'))
  await expect.poll(() => one.subjects(), { timeout: 15_000 }).toEqual(['from outside', 'to self'])
  await expect.poll(caught, { timeout: 15_000 }).toHaveLength(1)
  expect(one.output).toMatch(/in {7}a@x\.example → hello@demo\.test .* stored/)
  expect(await other.subjects()).toEqual([])
})

test('a port or a home that is in use is told in one line, and nothing is left running', async () => {
  const [free, free2] = await freePorts(2)
  const { home, port, smtpPort } = one.place
  const third = join(folder, 'third')
  const refusals = [
    [{ home: third, port, smtpPort: free }, `Port ${port} is in use: set PORT to another one.\n`],
    [{ home: third, port: free, smtpPort }, `Port ${smtpPort} is in use: set SMTP_PORT to another one.\n`],
    [
      { home, port: free, smtpPort: free2 },
      `${home} is in use by process ${one.child.pid}: end it, or set POCHTA_HOME to another folder.\n`,
    ],
  ] as const
  for (const [place, says] of refusals) {
    const refused = new Copy(place)
    expect((await refused.exit)[0]).toBe(1)
    expect(refused.output).toBe(says)
  }
  expect(existsSync(join(third, 'pids'))).toBe(false)
})

test('Ctrl-C ends every process, and leaves the other copy alone', async () => {
  const groups = one.groups()
  expect(groups.flatMap(membersOf).length).toBeGreaterThan(3)
  expect(await one.end('SIGINT')).toBe(0)
  expect(groups.flatMap(membersOf)).toEqual([])
  expect(one.groups()).toEqual([])
  expect((await fetch(`${other.local().api}/health`)).status).toBe(200)
})

test('where the workerd that holds the port is killed, mail waits a moment, and is taken by the next one', async () => {
  const talk = await talkTo(other.place.smtpPort)
  await talk.say('EHLO stranger.example')
  const runtimes = other
    .groups()
    .flatMap(membersOf)
    .filter(({ command }) => command.includes(`=entry=127.0.0.1:${other.place.port} `))
  expect(runtimes).toHaveLength(1)
  for (const { pid } of runtimes) process.kill(pid, 'SIGKILL')
  const send = async () => {
    await talk.say('RSET')
    return sendMail(talk, '', ['hello@demo.test'], 'Subject: waited\r\n\r\nhi\r\n')
  }
  expect(await send()).toMatch(/^451 4\.3\.0 /)
  await expect.poll(send, { timeout: 40_000, interval: 500 }).toMatch(/^250 /)
  talk.cut()
}, 60_000)

test('after a kill the next start ends what was left, and yesterday’s mail is there', async () => {
  const talk = await talkTo(other.place.smtpPort)
  await talk.say('EHLO stranger.example')
  expect(await sendMail(talk, '', ['hello@demo.test'], 'Subject: yesterday\r\n\r\nhi\r\n')).toMatch(/^250 /)
  const groups = other.groups()
  const before = other.local()
  await other.end('SIGKILL')
  expect(groups.flatMap(membersOf).length).toBeGreaterThan(3)
  const again = await new Copy(other.place).up()
  expect(groups.flatMap(membersOf)).toEqual([])
  expect(again.local()).toEqual(before)
  expect(await again.subjects()).toEqual(['waited', 'yesterday'])
  const now = again.groups()
  expect(await again.end('SIGTERM')).toBe(0)
  expect(now.flatMap(membersOf)).toEqual([])
}, 60_000)

/** Ports that nobody had a moment ago. */
async function freePorts(count: 2): Promise<[number, number]>
async function freePorts(count: 4): Promise<[number, number, number, number]>
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))))
  return ports
}
