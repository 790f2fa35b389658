/** Who may send as whom: the owner of the verified domain, or of the very address. */
import { Problem } from '../base/problem.ts'
import { unseal } from '../base/seal.ts'
import type { Caller } from '../context.ts'
import { type Address, addressKey } from '../mail/address.ts'
import { findSendingDomain } from '../store/directory/domains.ts'

/** What signs a sender's mail and takes its bounces. */
export type Sender = {
  domain: string
  returnPathLabel: string
  dkim: { domain: string; selector: string; privatePem: string }
}

/** So long may an answer of the directory be taken for the present one. */
const REMEMBER_MS = 30_000

/** So that many senders cannot fill the memory. */
const MOST_REMEMBERED = 1000

const remembered = new Map<string, { until: number; sender: Sender }>()

/** The sender that an address is. @throws Problem domain_not_verified where this key may not send from it. */
export async function findSender(ctx: Caller, from: Address): Promise<Sender> {
  const name = `${ctx.account.number}:${ctx.access.domainId ?? ''}:${addressKey(from)}`
  const held = remembered.get(name)
  if (held && held.until > ctx.now()) return held.sender
  const domain = await findSendingDomain(ctx.stores, ctx.account.number, addressKey(from), from.domain)
  if (!domain) throw notVerified(from.domain)
  if (ctx.access.domainId !== undefined && ctx.access.domainId !== domain.id) throw otherDomain(from.domain)
  const privatePem = await unseal(ctx.keyring, `domains:${domain.account}:${domain.id}`, domain.dkimPrivate)
  const sender = {
    domain: domain.name,
    returnPathLabel: domain.returnPathLabel,
    dkim: { domain: domain.name, selector: domain.dkimSelector, privatePem },
  }
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(name, { until: ctx.now() + REMEMBER_MS, sender })
  return sender
}

/** Forgets what is known of senders: a domain or address changed here. */
export function forgetSenders(): void {
  remembered.clear()
}

function notVerified(domain: string): Problem {
  return new Problem('domain_not_verified', `The ${domain} domain is not verified for this account.`, {
    fields: [{ path: 'from', reason: 'is not of a verified domain of this account' }],
    fix: `Add it by POST /domains {"name": ${JSON.stringify(domain)}}, publish its records and verify it.`,
  })
}

function otherDomain(domain: string): Problem {
  return new Problem('domain_not_verified', `This API key may not send from ${domain}.`, {
    fields: [{ path: 'from', reason: 'is of another domain than the key is bound to' }],
  })
}
