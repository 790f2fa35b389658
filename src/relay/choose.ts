/** The next hop out of RELAY_URL. */
import type { Context } from '../context.ts'
import type { AccountRef } from '../store/stores.ts'

/** A relay as it is connected to. */
export type RelayTarget = {
  id: string
  host: string
  port: number
  security: 'implicit' | 'starttls' | 'none'
  auth?: { user: string; password: string }
  verp: boolean
  clearAuth: boolean
}

export async function chooseRelay(
  ctx: Context,
  _account: AccountRef,
  _domain: string,
): Promise<RelayTarget | undefined> {
  if (ctx.config.RELAY_URL === '') return undefined
  const url = new URL(ctx.config.RELAY_URL)
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  const implicit = url.protocol === 'smtps:'
  return {
    id: 'config',
    host: url.hostname,
    port: Number(url.port) || (implicit ? 465 : 587),
    security: implicit ? 'implicit' : loopback ? 'none' : 'starttls',
    ...(url.username
      ? { auth: { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) } }
      : {}),
    verp: url.searchParams.get('verp') !== 'false',
    clearAuth: loopback,
  }
}
