/** The doors that mail comes through, and whose judgement of it is believed. */
import type { Config } from '../config.ts'
import { readVerdicts } from '../mail/auth-results.ts'
import type { Fields } from '../mail/mime/header.ts'
import type { Verdicts } from '../store/mail/shapes.ts'
import { type AccountRef, INSTANCE } from '../store/stores.ts'

/** Cloudflare's `email()`, POST /inbound, or a service that brings what it received. */
export type Door = 'email' | 'inbound' | ProvidedDoor

/** A service that an account set up (0: the instance, for everybody): it brings mail to that account's addresses alone. */
export type ProvidedDoor = {
  readonly account: number
  readonly authservIds: readonly string[]
  readonly receivedBy: readonly string[]
}

/** Whether a door brings mail to what belongs to this account. */
export function opensTo(door: Door, account: AccountRef): boolean {
  return typeof door === 'string' || door.account === INSTANCE.number || door.account === account.number
}

/** What a configured door wrote of SPF, DKIM and DMARC; null where none was configured to write, or none that the account trusts. */
export function verdictsAt(config: Config, door: Door, account: AccountRef, headers: Fields): Verdicts | null {
  // An alias may lead to another account, which set up no such service.
  const trusted = opensTo(door, account) ? trustedAt(config, door) : undefined
  return trusted && trusted.authservIds.length > 0 ? readVerdicts(headers, trusted) : null
}

function trustedAt(config: Config, door: Door) {
  if (typeof door !== 'string') return door
  const authservIds = door === 'email' ? config.EMAIL_AUTHSERV_IDS : config.INBOUND_AUTHSERV_IDS
  return { authservIds, receivedBy: config.DOOR_HOSTS }
}
