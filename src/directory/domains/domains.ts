/** Domains: claimed, described by the DNS records they need, given up. */
import { notFound, Problem } from '../base/problem.ts'
import { seal } from '../base/seal.ts'
import { type Caller, newId, newToken } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { DomainPatch, NewDomainBody } from '../contract/directory/domains.ts'
import { parseAddress } from '../mail/address.ts'
import { makeDkimKeys } from '../mail/dkim.ts'
import {
  type DomainRow,
  deleteDomainStep,
  findClaim,
  findDomain,
  findVerified,
  insertDomain,
  listDomains as listRows,
  patchDomain as patchRow,
  setDomainStatus,
} from '../store/directory/domains.ts'
import type { Once } from '../store/idempotency.ts'
import { createOnce } from './create.ts'
import { type DomainSettings, readSettings, showCreated, showDomain, showSummary } from './domain-view.ts'
import { listPage } from './list.ts'
import { forgetSenders } from './senders.ts'

/** The name under `_domainkey` where our public key stands. */
const SELECTOR = 'pochta'

/** Claims a domain. In a local copy it is verified at once, unless another account's is. @throws Problem validation_error. */
export async function createDomain(ctx: Caller, body: NewDomainBody, once?: Once) {
  const account = ctx.account.number
  return createOnce(ctx, account, once, async () => {
    refuseUnserved(body)
    const name = readName(body.name)
    if (await findClaim(ctx.stores, account, name)) throw claimed(name)
    const id = newId(ctx)
    const keys = await makeDkimKeys()
    const verified = ctx.config.local && !(await findVerified(ctx.stores, name))
    const row: DomainRow = {
      account,
      id,
      name,
      status: verified ? 'verified' : 'not_started',
      token: newToken(ctx),
      dkimSelector: SELECTOR,
      dkimPrivate: await seal(ctx.keyring, `domains:${account}:${id}`, keys.privatePem, ctx.random(12)),
      dkimPublic: keys.publicBase64,
      returnPathLabel: body.custom_return_path?.toLowerCase() ?? ctx.config.RETURN_PATH_LABEL,
      settings: JSON.stringify(newSettings(body)),
      createdAt: ctx.now(),
      verifiedAt: verified ? ctx.now() : null,
    }
    return {
      answer: showCreated(ctx.config, row),
      insert: (keeping) => insertDomain(ctx.stores, row, keeping),
      exists: async () => (await findDomain(ctx.stores, account, id)) !== undefined,
      refusal: async () => claimed(name),
    }
  })
}

export async function listDomains(ctx: Caller, query: ListQuery) {
  return listPage(query, (page) => listRows(ctx.stores, ctx.account.number, page), showSummary)
}

/** @throws Problem not_found. */
export async function getDomain(ctx: Caller, id: string) {
  return showDomain(ctx.config, await ownDomain(ctx, id))
}

/** Says whether the domain sends and receives. @throws Problem not_found, invalid_parameter. */
export async function patchDomain(ctx: Caller, id: string, patch: DomainPatch) {
  refuseUnserved(patch)
  for (let tries = 0; tries < 3; tries++) {
    const row = await ownDomain(ctx, id)
    const settings = readSettings(row)
    const capabilities = { ...settings.capabilities, ...patch.capabilities }
    if (await patchRow(ctx.stores, row, JSON.stringify({ ...settings, capabilities }))) {
      forgetSenders()
      return { object: 'domain' as const, id }
    }
  }
  throw new Problem('service_unavailable', 'The domain is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/**
 * Takes the wish to be verified. A local copy verifies at once, unless the name is another account's; elsewhere nothing
 * looks at the DNS yet, so that the claim stays pending. @throws Problem not_found.
 */
export async function verifyDomain(ctx: Caller, id: string) {
  const row = await ownDomain(ctx, id)
  if (ctx.config.local) await setDomainStatus(ctx.stores, row, 'verified', ctx.now())
  await setDomainStatus(ctx.stores, row, 'pending', ctx.now())
  return { object: 'domain' as const, id }
}

/** So many steps answer within a request; a domain with more addresses is deleted by asking again. */
const MAX_STEPS = 20

/** Gives up a domain, and every address on it. @throws Problem not_found. */
export async function deleteDomain(ctx: Caller, id: string) {
  const row = await ownDomain(ctx, id)
  for (let step = 0; step < MAX_STEPS; step++) {
    if (await deleteDomainStep(ctx.stores, row)) {
      forgetSenders()
      return { object: 'domain' as const, id, deleted: true as const }
    }
  }
  if (!(await findDomain(ctx.stores, row.account, id))) return { object: 'domain' as const, id, deleted: true as const }
  throw new Problem('service_unavailable', 'The domain has so many addresses that not all are removed yet.', {
    fix: 'Repeat the request.',
    retryAfter: 1,
  })
}

async function ownDomain(ctx: Caller, id: string): Promise<DomainRow> {
  const row = await findDomain(ctx.stores, ctx.account.number, id)
  if (!row) throw notFound('Domain')
  return row
}

function readName(text: string): string {
  const domain = parseAddress(`x@${text.trim().replace(/\.$/, '')}`)?.domain
  if (domain?.includes('.')) return domain
  throw new Problem('validation_error', `Invalid \`name\`: ${JSON.stringify(text)} is not a domain`, {
    fields: [{ path: 'name', reason: 'is not a domain such as example.com' }],
  })
}

function newSettings(body: NewDomainBody): DomainSettings {
  return {
    region: body.region ?? 'us-east-1',
    capabilities: { sending: 'enabled', receiving: 'enabled', ...body.capabilities },
  }
}

/** Nothing asked for is dropped in silence: what we do not do is refused by name. */
function refuseUnserved(body: NewDomainBody | DomainPatch): void {
  const wishes = {
    open_tracking: body.open_tracking === true,
    click_tracking: body.click_tracking === true,
    tracking_subdomain: Boolean(body.tracking_subdomain),
    tls: body.tls === 'enforced',
  }
  const fields = Object.entries(wishes)
    .filter(([, asked]) => asked)
    .map(([path]) => ({ path, reason: 'is not served by this mail service' }))
  if (!fields[0]) return
  throw new Problem('invalid_parameter', `\`${fields[0].path}\` is not served by this mail service.`, {
    fields,
    fix: 'Leave it out.',
  })
}

function claimed(name: string): Problem {
  return new Problem('validation_error', `The ${name} domain has been registered already.`, {
    fields: [{ path: 'name', reason: 'is a domain of this account already' }],
  })
}
