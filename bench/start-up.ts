/** What a cold start costs: the size of what is loaded, and the time until a fresh workerd has answered for the first time. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { compare, sideBySide } from './load.ts'
import { type Built, freePort } from './serve.ts'
import type { Row } from './table.ts'

const WORKERD: unknown = createRequire(import.meta.url)('workerd')

const ROUNDS = 5

const START_MS = 20_000

/** Both, of both Workers. */
export async function measureStart(
  floor: Built,
  ours: Built,
  secrets: Record<string, string>,
  folder: string,
): Promise<Row[]> {
  const start = (built: Built, name: string) => () => coldStart(built, secrets, join(folder, name))
  const pairs = await sideBySide(ROUNDS, start(floor, 'cold-floor'), start(ours, 'cold-ours'))
  const ms = compare(pairs, (one) => one)
  return [
    { what: 'bundle, gzip', unit: 'KiB', floor: gzipKib(floor), ours: gzipKib(ours), note: 'at most 450' },
    {
      what: 'cold start: a new workerd, up to its first answer',
      unit: 'ms',
      ...ms,
      note: `our code: ${(ms.ours - ms.floor).toFixed(0)} ms`,
    },
  ]
}

/** KiB of all scripts, gzipped one by one. */
function gzipKib({ folder }: Built): number {
  const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'))
  return scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0) / 1024
}

/** ms from the start of a workerd to its first answer. No storage is there, and none is asked: this is our code alone. */
async function coldStart({ script }: Built, secrets: Record<string, string>, folder: string): Promise<number> {
  mkdirSync(folder, { recursive: true })
  copyFileSync(script, join(folder, 'worker.js'))
  const port = await freePort()
  writeFileSync(join(folder, 'config.capnp'), config(port, secrets))
  const started = performance.now()
  const child = spawn(binary(), ['serve', 'config.capnp', '--verbose'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2000)
  })
  try {
    return await firstAnswer(`http://127.0.0.1:${port}/nowhere`, started)
  } catch (error) {
    throw new Error(`${error}: ${said}`)
  } finally {
    const closed = once(child, 'close')
    // One that has ended already closes no more, and its error must be told.
    if (child.kill('SIGKILL')) await closed
  }
}

async function firstAnswer(url: string, started: number): Promise<number> {
  while (performance.now() - started < START_MS) {
    const answer = await fetch(url, { headers: { connection: 'close' } }).catch(() => undefined)
    if (answer) {
      await answer.arrayBuffer()
      if (answer.status !== 404) throw new Error(`the Worker answered ${answer.status}`)
      return performance.now() - started
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error('no answer came')
}

function config(port: number, secrets: Record<string, string>): string {
  const texts = Object.entries(secrets).map(([name, value]) => `(name = "${name}", text = "${value}")`)
  // In the place of storage stands a service that is never called.
  const bindings = [...texts, '(name = "DB", service = "none")', '(name = "RAW", service = "none")']
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "none", network = (allow = []))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [${bindings.join(', ')}]
);
`
}

/** The package is its binary's path, under either kind of import. */
function binary(): string {
  const path: unknown = typeof WORKERD === 'string' ? WORKERD : Reflect.get(Object(WORKERD), 'default')
  if (typeof path !== 'string') throw new Error('workerd is not installed')
  return path
}
