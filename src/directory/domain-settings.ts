/** What a domain's row keeps as JSON. */
import type { DomainRow } from '../store/directory/domains.ts'

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
