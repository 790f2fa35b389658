/** Addresses that mail is taken for: made, changed, given up. */
import { isUuid } from '../base/id.ts'
import { type FieldFault, notFound, Problem } from '../base/problem.ts'
import { type Caller, newId } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { AddressPatch, NewAddressBody } from '../contract/directory/addresses.ts'
import { type Address, addressKey, parseAddress } from '../mail/address.ts'
import { isoTime } from '../record/email-event.ts'
import {
  type AddressRow,
  deleteAddress as deleteRow,
  findAddress,
  findVerified,
  insertAddress,
  listAddresses as listRows,
  patchAddress as patchRow,
  whyNoAddress,
} from '../store/directory/addresses.ts'
import type { Once } from '../store/idempotency.ts'
import { readSettings, writeSettings } from '../store/receiving/settings.ts'
import { createOnce } from './create.ts'
import { askPending, pendingOf } from './forwarding/targets.ts'
import { listPage } from './list.ts'
import { parentsOf } from './receiving/senders.ts'
import { mergeSettings, showSettings } from './receiving/settings.ts'
import { forgetSenders } from './senders.ts'

/**
 * Makes an address on a domain that the account has verified; the operator may place one on any verified domain.
 * @throws Problem validation_error (no address, taken, too many), domain_not_verified.
 */
export async function createAddress(ctx: Caller, body: NewAddressBody, once?: Once) {
  const account = ctx.account.number
  const domainOf = ctx.access.key === 'operator' ? 'any' : 'account'
  const made = await createOnce(ctx, account, once, async () => {
    const parsed = readOwn(body.address)
    if (!parsed) throw refused([{ path: 'address', reason: 'is not an email address' }])
    const settings = await mergeSettings(ctx, {}, body, parsed.key)
    const forwardTo = readForwards(body.forward_to ?? [])
    const row: AddressRow = {
      address: parsed.key,
      id: newId(ctx),
      account,
      domain: await heldBy(ctx, parsed.domain),
      name: body.name ?? null,
      forwardTo: JSON.stringify(forwardTo),
      expiresAt: body.expires_at ? Date.parse(body.expires_at) : null,
      createdAt: ctx.now(),
      settings: writeSettings(settings),
    }
    return {
      answer: show(row, await pendingOf(ctx, forwardTo)),
      insert: (keeping) => insertAddress(ctx.stores, row, domainOf, keeping),
      exists: async () => (await findAddress(ctx.stores, account, { id: row.id })) !== undefined,
      refusal: async () => REFUSALS[await whyNoAddress(ctx.stores, row, domainOf)](row),
    }
  })
  await askPending(ctx, new Set(made.forward_pending), made.address)
  return made
}

export async function listAddresses(ctx: Caller, query: ListQuery & { domain?: string | undefined }) {
  const domain = query.domain?.toLowerCase()
  const listed = await listPage(
    query,
    (page) => listRows(ctx.stores, ctx.account.number, { ...page, domain }),
    (row) => row,
  )
  const pending = await pendingOf(ctx, [...new Set(listed.data.flatMap(forwardsOf))])
  return { ...listed, data: listed.data.map((row) => show(row, pending)) }
}

/** By id, or by the address itself. @throws Problem not_found. */
export async function getAddress(ctx: Caller, idOrAddress: string) {
  return showWhole(ctx, await ownAddress(ctx, idOrAddress))
}

/** How often a change is tried anew because another one came first. */
const RACES = 5

