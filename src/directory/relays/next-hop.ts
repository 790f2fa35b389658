/** Which relays mail may go to next, best first. The one place where a relay's password is opened. */
import { readHost } from '../../base/host.ts'
import { Problem } from '../../base/problem.ts'
import { unseal } from '../../base/seal.ts'
import type { Context } from '../../context.ts'
import { asHealth, type RelayHealth, type RelayKey } from '../../store/relays/health.ts'
import { findRelay, findRelays, type RelayRow } from '../../store/relays/relays.ts'
import type { AccountRef } from '../../store/stores.ts'
import { makeRecent } from '../recent.ts'
import { intervalOf, type RelaySettings, readSettings } from './shape.ts'

/** What every relay has, whatever it is. */
type Common = {
  /** The relay's id; 'config' for the one in RELAY_URL. */
  id: string
  /** Names its row; absent for RELAY_URL, which has none and so neither limits nor health. */
  key?: RelayKey
  /** Whether it takes our return paths as MAIL FROM. */
  verp: boolean
  provider: RelaySettings['provider']
  /** How many connections it allows in all; null where that is not said. */
  maxConnections: number | null
  /** ms between two recipients; absent where there is no rate. */
  interval?: number
  /** As it was read, up to half a minute ago. */
  health: RelayHealth
}

/** A server as it is connected to. */
export type SmtpTarget = Common & {
  kind: 'smtp'
  host: string
  port: number
  security: 'implicit' | 'starttls' | 'none'
  auth?: { user: string; password: string }
  /** Whether a password may go over an unencrypted connection: to loopback alone. */
  clearAuth: boolean
}

/** The platform's own service. */
export type CloudflareTarget = Common & { kind: 'cloudflare' }

export type RelayTarget = SmtpTarget | CloudflareTarget

const recent = makeRecent<RelayTarget[]>()

/**
 * The relays for mail of an account and a sender's domain, best first: the account's for the domain, its general ones, the
 * instance's for the domain, its general ones, RELAY_URL; among equals by priority. Empty where there is none at all.
 */
export async function chooseRelays(ctx: Context, account: AccountRef, domain: string): Promise<RelayTarget[]> {
  const key = `${account.number} ${domain}`
  const held = recent.get(ctx, key)
  if (held) return held
  const rows = (await findRelays(ctx.stores, account.number, domain)).filter((row) => readSettings(row).enabled)
  const last = relayOfUrl(ctx.config.RELAY_URL)
  const targets = [...(await Promise.all(rows.map((row) => targetOf(ctx, row)))), ...(last ? [last] : [])]
  recent.put(ctx, key, targets)
  return targets
}

/** One relay as it is connected to, enabled or not; undefined where there is none. */
export async function findTarget(ctx: Context, key: RelayKey): Promise<RelayTarget | undefined> {
  const row = await findRelay(ctx.stores, key.account, key.id)
  return row && targetOf(ctx, row)
}

/** Forgets every choice: where a relay was made, changed or deleted, or its health turned, that holds here at once. */
export function forgetRelays(): void {
  recent.drop(() => true)
}

/**
 * Reads RELAY_URL; undefined where it is empty.
 * @throws Problem service_unavailable, without the value, where it cannot be read.
 */
export function relayOfUrl(text: string): SmtpTarget | undefined {
  if (text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^smtps?:$/.test(url.protocol)) throw unusable('RELAY_URL is not smtp://… or smtps://…')
  // A scheme that is not special leaves the host as written, so it is read as one here.
  const read = readHost(url.hostname)
  if (!read) throw unusable('RELAY_URL has no host')
  const loopback = read.reach === 'loopback'
  const implicit = url.protocol === 'smtps:'
  const security = securityOf(url.searchParams.get('tls'), { implicit, loopback })
  if (security === 'none' && !loopback) throw unusable('RELAY_URL may go without TLS to loopback only')
  return {
    id: 'config',
    kind: 'smtp',
    host: read.text,
    port: Number(url.port) || (implicit ? 465 : 587),
    security,
    ...(url.username ? { auth: { user: decoded(url.username), password: decoded(url.password) } } : {}),
    verp: url.searchParams.get('verp') !== 'false',
    clearAuth: loopback,
    ...UNLIMITED,
  }
}

const UNLIMITED = { provider: null, maxConnections: null, health: {} }

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unusable('RELAY_URL has a % in its user or password that is not written as %25')
  }
}

function unusable(reason: string): Problem {
  return new Problem('service_unavailable', reason)
}

function securityOf(tls: string | null, of: { implicit: boolean; loopback: boolean }): SmtpTarget['security'] {
  if (tls === 'implicit' || tls === 'starttls' || tls === 'none') return tls
  if (tls !== null) throw unusable('RELAY_URL knows ?tls=implicit, starttls and none')
  if (of.implicit) return 'implicit'
  return of.loopback ? 'none' : 'starttls'
}

async function targetOf(ctx: Context, row: RelayRow): Promise<RelayTarget> {
  const { id, account, host, port, security, user, password, verp, kind } = row
  const settings = readSettings(row)
  const interval = intervalOf(settings)
  const common = {
    id,
    key: { account, id },
    verp,
    provider: settings.provider,
    maxConnections: settings.maxConnections,
    ...(interval === undefined ? {} : { interval }),
    health: asHealth(row.health),
  }
  if (kind === 'cloudflare') return { ...common, kind }
  const place = `relays:${account}:${id}`
  const auth =
    user === null || password === null ? {} : { auth: { user, password: await unseal(ctx.keyring, place, password) } }
  return { ...common, kind, host, port, security, ...auth, clearAuth: readHost(host)?.reach === 'loopback' }
}
