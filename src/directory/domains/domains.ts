/** Domains: claimed, described by the DNS records they need, changed. */
import { notFound, Problem } from '../../base/problem.ts'
import { seal } from '../../base/seal.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import type { ListQuery } from '../../contract/common.ts'
import type { DomainPatch, NewDomainBody } from '../../contract/directory/domains.ts'
import { parseAddress } from '../../mail/address.ts'
import { makeDkimKeys } from '../../mail/dkim.ts'
import {
  changeDomain,
  type DomainRow,
  findClaim,
  findDomain,
  findHolder,
  insertDomain,
  listDomains as listRows,
} from '../../store/directory/domains.ts'
import type { Once } from '../../store/idempotency.ts'
import { createOnce } from '../create.ts'
import { listPage } from '../list.ts'
import { forgetSenders } from '../senders.ts'
import { checkDomain, verifiesAtOnce } from './check.ts'
import { restate } from './judge.ts'
import { newsOf, sweepNews } from './news.ts'
import { type DomainSettings, readSettings } from './stored.ts'
import { showCreated, showDomain, showSummary } from './view.ts'

/** The name under `_domainkey` where our first public key stands; those after it are numbered. */
const SELECTOR = 'pochta'

/** Claims a domain. Where no DNS is asked it is verified at once, unless another account's is. @throws Problem validation_error. */
export async function createDomain(ctx: Caller, body: NewDomainBody, once?: Once) {
  const account = ctx.account.number
  const created = await createOnce(ctx, account, once, async () => {
    refuseUnserved(body)
    const name = readName(body.name)
    if (await findClaim(ctx.stores, account, name)) throw claimed(name)
    const id = newId(ctx)
    const keys = await makeDkimKeys()
    const verified = verifiesAtOnce(ctx) && !(await findHolder(ctx.stores, name))
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
      checks: null,
      otherKey: null,
    }
    return {
      answer: showCreated(ctx.config, row),
      insert: (keeping) => insertDomain(ctx.stores, row, keeping, newsOf(ctx, 'created', row)),
      exists: async () => (await findDomain(ctx.stores, account, id)) !== undefined,
      refusal: async () => claimed(name),
    }
  })
  ctx.later(sweepNews(ctx))
  return created
}

export async function listDomains(ctx: Caller, query: ListQuery) {
  return listPage(query, (page) => listRows(ctx.stores, ctx.account.number, page), showSummary)
}

/** @throws Problem not_found. */
export async function getDomain(ctx: Caller, id: string) {
  return showDomain(ctx.config, await ownDomain(ctx, id))
}

/** Says whether the domain sends and receives; what it needs for that is looked up anew. @throws Problem not_found, invalid_parameter. */
export async function patchDomain(ctx: Caller, id: string, patch: DomainPatch) {
  refuseUnserved(patch)
  const answer = { object: 'domain' as const, id }
  await changeOwn(ctx, id, async (row) => {
    const settings = readSettings(row)
    const capabilities = { ...settings.capabilities, ...patch.capabilities }
    const { sending, receiving } = settings.capabilities
    if (capabilities.sending === sending && capabilities.receiving === receiving) return row
    const changed = { ...row, settings: JSON.stringify({ ...settings, capabilities }) }
    return { ...changed, status: restate(ctx.config, changed) }
  })
  return answer
}

/**
 * Puts what `change` makes of a domain of the account in its place and owes the news; nothing where it gives back what it
 * was given. @throws Problem not_found; service_unavailable where others keep changing it.
 */
export async function changeOwn(
  ctx: Caller,
  id: string,
  change: (row: DomainRow) => Promise<DomainRow>,
): Promise<DomainRow> {
  for (let tries = 0; tries < 3; tries++) {
    const row = await ownDomain(ctx, id)
    const after = await change(row)
    if (after === row) return row
    if (!(await changeDomain(ctx.stores, row, after, newsOf(ctx, 'updated', after)))) continue
    forgetSenders()
    ctx.later(sweepNews(ctx))
    // A claim that nobody asked to verify yet is not looked up by the way.
    if (after.checks !== null && !verifiesAtOnce(ctx)) ctx.later(checkDomain(ctx, after))
    return after
  }
  throw new Problem('service_unavailable', 'The domain is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/** @throws Problem not_found. */
export async function ownDomain(ctx: Caller, id: string): Promise<DomainRow> {
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
