/** What a relay is set to, and how it is: the two JSON columns of its row, read, changed and shown. */
import type { NewRelayBody, RelayPatch } from '../../contract/directory/relays.ts'
import { isoTime } from '../../record/email-event.ts'
import { asHealth } from '../../store/relays/health.ts'
import type { RelayRow } from '../../store/relays/relays.ts'

export type RelaySettings = {
  enabled: boolean
  /** How many connections at a time, over all isolates; null is as many as we like, which is two for each batch. */
  maxConnections: number | null
  /** How many recipients a second or a minute, over all isolates. */
  perSecond: number | null
  perMinute: number | null
  /** Whose service it is, where that gets a field in each mail by which its events name it. */
  provider: 'postmark' | 'ses' | null
}

const DEFAULTS: RelaySettings = {
  enabled: true,
  maxConnections: null,
  perSecond: null,
  perMinute: null,
  provider: null,
}

export function readSettings({ settings }: Pick<RelayRow, 'settings'>): RelaySettings {
  return settings === null ? DEFAULTS : { ...DEFAULTS, ...(JSON.parse(settings) as Partial<RelaySettings>) }
}

/** The column after what a body says of it; null where all is as by default. */
export function changeSettings(read: Pick<RelayRow, 'settings'>, body: NewRelayBody | RelayPatch): string | null {
  const settings = { ...readSettings(read) }
  if (body.enabled !== undefined && body.enabled !== null) settings.enabled = body.enabled
  if (body.max_connections !== undefined) settings.maxConnections = body.max_connections
  if (body.messages_per_second !== undefined) settings.perSecond = body.messages_per_second
  if (body.messages_per_minute !== undefined) settings.perMinute = body.messages_per_minute
  if (body.provider !== undefined) settings.provider = body.provider
  const told = JSON.stringify(settings)
  return told === JSON.stringify(DEFAULTS) ? null : told
}

/** ms between two recipients, by the tighter of both rates; undefined where there is none. */
export function intervalOf({ perSecond, perMinute }: RelaySettings): number | undefined {
  const each = [perSecond && 1000 / perSecond, perMinute && 60_000 / perMinute].filter((ms) => ms !== null)
  return each.length > 0 ? Math.ceil(Math.max(...each)) : undefined
}

/** A relay as it is shown: never with its password. */
export function showRelay(row: RelayRow) {
  const smtp = row.kind === 'smtp'
  const settings = readSettings(row)
  const health = asHealth(row.health)
  const time = (at: number | undefined) => (at === undefined ? null : isoTime(at))
  const state = health.since === undefined ? ('working' as const) : ('failing' as const)
  return {
    object: 'relay' as const,
    id: row.id,
    kind: row.kind,
    name: row.name,
    domain: row.domain,
    priority: row.priority,
    enabled: settings.enabled,
    host: smtp ? row.host : null,
    port: smtp ? row.port : null,
    security: smtp ? row.security : null,
    user: row.user,
    has_password: row.password !== null,
    verp: row.verp,
    max_connections: settings.maxConnections,
    messages_per_second: settings.perSecond,
    messages_per_minute: settings.perMinute,
    provider: settings.provider,
    health: {
      state: settings.enabled ? state : ('off' as const),
      since: time(health.since),
      retry_at: time(health.retryAt),
      last_error: health.error ?? null,
      last_error_at: time(health.errorAt),
      last_success_at: time(health.okAt),
    },
    created_at: isoTime(row.createdAt),
  }
}
