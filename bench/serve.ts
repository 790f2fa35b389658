/** Builds a Worker as a deploy would, and serves what was built by `wrangler dev`, with storage in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { databasesIn } from '../src/gateway/wrangler.ts'

export const ROOT = dirname(import.meta.dirname)
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js')

/** What is not up by then will not be. */
const START_MS = 60_000

/** Wrangler ends its workerd when it is asked to; what is left after this is ended the hard way. */
const STOP_MS = 5_000

export type Built = { config: string; folder: string; script: string }

export type Serving = {
  built: Built
  /** Lives on between two runs. */
  state: string
  variables?: Record<string, string>
  secrets?: Record<string, string>
  /** The path that answers 2xx or 404 once the Worker is there. */
  ready: string
}

export type Served = {
  origin: string
  /** Of wrangler; workerd runs below it. */
  pid: number
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()

/** Ends what still runs, at once. For when the benchmark itself ends. */
export function endAll(): void {
  for (const child of running) endGroup(child, 'SIGKILL')
}

/** Bundles and minifies the Worker of this configuration, without sending it anywhere. */
export async function build(config: string, folder: string): Promise<Built> {
  await wrangler(['deploy', '--dry-run', '--minify', '--config', config, '--outdir', folder], folder)
  return { config, folder, script: join(folder, 'worker.js') }
}

/** Applies the migrations of the configuration's databases to the storage. */
export async function migrate(config: string, state: string): Promise<void> {
  for (const database of databasesIn(readFileSync(config, 'utf8'))) {
    await wrangler(['d1', 'migrations', 'apply', database, '--local', '--config', config, '--persist-to', state], state)
  }
}

/** Serves a built Worker on a free port of loopback. */
export async function serve({ built, state, variables = {}, secrets = {}, ready }: Serving): Promise<Served> {
  const port = await freePort()
  mkdirSync(state, { recursive: true })
  const secretsFile = join(state, 'secrets.env')
  writeFileSync(secretsFile, text(secrets), { mode: 0o600 })
  const args = ['dev', built.script, '--no-bundle', '--config', built.config, '--local', '--ip', '127.0.0.1']
  args.push('--port', String(port), '--inspector-port', '0', '--persist-to', state, '--env-file', secretsFile)
  args.push('--log-level', 'warn', '--show-interactive-dev-session=false')
  for (const [name, value] of Object.entries(variables)) args.push('--var', `${name}:${value}`)
  const child = start(args, state)
  const said = listen(child)
  const origin = `http://127.0.0.1:${port}`
  try {
    await answers(origin + ready, child)
  } catch (error) {
    endGroup(child, 'SIGKILL')
    throw new Error(`${built.config} is not served: ${error}\n${said()}`)
  }
  return { origin, pid: child.pid ?? 0, stop: () => stop(child) }
}

/** A port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

async function wrangler(args: string[], home: string): Promise<void> {
  mkdirSync(home, { recursive: true })
  const child = start(args, home)
  const said = listen(child)
  const [code] = await once(child, 'close')
  running.delete(child)
  if (code !== 0) throw new Error(`wrangler ${args.slice(0, 3).join(' ')} failed:\n${said()}`)
}

/** In a process group of its own, so that its workerd can be ended with it. */
function start(args: string[], home: string): ChildProcess {
  const env = {
    ...process.env,
    // Other copies on this machine are not to be met, nor the terminal of who runs this.
    WRANGLER_REGISTRY_PATH: join(home, 'registry'),
    WRANGLER_LOG_PATH: join(home, 'logs'),
    WRANGLER_SEND_METRICS: 'false',
    CI: 'true',
    NO_COLOR: '1',
  }
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  return child
}

/** Reads what a child says, so that it never waits for its pipe; tells the end of it where something went wrong. */
function listen(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said = (said + chunk).slice(-4000)
    })
  }
  return () => said
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_MS
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`wrangler ended with ${child.exitCode}`)
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer && (answer.ok || answer.status === 404)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('it did not answer in time')
}

/** Resolves once all of the group has ended: wrangler goes before its workerd, which still holds the database. */
async function stop(child: ChildProcess): Promise<void> {
  const asked = performance.now()
  endGroup(child, 'SIGTERM')
  // What is dead but was not waited for by its parent still counts as there, so that the wait must end by itself.
  while (endGroup(child, 0) && performance.now() < asked + 2 * STOP_MS) {
    if (performance.now() > asked + STOP_MS) endGroup(child, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  running.delete(child)
}

/** False where all of the group has ended already. Signal 0 only asks. */
function endGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined) return false
  try {
    return process.kill(-child.pid, signal)
  } catch {
    return false
  }
}

function text(secrets: Record<string, string>): string {
  return Object.entries(secrets)
    .map(([name, value]) => `${name}="${value}"\n`)
    .join('')
}
