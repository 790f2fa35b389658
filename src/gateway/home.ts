/** The one folder that holds all that a local copy makes: state, secrets, caught mail, and who is at work in it. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Home = {
  folder: string
  /** D1, R2 and queues, as wrangler keeps them. */
  state: string
  /** Mail on its way in; of no worth after a restart. */
  spool: string
  /** Mail on its way out that was kept here instead. */
  caught: string
  /** The Worker's secrets, as wrangler reads them. */
  secrets: string
  /** With what a client logs in to our SMTP server to send anywhere. */
  relay: string
  /** Where to reach this copy and with what keys, for programs. */
  local: string
  /** What wrangler and the Worker say. */
  log: string
}

/** Makes the folders that are missing, open to their owner alone. */
export function openHome(folder: string): Home {
  const home: Home = {
    folder,
    state: join(folder, 'state'),
    spool: join(folder, 'spool'),
    caught: join(folder, 'caught'),
    secrets: join(folder, 'secrets.env'),
    relay: join(folder, 'relay.json'),
    local: join(folder, 'local.json'),
    log: join(folder, 'wrangler.log'),
  }
  for (const path of [folder, home.state, home.caught, home.spool]) mkdirSync(path, { recursive: true, mode: 0o700 })
  return home
}

/** Throws away what was coming in when the last run ended: no sender was told that it was taken. */
export function emptySpool(home: Home): void {
  rmSync(home.spool, { recursive: true })
  mkdirSync(home.spool, { mode: 0o700 })
}

export type Secrets = { adminKey: string; secret: string; relay: { user: string; password: string } }

/** The secrets of this copy, made at its first run and kept ever after: a lost SECRET would lose all that is sealed. */
export function loadSecrets(home: Home): Secrets {
  const text = readText(home.secrets)
  const relay = readJson(home.relay)
  return {
    adminKey: /^ADMIN_KEY='([^'\n]{32,})'$/m.exec(text)?.[1] ?? `re_admin_${randomToken()}`,
    secret: /^SECRET='([^'\n]{32,})'$/m.exec(text)?.[1] ?? randomToken(),
    relay: { user: 'relay', password: typeof relay.password === 'string' ? relay.password : randomToken() },
  }
}

/** Writes them down, for the next run and for wrangler, who gives them to the Worker. The relay may be another one at each start. */
export function keepSecrets(home: Home, secrets: Secrets, relayUrl: string): void {
  const values = { ADMIN_KEY: secrets.adminKey, SECRET: secrets.secret, RELAY_URL: forEnvFile(relayUrl) }
  writeSecretly(
    home.secrets,
    Object.entries(values)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  )
  writeSecretly(home.relay, `${JSON.stringify(secrets.relay)}\n`)
}

/** Reads a JSON object of ours; an empty one where there is none, or none that was written whole. */
export function readJson(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readText(path))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Writes a file whole or not at all, readable by its owner alone. */
export function writeSecretly(path: string, text: string): void {
  writeFileSync(`${path}.part`, text, { mode: 0o600 })
  renameSync(`${path}.part`, path)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** 32 bytes of chance, in characters that need no quoting anywhere. */
function randomToken(): string {
  return randomBytes(32).toString('base64url')
}

/** What the reader of the file would take for a variable or a quote can only stand in a URL, where it has another spelling. */
function forEnvFile(value: string): string {
  return value.replace(/[$'"`\\]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
