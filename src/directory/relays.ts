/** Relays: made, changed, deleted. A password goes in and is never shown. */
import { readHost } from '../base/host.ts'
import { type FieldFault, notFound, Problem } from '../base/problem.ts'
import { seal } from '../base/seal.ts'
import { type Caller, newId } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { NewRelayBody, RelayPatch } from '../contract/directory/relays.ts'
import { parseAddress } from '../mail/address.ts'
import { isoTime } from '../record/email-event.ts'
import {
  deleteRelay as deleteRow,
  findRelay,
  insertRelay,
  listRelays as listRows,
  type RelayRow,
  replaceRelay,
} from '../store/directory/relays.ts'
import type { Once } from '../store/idempotency.ts'
import { createOnce } from './create.ts'
import { listPage } from './list.ts'
import { forgetRelays } from './next-hop.ts'

/** Every one is read whenever a next hop is chosen. */
const MAX_RELAYS = 100

/** @throws Problem validation_error naming every field at fault. */
export async function createRelay(ctx: Caller, body: NewRelayBody, once?: Once) {
  const account = ctx.account.number
  return createOnce(ctx, account, once, async () => {
    const id = newId(ctx)
    const domain = readDomain(body.domain)
    const relay = { ...body, user: body.user ?? null, password: body.password ?? null }
    await checkTarget(ctx, relay)
    const row: RelayRow = {
      account,
      id,
      domain,
      name: body.name ?? body.host,
      host: hostText(body.host),
      port: body.port,
      security: body.security,
      user: relay.user,
      password: await sealed(ctx, id, relay.password),
      verp: body.verp ?? true,
      createdAt: ctx.now(),
      kind: 'smtp',
      priority: 10,
      settings: null,
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

/** Changes a relay; the kept password goes to no other place or name than it was given for. @throws Problem. */
export async function patchRelay(ctx: Caller, id: string, patch: RelayPatch) {
  const read = await ownRelay(ctx, id)
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
  await checkTarget(ctx, target)
  const row: RelayRow = {
    ...read,
    ...target,
    host: hostText(target.host),
    name: patch.name === undefined ? read.name : (patch.name ?? target.host),
    domain: patch.domain === undefined ? read.domain : readDomain(patch.domain),
    password: keeps ? read.password : await sealed(ctx, id, target.password),
    verp: patch.verp ?? read.verp,
  }
  const replaced = await replaceRelay(ctx.stores, read, row)
  forgetRelays()
  if (replaced) return show(row)
  await ownRelay(ctx, id)
  throw new Problem('service_unavailable', 'The relay is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/** @throws Problem not_found. */
export async function deleteRelay(ctx: Caller, id: string) {
  const gone = await deleteRow(ctx.stores, ctx.account.number, id)
  forgetRelays()
  if (!gone) throw notFound('Relay')
  return { object: 'relay' as const, id, deleted: true as const }
}

type Target = Pick<RelayRow, 'host' | 'port' | 'security' | 'user' | 'password'>

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
    throw refused([{ path: 'host', reason: error.message }])
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

function show(row: RelayRow) {
  return {
    object: 'relay' as const,
    id: row.id,
    name: row.name,
    domain: row.domain,
    host: row.host,
    port: row.port,
    security: row.security,
    user: row.user,
    has_password: row.password !== null,
    verp: row.verp,
    created_at: isoTime(row.createdAt),
  }
}
