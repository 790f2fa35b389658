/** What `npm start` takes from the environment: where things lie, and on which ports they are reached. */
import { resolve } from 'node:path'
import { StartTrouble } from './trouble.ts'

export type Settings = {
  /** The one folder of this copy, absolute: POCHTA_HOME. */
  home: string
  /** Where the API listens: PORT. */
  port: number
  /** Where the gateway listens: SMTP_PORT. */
  smtpPort: number
  /** A relay that really sends: RELAY_URL. Without one, outbound mail goes to the gateway. */
  relayUrl?: string
  /** Whom to ask for DNS: DOH_URL. Without one, every domain is taken for its owner's at once. */
  resolver?: string
}

/** All listens on this address alone: a local copy is nobody else's business. */
export const HOST = '127.0.0.1'

/** @throws StartTrouble naming the variable at fault. */
export function readSettings(env: Record<string, string | undefined>): Settings {
  const port = portOf(env, 'PORT', 8787)
  const smtpPort = portOf(env, 'SMTP_PORT', 2525)
  if (port === smtpPort) throw new StartTrouble(`PORT and SMTP_PORT are both ${port}: change one of them.`)
  return {
    home: resolve(env.POCHTA_HOME || '.pochta'),
    port,
    smtpPort,
    relayUrl: relayOf(env.RELAY_URL),
    resolver: resolverOf(env.DOH_URL),
  }
}

function portOf(env: Record<string, string | undefined>, name: string, usual: number): number {
  const text = env[name]
  if (!text) return usual
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65535) throw new StartTrouble(`${name} must be a port from 1 to 65535, not ${text}.`)
  return port
}

function resolverOf(text: string | undefined): string | undefined {
  if (!text) return undefined
  if (/^https?:\/\/\S+$/.test(text) && URL.canParse(text)) return text
  throw new StartTrouble(`DOH_URL must be https://host/path, not ${JSON.stringify(text)}.`)
}

function relayOf(text: string | undefined): string | undefined {
  if (!text) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && ['smtp:', 'smtps:'].includes(url.protocol) && url.hostname !== '') return url.href
  // Its text is not repeated: there may be a password in it.
  throw new StartTrouble('RELAY_URL must be smtp://user:password@host:port or smtps://user:password@host:port.')
}
