/** Which relay mail goes to next. The one place where a relay's password is opened. */
import { readHost } from '../base/host.ts'
import { Problem } from '../base/problem.ts'
import { unseal } from '../base/seal.ts'
import type { Context } from '../context.ts'
import { findBestRelay, type RelayRow } from '../store/directory/relays.ts'
import type { AccountRef } from '../store/stores.ts'
import { makeRecent } from './recent.ts'

/** A relay as it is connected to. */
export type RelayTarget = {
  /** The relay's id; 'config' for the one in RELAY_URL. */
  id: string
  host: string
  port: number
  security: 'implicit' | 'starttls' | 'none'
  auth?: { user: string; password: string }
  /** Whether it takes our return paths as MAIL FROM. */
  verp: boolean
  /** Whether a password may go over an unencrypted connection: to loopback alone. */
  clearAuth: boolean
}

const recent = makeRecent<{ target: RelayTarget | undefined }>()

/**
 * The relay for mail of an account and a sender's domain: the account's for the domain, else its general one, else the
 * instance's for the domain, else the instance's general one, else RELAY_URL; undefined where there is none at all.
 */
export async function chooseRelay(ctx: Context, account: AccountRef, domain: string): Promise<RelayTarget | undefined> {
  const key = `${account.number} ${domain}`
  const held = recent.get(ctx, key)
  if (held) return held.target
  const row = await findBestRelay(ctx.stores, account.number, domain)
  const target = row ? await targetOf(ctx, row) : relayOfUrl(ctx.config.RELAY_URL)
  recent.put(ctx, key, { target })
  return target
}

/** Forgets every choice: where a relay was made, changed or deleted, that holds here at once. */
export function forgetRelays(): void {
  recent.drop(() => true)
}

/**
 * Reads RELAY_URL; undefined where it is empty.
 * @throws Problem service_unavailable, without the value, where it cannot be read.
 */
export function relayOfUrl(text: string): RelayTarget | undefined {
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
    host: read.text,
    port: Number(url.port) || (implicit ? 465 : 587),
    security,
    ...(url.username ? { auth: { user: decoded(url.username), password: decoded(url.password) } } : {}),
    verp: url.searchParams.get('verp') !== 'false',
    clearAuth: loopback,
  }
}

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

function securityOf(tls: string | null, of: { implicit: boolean; loopback: boolean }): RelayTarget['security'] {
  if (tls === 'implicit' || tls === 'starttls' || tls === 'none') return tls
  if (tls !== null) throw unusable('RELAY_URL knows ?tls=implicit, starttls and none')
  if (of.implicit) return 'implicit'
  return of.loopback ? 'none' : 'starttls'
}

async function targetOf(ctx: Context, row: RelayRow): Promise<RelayTarget> {
  const { id, account, host, port, security, user, password, verp } = row
  const place = `relays:${account}:${id}`
  const auth =
    user === null || password === null ? {} : { auth: { user, password: await unseal(ctx.keyring, place, password) } }
  return { id, host, port, security, ...auth, verp, clearAuth: readHost(host)?.reach === 'loopback' }
}
