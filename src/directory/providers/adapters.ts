/** Every mail service that we take calls of. */
import type { ProviderAbility, ProviderKind } from '../../contract/directory/providers.ts'
import type { Adapter } from './adapter.ts'
import { mailgun } from './mailgun.ts'
import { postmark } from './postmark.ts'
import { sendgrid } from './sendgrid.ts'
import { ses } from './ses.ts'

export const ADAPTERS: Readonly<Record<ProviderKind, Adapter>> = { mailgun, postmark, sendgrid, ses }

/** What a service can do for us, by what its adapter has. */
export function abilitiesOf(kind: ProviderKind): ProviderAbility[] {
  const { events, inbound } = ADAPTERS[kind]
  return [...(events ? (['events'] as const) : []), ...(inbound ? (['inbound'] as const) : [])]
}

/** Whether the kind of a row is one that this version knows. */
export function isProviderKind(kind: string): kind is ProviderKind {
  return Object.hasOwn(ADAPTERS, kind)
}
