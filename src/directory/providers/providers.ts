/** Mail services of others whose calls are taken: made, changed, deleted, and found by what they call. */
import { isUuid } from '../../base/id.ts'
import { notFound, Problem } from '../../base/problem.ts'
import { seal, unseal } from '../../base/seal.ts'
import { type Caller, type Context, newId } from '../../context.ts'
import type { ListQuery } from '../../contract/common.ts'
import type { NewProviderBody, ProviderPatch } from '../../contract/directory/providers.ts'
import { isoTime } from '../../record/email-event.ts'
import {
  changeProvider,
  deleteProvider as deleteRow,
  findProvider,
  findProviderById,
  insertProvider,
  listProviders as listRows,
  type ProviderRow,
} from '../../store/directory/providers.ts'
import type { Once } from '../../store/idempotency.ts'
import { createOnce } from '../create.ts'
import { listPage } from '../list.ts'
import { makeRecent } from '../recent.ts'
import type { Provider, Settings } from './adapter.ts'
import { ADAPTERS, abilitiesOf, isProviderKind } from './adapters.ts'

/** Each is a service that somebody set up by hand. */
const MAX_PROVIDERS = 100

/** @throws Problem validation_error. */
export async function createProvider(ctx: Caller, body: NewProviderBody, once?: Once) {
  const account = ctx.account.number
  const { kind, name, signing_key } = body
  refuseStrange(kind, body)
  const settings = settingsFrom({}, body)
  return createOnce(ctx, account, once, async () => {
    const id = newId(ctx)
    const { secrets, shown } = ADAPTERS[kind].begin(ctx, { signing_key })
    const row: ProviderRow = {
      account,
      id,
      kind,
      name: name ?? kind,
      secrets: await seal(ctx.keyring, placeOf(account, id), JSON.stringify(secrets), ctx.random(12)),
      settings: asColumn(settings),
      createdAt: ctx.now(),
    }
    return {
      answer: { ...show(ctx, row), secret: shown },
      insert: (keeping) => insertProvider(ctx.stores, row, MAX_PROVIDERS, keeping),
      exists: async () => (await findProvider(ctx.stores, account, id)) !== undefined,
      refusal: async () => new Problem('validation_error', `There are ${MAX_PROVIDERS} providers already.`),
    }
  })
}

export async function listProviders(ctx: Caller, query: ListQuery) {
  return listPage(
    query,
    (page) => listRows(ctx.stores, ctx.account.number, page),
    (row) => show(ctx, row),
  )
}

/** @throws Problem not_found. */
export async function getProvider(ctx: Caller, id: string) {
  return show(ctx, await ownProvider(ctx, id))
}

/** @throws Problem not_found, validation_error. */
export async function patchProvider(ctx: Caller, id: string, patch: ProviderPatch) {
  const read = await ownProvider(ctx, id)
  refuseStrange(read.kind, patch)
  const name = patch.name === undefined ? read.name : (patch.name ?? read.kind)
  const row = { ...read, name, settings: asColumn(settingsFrom(settingsOf(read), patch)) }
  await change(ctx, read, row)
  return show(ctx, row)
}

/** @throws Problem not_found. */
export async function deleteProvider(ctx: Caller, id: string) {
  const gone = await deleteRow(ctx.stores, ctx.account.number, id)
  forget(id)
  if (!gone) throw notFound('Provider')
  return { object: 'provider' as const, id, deleted: true as const }
}

type Called = { provider: Provider; row: ProviderRow }

const recent = makeRecent<Called>()

/** The provider that a call names, which is yet to prove that it comes from there. @throws Problem not_found. */
export async function findCalled(ctx: Context, id: string): Promise<Provider> {
  if (!isUuid(id)) throw notFound('Provider')
  const known = recent.get(ctx, id)
  if (known) return known.provider
  const row = await findProviderById(ctx.stores, id)
  if (!row || !isProviderKind(row.kind)) throw notFound('Provider')
  const { account, kind, name, createdAt } = row
  const secrets = asSecrets(JSON.parse(await unseal(ctx.keyring, placeOf(account, id), row.secrets)))
  const provider = { account, id, kind, name, secrets, settings: settingsOf(row), createdAt }
  recent.put(ctx, id, { provider, row })
  return provider
}

