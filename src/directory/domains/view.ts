/** A domain as the API shows it, with the DNS records that it needs. */
import type { Context } from '../context.ts'
import { dkimRecord } from '../mail/dkim.ts'
import { isoTime } from '../record/email-event.ts'
import type { DomainRow } from '../store/directory/domains.ts'

export function showSummary(row: DomainRow) {
  const { region, capabilities } = readSettings(row)
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    created_at: isoTime(row.createdAt),
    region,
    capabilities,
    open_tracking: false,
    click_tracking: false,
  }
}

export function showCreated(config: Context['config'], row: DomainRow) {
  return { ...showSummary(row), records: recordsOf(config, row) }
}

export function showDomain(config: Context['config'], row: DomainRow) {
  return { object: 'domain' as const, ...showCreated(config, row) }
}

/** How preferred our mail host is among MX records (RFC 5321 section 5.1): it is the only one. */
const PRIORITY = 10

/**
 * What the domain's DNS must say: that the claim is this account's; that bounces come here and who may send them out
 * (RFC 7208), under the label of the return path; our DKIM key; and where mail for the domain goes.
 */
function recordsOf(config: Context['config'], row: DomainRow) {
  const { capabilities } = readSettings(row)
  const more = { ttl: 'Auto' as const, status: row.status }
  const txt = { type: 'TXT' as const, ...more }
  const mx = { type: 'MX' as const, ...more, value: config.MAIL_HOST, priority: PRIORITY }
  const selector = `${row.dkimSelector}._domainkey`
  const sending = [
    { record: 'SPF' as const, name: row.returnPathLabel, ...mx },
    // Whoever relays for us sends from hosts that only he can name: he says what to include here besides.
    { record: 'SPF' as const, name: row.returnPathLabel, ...txt, value: 'v=spf1 mx ~all' },
    { record: 'DKIM' as const, name: selector, ...txt, value: dkimRecord(row.dkimPublic) },
  ]
  const receiving = [{ record: 'Receiving' as const, name: '@', ...mx }]
  return [
    { record: 'Ownership' as const, name: '_pochta', ...txt, value: `pochta-verification=${row.token}` },
    ...(capabilities.sending === 'enabled' ? sending : []),
    ...(capabilities.receiving === 'enabled' ? receiving : []),
  ]
}

type Ability = 'enabled' | 'disabled'

export type DomainSettings = { region: string; capabilities: { sending: Ability; receiving: Ability } }

/** Reads the settings of a row; what is not there is as it is by default. */
export function readSettings(row: Pick<DomainRow, 'settings'>): DomainSettings {
  const stored = asStored(JSON.parse(row.settings))
  return {
    region: stored.region ?? 'us-east-1',
    capabilities: { sending: 'enabled', receiving: 'enabled', ...stored.capabilities },
  }
}

/** Only `JSON.stringify` of these settings is ever written there. */
function asStored(value: unknown): { region?: string; capabilities?: Partial<DomainSettings['capabilities']> } {
  return value as { region?: string; capabilities?: Partial<DomainSettings['capabilities']> }
}
