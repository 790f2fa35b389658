/** By whose leave an address sends, and what its mail is signed with. */
import { Problem } from '../base/problem.ts'
import { unseal } from '../base/seal.ts'
import type { Caller } from '../context.ts'
import type { Address } from '../mail/address.ts'
import type { DkimSigner } from '../mail/dkim.ts'
import { findClaim, isVerified } from '../store/directory/domains.ts'
import { findSendingDomain } from '../store/directory/senders.ts'
import { makeRecent } from './recent.ts'
import { keysOf } from './recipients.ts'
import { mayUse } from './senders-allowed.ts'

/** A verified domain that may be sent from. */
export type Sender = {
  domain: string
  domainId: string
  dkim: DkimSigner
  /** Bounces come back to `<label>.<domain>`. */
  returnPathLabel: string
}

/** By account and domain where the account has the domain, by account and address where it has only that. */
const recent = makeRecent<Sender>()

/**
 * The sender that an address is, for this account and key: the account has verified its domain, or has this very address
 * (or the wildcard) on a verified domain of the instance.
 * @throws Problem domain_not_verified.
 */
export async function findSender(ctx: Caller, from: Address): Promise<Sender> {
  const sender = await find(ctx, from)
  if (!sender) {
    throw new Problem('domain_not_verified', `The ${from.domain} domain is not verified.`, {
      fields: [{ path: 'from', reason: 'is not of a verified domain of this account, nor an address of its own' }],
      fix: await fixOf(ctx, from.domain),
    })
  }
  if (ctx.access.domainId && ctx.access.domainId !== sender.domainId) {
    throw new Problem('domain_not_verified', `This API key may not send from the ${from.domain} domain.`, {
      fields: [{ path: 'from', reason: 'is not of the domain that the API key is bound to' }],
      fix: 'Use a key that is bound to no domain, or to this one.',
    })
  }
  if (!mayUse(ctx.access.limits?.senders, from)) {
    throw new Problem('domain_not_verified', `This API key may not send from ${from.address}.`, {
      fields: [{ path: 'from', reason: 'is none of the senders that the API key may use' }],
      fix: 'Use one of its senders, or a key that may use this one.',
    })
  }
  return sender
}

/** What is left to do until the domain sends. */
async function fixOf(ctx: Caller, domain: string): Promise<string> {
  const claim = await findClaim(ctx.stores, ctx.account.number, domain)
  if (!claim) return 'Add the domain with POST /domains and set the DNS records it answers.'
  if (!isVerified(claim))
    return `Set the DNS records that GET /domains/${claim.id} shows, then POST /domains/${claim.id}/verify.`
  return `Let the domain send by PATCH /domains/${claim.id}: its sending is disabled.`
}

/** Forgets what was read of domains: where one was changed or deleted, that holds here at once. */
export function forgetSenders(): void {
  recent.drop(() => true)
}

async function find(ctx: Caller, from: Address): Promise<Sender | undefined> {
  const account = ctx.account.number
  const candidates = keysOf(from).map(({ key }) => key)
  const byDomain = `${account} @${from.domain}`
  const byAddress = `${account} ${candidates[0]}`
  const held = recent.get(ctx, byDomain) ?? recent.get(ctx, byAddress)
  if (held) return held
  const row = await findSendingDomain(ctx.stores, account, { domain: from.domain, candidates, now: ctx.now() })
  if (!row?.sending) return undefined
  const privatePem = await unseal(ctx.keyring, `domains:${row.account}:${row.id}`, row.dkimPrivate)
  const sender: Sender = {
    domain: row.name,
    domainId: row.id,
    dkim: { domain: row.name, selector: row.dkimSelector, privatePem },
    returnPathLabel: row.returnPathLabel,
  }
  recent.put(ctx, row.account === account ? byDomain : byAddress, sender)
  return sender
}
