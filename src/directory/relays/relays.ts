/** Relays: made, changed, deleted. A password goes in and is never shown. */
import { readHost } from '../../base/host.ts'
import { type FieldFault, notFound, Problem } from '../../base/problem.ts'
import { seal } from '../../base/seal.ts'
import { type Caller, newId } from '../../context.ts'
import type { ListQuery } from '../../contract/common.ts'
import type { NewRelayBody, RelayPatch } from '../../contract/directory/relays.ts'
import { parseAddress } from '../../mail/address.ts'
import type { Once } from '../../store/idempotency.ts'
import {
  changeRelay,
  deleteRelay as deleteRow,
  findRelay,
  insertRelay,
  listRelays as listRows,
  type RelayRow,
} from '../../store/relays/relays.ts'
import { createOnce } from '../create.ts'
import { listPage } from '../list.ts'
import { forgetRelays } from './next-hop.ts'
import { changeSettings, showRelay as show } from './shape.ts'

/** Every one is read whenever a next hop is chosen. */
const MAX_RELAYS = 100

/** Where nothing is said of it. */
const PRIORITY = 10

/** @throws Problem validation_error naming every field at fault. */
export async function createRelay(ctx: Caller, body: NewRelayBody, once?: Once) {
  const account = ctx.account.number
  return createOnce(ctx, account, once, async () => {
    const id = newId(ctx)
    const { kind = 'smtp', priority = PRIORITY } = body
    const domain = readDomain(body.domain)
    const target = kind === 'smtp' ? asTarget(body) : noTarget(ctx, body)
    if (kind === 'smtp') await checkTarget(ctx, target)
    const row: RelayRow = {
      account,
      id,
      domain,
      name: body.name ?? (kind === 'smtp' ? target.host : 'Cloudflare'),
      host: hostText(target.host),
      port: target.port,
      security: target.security,
      user: target.user,
      password: await sealed(ctx, id, target.password),
      // The platform writes a return path of its own.
      verp: kind === 'smtp' && (body.verp ?? true),
      createdAt: ctx.now(),
      kind,
      priority,
      settings: changeSettings({ settings: null }, body),
      health: null,
    }
    return {
      answer: show(row),
      insert: async (keeping) => {
        const inserted = await insertRelay(ctx.stores, row, MAX_RELAYS, keeping)
        forgetRelays()
        return inserted
      },
      exists: async () => (await findRelay(ctx.stores, account, id)) !== undefined,
      refusal: async () => new Problem('validation_error', `There are ${MAX_RELAYS} relays already.`),
    }
  })
}

export async function listRelays(ctx: Caller, query: ListQuery) {
  return listPage(query, (page) => listRows(ctx.stores, ctx.account.number, page), show)
}

/** @throws Problem not_found. */
export async function getRelay(ctx: Caller, id: string) {
  return show(await ownRelay(ctx, id))
}

/** Each time one loses, another has won: so many others at once are no user any more. */
const MOST_CHANGES = 50