/** @throws Problem not_found, validation_error, service_unavailable. */
export async function patchAddress(ctx: Caller, idOrAddress: string, patch: AddressPatch) {
  for (let races = 0; races < RACES; races++) {
    const changed = await tryPatch(ctx, await ownAddress(ctx, idOrAddress), patch)
    if (!changed) continue
    const shown = await showWhole(ctx, changed)
    if (patch.forward_to) await askPending(ctx, new Set(shown.forward_pending), shown.address)
    return shown
  }
  throw new Problem('service_unavailable', 'The address is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/** Undefined where the row has changed since it was read, or is gone. */
async function tryPatch(ctx: Caller, row: AddressRow, patch: AddressPatch): Promise<AddressRow | undefined> {
  const settings = writeSettings(await mergeSettings(ctx, readSettings(row.settings), patch, row.address))
  const changes = {
    ...(patch.name === undefined ? {} : { name: patch.name }),
    ...(patch.forward_to === undefined ? {} : { forwardTo: JSON.stringify(readForwards(patch.forward_to ?? [])) }),
    ...(patch.expires_at === undefined ? {} : { expiresAt: patch.expires_at ? Date.parse(patch.expires_at) : null }),
    ...(settings === row.settings ? {} : { settings }),
  }
  if (Object.keys(changes).length === 0) return row
  const changed = await patchRow(ctx.stores, row, changes)
  if (changed) forgetSenders()
  return changed
}

/** @throws Problem not_found. */
export async function deleteAddress(ctx: Caller, idOrAddress: string) {
  const row = await ownAddress(ctx, idOrAddress)
  if (!(await deleteRow(ctx.stores, row))) throw notFound('Address')
  forgetSenders()
  return { object: 'address' as const, id: row.id, deleted: true as const }
}

async function ownAddress(ctx: Caller, idOrAddress: string): Promise<AddressRow> {
  const address = isUuid(idOrAddress) ? undefined : readOwn(idOrAddress)
  const by = address ? { address: address.key } : { id: idOrAddress }
  const row = await findAddress(ctx.stores, ctx.account.number, by)
  if (!row) throw notFound('Address')
  return row
}

/** An address or a wildcard of ours: how it is registered, and its domain; a wildcard's is the one whose sub-domains it is for. */
function readOwn(text: string): { key: string; domain: string } | undefined {
  const below = text.startsWith('*@*.')
  const parsed: Address | undefined = parseAddress(below ? `*@${text.slice(4)}` : text)
  if (!parsed) return undefined
  return { key: below ? `*@*.${parsed.domain}` : addressKey(parsed), domain: parsed.domain }
}

/** The domain that an address goes with: its own, or for one on a sub-domain the nearest that is verified. */
async function heldBy(ctx: Caller, domain: string): Promise<string> {
  const above = parentsOf(domain)
  if (above.length === 0) return domain
  return (await findVerified(ctx.stores, [domain, ...above])) ?? domain
}

function readForwards(texts: readonly string[]): string[] {
  const read = texts.map((text) => parseAddress(text)?.address)
  const faults = read.flatMap((address, at): FieldFault[] =>
    address ? [] : [{ path: `forward_to[${at}]`, reason: 'is not an email address' }],
  )
  if (faults.length > 0) throw refused(faults)
  return [...new Set(read.flatMap((address) => address ?? []))]
}

const REFUSALS = {
  closed: () => notFound('Account'),
  domain: (row) =>
    new Problem('domain_not_verified', `The ${row.domain} domain is not verified.`, {
      fields: [{ path: 'address', reason: 'is not on a verified domain of this account' }],
      fix: 'Add the domain with POST /domains and set the DNS records it answers.',
    }),
  taken: () => refused([{ path: 'address', reason: 'is taken' }]),
  limit: () =>
    refused(
      [{ path: 'address', reason: 'is one more than the account may have' }],
      'Ask the operator for a larger quota.',
    ),
} as const satisfies Record<Awaited<ReturnType<typeof whyNoAddress>>, (row: AddressRow) => Problem>

function refused(fields: FieldFault[], fix?: string): Problem {
  const first = fields[0]
  const detail = fix === undefined ? { fields } : { fields, fix }
  return new Problem('validation_error', `Invalid \`${first?.path}\`: ${first?.reason}`, detail)
}

async function showWhole(ctx: Caller, row: AddressRow) {
  return show(row, await pendingOf(ctx, forwardsOf(row)))
}

/** `pending` are those that mail may not go to yet. */
function show(row: AddressRow, pending: ReadonlySet<string>) {
  const forwardTo = forwardsOf(row)
  return {
    object: 'address' as const,
    id: row.id,
    address: row.address,
    domain: row.domain,
    name: row.name,
    forward_to: forwardTo,
    forward_pending: forwardTo.filter((text) => pending.has(text)),
    expires_at: row.expiresAt === null ? null : isoTime(row.expiresAt),
    ...showSettings(readSettings(row.settings)),
    created_at: isoTime(row.createdAt),
  }
}

function forwardsOf(row: AddressRow): string[] {
  return asTexts(JSON.parse(row.forwardTo))
}

/** Only `readForwards` makes what is written there. */
function asTexts(value: unknown): string[] {
  return value as string[]
}
