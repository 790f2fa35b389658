/** Every mail service that we take calls of. */
import type { ProviderKind } from '../../contract/directory/providers.ts'
import type { Adapter } from './adapter.ts'
import { postmark } from './postmark.ts'
import { ses } from './ses.ts'

export const ADAPTERS: Readonly<Record<ProviderKind, Adapter>> = { postmark, ses }

/** What a service can do for us, by what its adapter has. */
export function abilitiesOf(kind: ProviderKind): 'events'[] {
  return ADAPTERS[kind].events ? ['events'] : []
}

/** Whether the kind of a row is one that this version knows. */
export function isProviderKind(kind: string): kind is ProviderKind {
  return Object.hasOwn(ADAPTERS, kind)
}
