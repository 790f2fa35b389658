/** A domain as the API shows it, with the DNS records that it needs and what was found of them. */
import type { Context } from '../../context.ts'
import { isoTime } from '../../record/email-event.ts'
import type { DomainRow } from '../../store/directory/domains.ts'
import { type Expectation, expectationsOf } from './records.ts'
import { type Finding, readChecks, readOtherKey, readSettings } from './stored.ts'

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

/** What an event tells of a domain: Resend's fields alone. */
export function tellDomain(config: Context['config'], row: DomainRow): Record<string, unknown> {
  const { id, name, status, created_at, region } = showSummary(row)
  const records = recordsOf(config, row).map(
    ({ purpose: _purpose, found: _found, reason: _reason, required: _required, ...record }) => record,
  )
  return { id, name, status, created_at, region, records }
}

function recordsOf(config: Context['config'], row: DomainRow) {
  const checks = readChecks(row)
  const next = readOtherKey(row)?.role === 'next' ? `dkim:${readOtherKey(row)?.selector}` : undefined
  return expectationsOf(config, row).map((expected) => {
    const { key, purpose, record, name, value, need } = expected
    const finding = checks?.records[key]
    return {
      ...{ record, name, ttl: 'Auto' as const, value },
      ...(expected.type === 'MX' ? { type: expected.type, priority: expected.priority } : { type: expected.type }),
      status: checks ? statusOf(row, expected, finding, key === next) : unchecked(row),
      purpose,
      required: need !== 'advice' || key === next,
      ...(finding ? { found: finding.found } : {}),
      ...(finding?.reason === undefined ? {} : { reason: finding.reason }),
    }
  })
}

/** Resend's words for the state of a record. */
type RecordStatus = 'not_started' | 'pending' | 'verified' | 'failed' | 'temporary_failure'

/** Where no DNS was asked, a local copy takes all for right, and elsewhere nobody has looked. */
function unchecked(row: DomainRow): RecordStatus {
  return row.status === 'verified' ? 'verified' : 'not_started'
}

function statusOf(row: DomainRow, { need }: Expectation, finding: Finding | undefined, isNext: boolean): RecordStatus {
  if (finding?.status === 'verified') return 'verified'
  if (finding?.status === 'trouble') return 'temporary_failure'
  if (isNext) return 'pending'
  if (!finding || need === 'advice') return 'not_started'
  return ['pending', 'partially_verified', 'not_started'].includes(row.status) ? 'pending' : 'failed'
}
