/** The doors that mail comes through, and whose judgement of it is believed. */
import type { Config } from '../config.ts'
import { readVerdicts } from '../mail/auth-results.ts'
import type { Fields } from '../mail/mime/header.ts'
import type { Verdicts } from '../store/mail/shapes.ts'

/** Cloudflare's `email()`, or POST /inbound. */
export type Door = 'email' | 'inbound'

/** What a configured door wrote of SPF, DKIM and DMARC; null where none was configured to write. */
export function verdictsAt(config: Config, door: Door, headers: Fields): Verdicts | null {
  const authservIds = door === 'email' ? config.EMAIL_AUTHSERV_IDS : config.INBOUND_AUTHSERV_IDS
  if (authservIds.length === 0) return null
  return readVerdicts(headers, { authservIds, receivedBy: config.DOOR_HOSTS })
}
