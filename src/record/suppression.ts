/** A suppression as answers and events show it. */
import { type Context, newId } from '../context.ts'
import { addressKey, parseAddress } from '../mail/address.ts'
import type { Suppression, SuppressionOrigin, ToldSuppression } from '../store/suppressions.ts'
import { isoTime } from './email-event.ts'

/** What uniqueness goes by, of an address that was parsed when it was stored. */
export function storedKey(address: string): string {
  const parsed = parseAddress(address)
  return parsed ? addressKey(parsed) : address
}

/** A suppression to be added, of addresses as `addressKey` writes them; `source` is the sent message that came back. */
export function newSuppression(
  ctx: Pick<Context, 'now' | 'random'>,
  email: string,
  origin: SuppressionOrigin,
  source: string | null = null,
): ToldSuppression {
  return told({ id: newId(ctx), email, origin, source, createdAt: ctx.now() })
}

/** The same with what its events tell. */
export function told({ id, email, origin, source, createdAt }: Suppression): ToldSuppression {
  const row = { id, email, origin, source, createdAt }
  return { ...row, data: suppressionView(row) }
}

export function suppressionView(row: Suppression) {
  return {
    id: row.id,
    email: row.email,
    origin: row.origin,
    source_id: row.source,
    created_at: isoTime(row.createdAt),
  }
}
