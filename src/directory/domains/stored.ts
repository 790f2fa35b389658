/** What the JSON columns of a domain hold. */
import type { DomainRow } from '../../store/directory/domains.ts'

type Ability = 'enabled' | 'disabled'

export type DomainSettings = { region: string; capabilities: { sending: Ability; receiving: Ability } }

/** What one record was found to be. `trouble`: the DNS did not answer. */
export type Finding = { status: 'verified' | 'missing' | 'trouble'; found: string[]; reason?: string }

/** `at` is ms since 1970; findings lie under the keys of expectations. */
export type Checks = { at: number; records: Record<string, Finding> }

/** `next` signs once its record is seen; `previous` has signed mail that is still on its way. */
export type OtherKey =
  | { role: 'next'; selector: string; publicBase64: string; privateSealed: string }
  | { role: 'previous'; selector: string; publicBase64: string; until: number }

/** Reads the settings of a row; what is not there is as it is by default. */
export function readSettings(row: Pick<DomainRow, 'settings'>): DomainSettings {
  const stored = asStored(JSON.parse(row.settings))
  return {
    region: stored.region ?? 'us-east-1',
    capabilities: { sending: 'enabled', receiving: 'enabled', ...stored.capabilities },
  }
}

export function readChecks(row: Pick<DomainRow, 'checks'>): Checks | undefined {
  return row.checks === null ? undefined : asChecks(JSON.parse(row.checks))
}

export function readOtherKey(row: Pick<DomainRow, 'otherKey'>): OtherKey | undefined {
  return row.otherKey === null ? undefined : asOtherKey(JSON.parse(row.otherKey))
}

/** Only `JSON.stringify` of these settings is ever written there. */
function asStored(value: unknown): { region?: string; capabilities?: Partial<DomainSettings['capabilities']> } {
  return value as { region?: string; capabilities?: Partial<DomainSettings['capabilities']> }
}

/** Only a verdict's checks are ever written there. */
function asChecks(value: unknown): Checks {
  return value as Checks
}

/** Only rotation writes there. */
function asOtherKey(value: unknown): OtherKey {
  return value as OtherKey
}
