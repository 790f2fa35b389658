/** `npm start`: a whole mail service on this machine. Reads from top to bottom as it happens. */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Api, openApi } from './api.ts'
import { type Provisions, provision } from './first-run.ts'
import { greeting } from './greeting.ts'
import { emptySpool, type Home, keepSecrets, loadSecrets, openHome, type Secrets, writeSecretly } from './home.ts'
import { claimHome } from './pids.ts'
import { needPort, portTrouble } from './ports.ts'
import { HOST, readSettings, type Settings } from './settings.ts'
import { type Smtp, startSmtp } from './smtp/server.ts'
import { unlessStopped } from './stop.ts'
import { keepTicking } from './tick.ts'
import { StartTrouble } from './trouble.ts'
import { startWorker } from './worker.ts'
import { applyMigrations, rotateLog } from './wrangler.ts'

/** Where package.json and wrangler.toml lie. */
const PROJECT = resolve(import.meta.dirname, '../..')

/** Where the programs of our children lie, whatever links lead there. */
const PROGRAMS = realpathSync(resolve(PROJECT, 'node_modules'))

/** The name we greet other mail servers with, as the Worker's own default is. */
const MAIL_HOST = 'pochta.localhost'

/**
 * Runs until it is asked to end (Ctrl-C, SIGTERM, SIGHUP: exit code 0) or cannot go on (1). All that it started has
 * ended when it returns.
 */
export async function start(env: Record<string, string | undefined>): Promise<number> {
  const stop = listenForTheEnd()
  const undo: Undo[] = []
  let code = 0
  try {
    await bringUp(readSettings(env), stop, undo)
  } catch (error) {
    if (error !== ASKED) {
      code = 1
      console.error(error instanceof StartTrouble ? error.message : error)
      if (error instanceof StartTrouble && error.log) console.error(`\n${error.log}`)
    }
  }
  for (const step of undo.reverse()) await attempt(step)
  return code
}

type Undo = () => Promise<void> | void

/** What cannot be undone must not keep the rest from it. */
async function attempt(step: Undo): Promise<void> {
  try {
    await step()
  } catch (error) {
    console.error(error)
  }
}

/** Goes on until it throws: `ASKED`, or why it cannot go on. What must be undone then is in `undo`, in the order of doing. */
async function bringUp(settings: Settings, stop: AbortSignal, undo: Undo[]): Promise<never> {
  const home = openHome(settings.home)
  const claim = await claimHome(home, PROGRAMS)
  undo.push(claim.release)
  await needPort(HOST, settings.port, 'PORT')
  await needPort(HOST, settings.smtpPort, 'SMTP_PORT')
  emptySpool(home)
  rotateLog(home)

  const secrets = loadSecrets(home)
  keepSecrets(home, secrets, settings.relayUrl ?? ownRelay(settings, secrets))
  console.log('Starting …')
  const place = { project: PROJECT, home, claim }
  await applyMigrations(place, stop)

  const url = `http://${HOST}:${settings.port}`
  const api = openApi(url)
  const worker = await startWorker(
    place,
    { port: settings.port, publicUrl: url, resolver: settings.resolver },
    api,
    stop,
  )
  undo.push(worker.end)

  const provisions = await unlessStopped(stop, provision(api, secrets.adminKey, home))
  const smtp = await listen(settings, home, secrets, provisions, api)
  undo.push(smtp.close)
  const ticking = new AbortController()
  undo.push(() => ticking.abort())
  keepTicking(api, ticking.signal)

  const places = { api: url, smtp: `smtp://${HOST}:${settings.smtpPort}` }
  tellPrograms(home, places, secrets, provisions)
  console.log(greeting({ ...places, home, relayed: settings.relayUrl !== undefined }, provisions))
  return await worker.failure
}

function listen(settings: Settings, home: Home, secrets: Secrets, made: Provisions, api: Api): Promise<Smtp> {
  return startSmtp({
    host: HOST,
    port: settings.smtpPort,
    name: MAIL_HOST,
    api,
    key: made.gatewayKey,
    domain: made.domain,
    postmaster: made.address,
    relay: secrets.relay,
    spool: home.spool,
    caught: home.caught,
    now: () => new Date(),
    tell: (line) => console.log(line),
  }).catch((error) => {
    throw portTrouble(settings.smtpPort, 'SMTP_PORT', error)
  })
}

/** The gateway as the Worker's relay: on loopback, where a password in clear is nobody's to read. */
function ownRelay(settings: Settings, { relay }: Secrets): string {
  return `smtp://${relay.user}:${relay.password}@${HOST}:${settings.smtpPort}?tls=none`
}

/** `local.json`, by which a program finds this copy. */
function tellPrograms(home: Home, places: { api: string; smtp: string }, secrets: Secrets, made: Provisions): void {
  const { account, domain, address, apiKey } = made
  const local = { ...places, admin_key: secrets.adminKey, account, domain, address, api_key: apiKey }
  writeSecretly(home.local, `${JSON.stringify(local, null, 2)}\n`)
}

/** What the work is given up with when a signal asks for it. */
const ASKED = new Error('asked to end')

/** npm passes a signal on that the terminal has given us already: a second one changes nothing, for the first is being obeyed. */
function listenForTheEnd(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(ASKED))
  endWithNpm(() => stop.abort(ASKED))
  // A bug anywhere must not leave the children behind.
  process.on('uncaughtException', (error) => stop.abort(error))
  // A terminal that is gone cannot be told so.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  return stop.signal
}

/** npm, or the shell between, may be killed without a word to us; nobody would know then that we still run. */
function endWithNpm(end: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && end(), 500).unref()
}