/** Keeps what a call taught us of its service. @throws Problem service_unavailable where another call taught something meanwhile. */
export async function learn(ctx: Context, { account, id }: Provider, settings: Settings): Promise<void> {
  const known = recent.get(ctx, id)?.row ?? (await findProvider(ctx.stores, account, id))
  if (!known) throw notFound('Provider')
  await change(ctx, known, { name: known.name, settings: JSON.stringify(settings) })
}

async function change(ctx: Context, read: ProviderRow, to: Pick<ProviderRow, 'name' | 'settings'>): Promise<void> {
  const changed = await changeProvider(ctx.stores, read, to)
  forget(read.id)
  if (changed) return
  throw new Problem('service_unavailable', 'The provider is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

function forget(id: string): void {
  recent.drop((_, key) => key === id)
}

async function ownProvider(ctx: Caller, id: string): Promise<ProviderRow> {
  const row = await findProvider(ctx.stores, ctx.account.number, id)
  if (!row) throw notFound('Provider')
  return row
}

/** What goes with one kind alone. @throws Problem validation_error, missing_required_field. */
function refuseStrange(kind: string, given: Partial<NewProviderBody>): void {
  const fields = Object.entries(KIND_OF).flatMap(([path, only]) => {
    const value = Reflect.get(given, path)
    return kind === only || value === null || value === undefined
      ? []
      : [{ path, reason: `goes with the kind ${only} alone` }]
  })
  const [first] = fields
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: it ${first.reason}`, { fields })
  if (given.kind === 'mailgun' && !given.signing_key) {
    throw new Problem('missing_required_field', 'Missing `signing_key` field.', {
      fields: [{ path: 'signing_key', reason: 'is required' }],
    })
  }
}

const KIND_OF = { topic_arn: 'ses', signing_key: 'mailgun', public_key: 'sendgrid' } as const

/** What is not named stays; null, or an empty list, takes away. */
function settingsFrom(before: Settings, { topic_arn, public_key, authserv_ids, received_by }: ProviderPatch): Settings {
  const given = Object.entries({ topic_arn, public_key, authserv_ids, received_by })
  const changed = given.filter(([, value]) => value !== undefined)
  const all = Object.entries({ ...before, ...Object.fromEntries(changed) })
  return Object.fromEntries(all.filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0)))
}

function asColumn(settings: Settings): string | null {
  return Object.keys(settings).length === 0 ? null : JSON.stringify(settings)
}

function placeOf(account: number, id: string): string {
  return `providers:${account}:${id}`
}

function settingsOf(row: ProviderRow): Settings {
  return row.settings === null ? {} : asSettings(JSON.parse(row.settings))
}

/** Only this file writes the column, and an adapter's settings are of this type. */
function asSettings(stored: unknown): Settings {
  return stored as Settings
}

/** What `createProvider` sealed. */
function asSecrets(opened: unknown): Record<string, string> {
  return opened as Record<string, string>
}

function show(ctx: Context, row: ProviderRow) {
  const kind = isProviderKind(row.kind) ? row.kind : undefined
  const does = kind ? abilitiesOf(kind) : []
  const inbound = kind && ADAPTERS[kind].inbound
  const { topic_arn, public_key, authserv_ids, received_by } = settingsOf(row)
  return {
    object: 'provider' as const,
    id: row.id,
    kind: row.kind,
    name: row.name,
    does,
    events_url: does.includes('events') ? `${ctx.config.PUBLIC_URL}/providers/${row.id}/events` : null,
    inbound_url: inbound ? `${ctx.config.PUBLIC_URL}/providers/${row.id}/${inbound.path}` : null,
    setup: kind ? ADAPTERS[kind].setup : '',
    topic_arn: topic_arn ?? null,
    public_key: public_key ?? null,
    authserv_ids: [...(authserv_ids ?? [])],
    received_by: [...(received_by ?? [])],
    created_at: isoTime(row.createdAt),
  }
}
