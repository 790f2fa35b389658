/** Giving up a domain: never while an address on it would stop taking mail unasked. */
import { Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import { countStanding, deleteOwnAddresses, deleteDomain as deleteRow } from '../../store/directory/domain-removal.ts'
import { findDomain } from '../../store/directory/domains.ts'
import { settle } from '../../store/settle.ts'
import { forgetSenders } from '../senders.ts'
import { ownDomain } from './domains.ts'
import { newsOf, sweepNews } from './news.ts'

/** So many steps answer within a request; a domain with more addresses is deleted by asking again. */
const MAX_STEPS = 20

/**
 * Gives up a domain on which no address stands; with `addresses: 'delete'` the account's own go first. Never while another
 * account has one there. @throws Problem not_found, validation_error.
 */
export async function deleteDomain(ctx: Caller, id: string, asked: { addresses?: 'delete' | undefined } = {}) {
  const row = await ownDomain(ctx, id)
  for (let step = 0; step < MAX_STEPS; step++) {
    const standing = await countStanding(ctx.stores, row)
    if (standing.others) throw OTHERS
    if (standing.own > 0 && asked.addresses !== 'delete') throw ownStand(standing.own)
    if (standing.own > 0 && (await deleteOwnAddresses(ctx.stores, row))) continue
    const gone = await settle(
      () => deleteRow(ctx.stores, row, newsOf(ctx, 'deleted', row)),
      async () => (await findDomain(ctx.stores, row.account, id)) === undefined || undefined,
    )
    if (!gone && (await findDomain(ctx.stores, row.account, id))) continue
    forgetSenders()
    ctx.later(sweepNews(ctx))
    return { object: 'domain' as const, id, deleted: true as const }
  }
  forgetSenders()
  throw new Problem('service_unavailable', 'The domain has so many addresses that not all are removed yet.', {
    fix: 'Repeat the request.',
    retryAfter: 1,
  })
}

const OTHERS = new Problem('validation_error', 'Others have addresses on this domain, which would stop taking mail.', {
  fix: 'Ask the operator of this service to have them deleted first.',
})

function ownStand(count: number): Problem {
  const addresses = count === 1 ? '1 address of yours stands' : `${count} addresses of yours stand`
  return new Problem('validation_error', `${addresses} on this domain, and would stop taking mail.`, {
    fix: 'Delete them first, or delete the domain with ?addresses=delete.',
  })
}
