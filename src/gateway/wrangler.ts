/** Wrangler as a child: it runs the Worker in workerd, with D1, R2 and queues on disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from './home.ts'
import type { Claim } from './pids.ts'
import { endGroup } from './processes.ts'
import { HOST } from './settings.ts'
import { unlessStopped } from './stop.ts'
import { StartTrouble } from './trouble.ts'

/** Wrangler disposes of workerd in a second; what takes longer is killed. */
const PATIENCE = 4000

/** So much of its log is shown when it fails. */
const TAIL_LINES = 25

export type Wrangler = {
  /** Its process group; 0 where it could not be started. */
  group: number
  /** Fulfilled when it has ended, with how. */
  ended: Promise<string>
  /** Ends it and all that it started; bounded in time. */
  end(): Promise<void>
}

export type Place = { project: string; home: Home; claim: Claim }

/** The bindings of all D1 databases of a wrangler.toml, in its order: one more database is one more entry there. */
export function databasesIn(toml: string): string[] {
  return [...toml.matchAll(/^\[\[d1_databases\]\]\s+binding = "([A-Z0-9_]+)"/gm)].map(([, binding = '']) => binding)
}

/** Brings the databases up to this version. @throws StartTrouble with the tail of the log, or the reason of `stop`. */
export async function applyMigrations(place: Place, stop: AbortSignal): Promise<void> {
  const databases = databasesIn(readFileSync(join(place.project, 'wrangler.toml'), 'utf8'))
  const together = await applyTo(databases, place, stop)
  // Those who make a new home at once find a file that all share locked, now and then: they go again, each alone.
  for (const { database } of together.filter(isBad)) {
    const bad = (await applyTo([database], place, stop)).find(isBad)
    if (bad) throw failed(place.home, `The migrations of ${bad.database} failed (${bad.how}).`)
  }
}

type Applied = { database: string; how: string }

const isBad = ({ how }: Applied): boolean => how !== 'code 0'

async function applyTo(databases: string[], place: Place, stop: AbortSignal): Promise<Applied[]> {
  const children = databases.map((database) => ({
    database,
    ...run(place, ['d1', 'migrations', 'apply', database, '--local', '--persist-to', place.home.state]),
  }))
  const ended = Promise.all(children.map(async ({ database, ended }) => ({ database, how: await ended })))
  return unlessStopped(stop, ended).finally(() => Promise.all(children.map((child) => child.end())))
}

/** Starts the Worker. It answers when its `/health` does. */
export function startWrangler(place: Place, listen: { port: number; publicUrl: string; resolver?: string }): Wrangler {
  return run(place, [
    'dev',
    '--local',
    ...['--ip', HOST, '--port', String(listen.port), '--inspector-port', '0'],
    ...['--persist-to', place.home.state, '--env-file', place.home.secrets],
    // The switch that relaxes rules is given here and nowhere else, so that no file that deploys can hold it.
    ...['--var', 'LOCAL:true', '--var', `PUBLIC_URL:${listen.publicUrl}`],
    ...(listen.resolver ? ['--var', `DOH_URL:${listen.resolver}`] : []),
    '--show-interactive-dev-session=false',
  ])
}

/** Keeps the log of the run before beside this run's, for whoever starts again after a failure. */
export function rotateLog(home: Home): void {
  try {
    renameSync(home.log, join(home.folder, 'wrangler.previous.log'))
  } catch {
    // The first run has none.
  }
}

/** What to say when wrangler is not well, with the end of what it said itself. */
export function failed(home: Home, message: string): StartTrouble {
  const lines = readFileSync(home.log, 'utf8').trimEnd().split('\n')
  return new StartTrouble(`${message} The end of ${home.log}:`, lines.slice(-TAIL_LINES).join('\n'))
}

/** In a process group of its own: Ctrl-C reaches us alone, and we end the group whole. */
function run({ project, home, claim }: Place, args: string[]): Wrangler {
  const log = openSync(home.log, 'a', 0o600)
  const program = join(project, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
  const child = spawn(process.execPath, [program, ...args], {
    cwd: project,
    env: environment(home),
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  if (child.pid !== undefined) claim.add(child.pid)
  const ended = endOf(child)
  return {
    group: child.pid ?? 0,
    ended,
    async end() {
      if (child.pid !== undefined) await endGroup(child.pid, PATIENCE)
      await ended
    },
  }
}

function endOf(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  child.once('error', (error) => resolve(error.message))
  return promise
}

/** No word to the outside, nothing outside the home, and no setting of the caller's shell that would win over our own. */
function environment(home: Home): NodeJS.ProcessEnv {
  const { ADMIN_KEY, SECRET, SECRET_PREVIOUS, RELAY_URL, ...inherited } = process.env
  return {
    ...inherited,
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_WRITE_LOGS: 'false',
    WRANGLER_REGISTRY_PATH: join(home.folder, 'registry'),
    WRANGLER_CACHE_DIR: join(home.folder, 'cache'),
    XDG_CONFIG_HOME: join(home.folder, 'config'),
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    NO_COLOR: '1',
  }
}