/** Changes a relay; the kept password goes to no other place or name than it was given for. @throws Problem. */
export async function patchRelay(ctx: Caller, id: string, patch: RelayPatch) {
  for (let tries = 0; tries < MOST_CHANGES; tries++) {
    const read = await ownRelay(ctx, id)
    const changed = await changeRelay(ctx.stores, read, await changesOf(ctx, read, patch))
    forgetRelays()
    if (changed) return show(changed)
  }
  throw new Problem('service_unavailable', 'The relay is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/** The columns that a patch changes, and no others: what somebody else changes at the same time stays. */
async function changesOf(ctx: Caller, read: RelayRow, patch: RelayPatch): Promise<Partial<RelayRow>> {
  const settings = changeSettings(read, patch)
  const enabled = patch.enabled !== undefined
  return {
    ...(patch.domain === undefined ? {} : { domain: readDomain(patch.domain) }),
    ...(patch.priority === undefined ? {} : { priority: patch.priority }),
    ...(settings === read.settings ? {} : { settings }),
    // Whoever switches it on wants it to be tried.
    ...(enabled ? { health: null } : {}),
    ...(read.kind === 'smtp' ? await smtpChanges(ctx, read, patch) : otherChanges(patch)),
  }
}

async function smtpChanges(ctx: Caller, read: RelayRow, patch: RelayPatch): Promise<Partial<RelayRow>> {
  const user = patch.user === undefined ? read.user : patch.user
  const keeps = patch.password === undefined && user !== null
  const target = {
    host: patch.host ?? read.host,
    port: patch.port ?? read.port,
    security: patch.security ?? read.security,
    user,
    password: keeps ? read.password : (patch.password ?? null),
  }
  const moved = hostText(target.host) !== read.host || target.port !== read.port || target.security !== read.security
  if (keeps && read.password !== null && (moved || user !== read.user)) {
    throw refused([{ path: 'password', reason: 'must be given again where host, port, security or user change' }])
  }
  const changes = {
    ...(patch.name === undefined ? {} : { name: patch.name ?? target.host }),
    ...(patch.verp === undefined ? {} : { verp: patch.verp }),
  }
  if (!moved && user === read.user && keeps) return changes
  await checkTarget(ctx, target)
  const password = keeps ? read.password : await sealed(ctx, read.id, target.password)
  // How it was says nothing of another place or login.
  return { ...changes, ...target, host: hostText(target.host), password, health: null }
}

function otherChanges(patch: RelayPatch): Partial<RelayRow> {
  refuseFields(patch, SMTP_FIELDS)
  return patch.name === undefined ? {} : { name: patch.name ?? 'Cloudflare' }
}

/** @throws Problem not_found. */
export async function deleteRelay(ctx: Caller, id: string) {
  const gone = await deleteRow(ctx.stores, ctx.account.number, id)
  forgetRelays()
  if (!gone) throw notFound('Relay')
  return { object: 'relay' as const, id, deleted: true as const }
}

type Target = Pick<RelayRow, 'host' | 'port' | 'security' | 'user' | 'password'>

/** What speaks of a server, and of nothing else. */
const SMTP_FIELDS = ['host', 'port', 'security', 'user', 'password', 'verp', 'max_connections', 'provider'] as const

function asTarget({ host, port, security, user = null, password = null }: NewRelayBody): Target {
  if (host !== undefined && port !== undefined && security !== undefined)
    return { host, port, security, user, password }
  const missing = Object.entries({ host, port, security }).filter(([, value]) => value === undefined)
  throw refused(missing.map(([path]) => ({ path, reason: 'is required' })))
}

/** The platform's own service: it is the operator who pays for it. */
function noTarget(ctx: Caller, body: NewRelayBody): Target {
  if (!ctx.net.sendEmail) {
    throw refused([
      { path: 'kind', reason: 'needs a send_email binding named EMAIL (see wrangler.toml), and there is none' },
    ])
  }
  if (ctx.access.key !== 'operator') throw refused([{ path: 'kind', reason: 'cloudflare is the operator’s to give' }])
  refuseFields(body, SMTP_FIELDS)
  return { host: '', port: 0, security: 'implicit', user: null, password: null }
}

function refuseFields(body: NewRelayBody | RelayPatch, names: readonly (keyof RelayPatch)[]): void {
  const given = names.filter((name) => body[name] !== undefined && body[name] !== null)
  if (given.length > 0) throw refused(given.map((path) => ({ path, reason: 'is not for a relay of this kind' })))
}

/** Where a tenant may have us connect to, and with what. */
async function checkTarget(ctx: Caller, { host, port, security, user, password }: Target): Promise<void> {
  const read = readHost(host)
  if (!read) throw refused([{ path: 'host', reason: 'is not a host name or an IP address' }])
  const toLoopback = ctx.config.local && read.reach === 'loopback'
  const faults: FieldFault[] = []
  if (security === 'none' && !toLoopback) {
    faults.push({ path: 'security', reason: 'may be none only to loopback and from a local copy' })
  }
  if (port === 25 && !ctx.config.local) {
    faults.push({ path: 'port', reason: 'may not be 25, which Cloudflare closes: relays listen on 587 or 465' })
  }
  if (password !== null && user === null) faults.push({ path: 'user', reason: 'goes with the password' })
  if (user !== null && password === null) faults.push({ path: 'password', reason: 'goes with the user' })
  if (faults.length > 0) throw refused(faults)
  await ctx.net.checkHost(host).catch((error) => {
    if (!(error instanceof Problem) || error.code === 'service_unavailable') throw error
    throw refused([{ path: 'host', reason: error.detail.fields?.[0]?.reason ?? error.message }])
  })
}

async function ownRelay(ctx: Caller, id: string): Promise<RelayRow> {
  const row = await findRelay(ctx.stores, ctx.account.number, id)
  if (!row) throw notFound('Relay')
  return row
}

async function sealed(ctx: Caller, id: string, password: string | null): Promise<string | null> {
  if (password === null) return null
  return seal(ctx.keyring, `relays:${ctx.account.number}:${id}`, password, ctx.random(12))
}

/** One spelling of each host: that which was checked is that which is connected to. */
function hostText(host: string): string {
  return readHost(host)?.text ?? host
}

function readDomain(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null
  const domain = parseAddress(`x@${text}`)?.domain
  if (!domain) throw refused([{ path: 'domain', reason: 'is not a domain' }])
  return domain
}

function refused(fields: FieldFault[]): Problem {
  const first = fields[0]
  return new Problem('validation_error', `Invalid \`${first?.path}\`: ${first?.reason}`, { fields })
}
