import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { membersOf } from '../../src/gateway/processes.ts'
import { startSink } from '../support/smtp-sink.ts'
import { freePort } from './postfix.ts'

const SCRIPT = join(import.meta.dirname, '../../src/gateway/start.mjs')

/** A claim that a dead workerd held lapses in this time, and the next tick finds it. */
const RECOVERY_MS = 130_000

test('workerd killed under load loses nothing that was accepted, neither what is sent nor what came in', async () => {
  const sink = await startSink({ delay: 5 })
  const home = mkdtempSync(join(tmpdir(), 'pochta-crash-'))
  const [port, smtpPort] = [await freePort(), await freePort()]
  const relay = `smtp://127.0.0.1:${sink.port}`
  const env = { ...process.env, PORT: `${port}`, SMTP_PORT: `${smtpPort}`, POCHTA_HOME: home, RELAY_URL: relay }
  const child = spawn(process.execPath, [SCRIPT], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  try {
    await until(
      () => said.includes('Ctrl-C ends it'),
      60_000,
      () => said,
    )
    const { api, api_key, admin_key, address } = JSON.parse(readFileSync(join(home, 'local.json'), 'utf8'))
    const sent: string[] = []
    const received: string[] = []
    let running = true
    const post = async (path: string, key: string, body: string) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await fetch(api + path, { method: 'POST', headers, body }).catch(() => undefined)
      return answer?.ok ? answer.json().catch(() => undefined) : undefined
    }
    const senders = [1, 2].map(async (lane) => {
      for (let at = 0; running; at++) {
        const to = `n${lane}-${at}@away.test`
        const mail = { from: address, to, subject: to, text: 'x'.repeat(500) }
        if (await post('/emails', api_key, JSON.stringify(mail))) sent.push(to)
      }
    })
    const bringers = [1, 2].map(async (lane) => {
      for (let at = 0; running; at++) {
        const id = `in-${lane}-${at}@away.test`
        const raw = `Message-ID: <${id}>\r\nFrom: a@away.test\r\nSubject: ${id}\r\n\r\n${'y'.repeat(500)}\r\n`
        if (await post(`/inbound?from=a@away.test&to=${address}`, admin_key, raw)) received.push(id)
      }
    })
    for (const pause of [900, 1700, 600]) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      const accepted = sent.length
      killWorkerd(home)
      await until(
        () => sent.length > accepted + 3,
        40_000,
        () => `no sends after a kill\n${said.slice(-2000)}`,
      )
    }
    running = false
    await Promise.all([...senders, ...bringers])

    const listed = await subjectsOf(api, api_key)
    expect(received.filter((id) => !listed.has(id))).toEqual([])
    const missing = () => {
      const arrived = new Set(sink.messages.map((message) => message.recipients[0]?.address))
      return sent.filter((to) => !arrived.has(to))
    }
    await until(
      () => missing().length === 0,
      RECOVERY_MS,
      () => `of ${sent.length} sent, missing: ${missing()}`,
    )
    expect(sent.length).toBeGreaterThan(20)
  } finally {
    child.kill('SIGINT')
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
    await sink.close()
    rmSync(home, { recursive: true, force: true })
  }
}, 300_000)

/** SIGKILL, in the middle of whatever it does; wrangler starts it again. */
function killWorkerd(home: string): void {
  const { children } = JSON.parse(readFileSync(join(home, 'pids'), 'utf8'))
  for (const { pid: group } of children) {
    for (const { pid } of membersOf(group)) {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'workerd') process.kill(pid, 'SIGKILL')
    }
  }
}

async function subjectsOf(api: string, key: string): Promise<Set<string>> {
  const subjects = new Set<string>()
  for (let after = ''; ; ) {
    const answer = await fetch(`${api}/emails/receiving?limit=100${after}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const page = (await answer.json()) as { has_more: boolean; data: { id: string; subject: string }[] }
    for (const mail of page.data) subjects.add(mail.subject)
    if (!page.has_more) return subjects
    after = `&after=${page.data.at(-1)?.id}`
  }
}

async function until(done: () => boolean, ms: number, why: () => string): Promise<void> {
  for (const end = Date.now() + ms; !done(); await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (Date.now() > end) throw new Error(why())
  }
}
