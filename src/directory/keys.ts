/** API keys: made, listed, renamed and deleted. Only the hash of a key is kept. */
import { toBase32 } from '../base/bytes.ts'
import { type FieldFault, notFound, Problem } from '../base/problem.ts'
import { sha256Hex } from '../base/seal.ts'
import { type Caller, type Context, newId } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { KeyPatch, LimitsWish, NewKeyBody } from '../contract/directory/keys.ts'
import { ACCOUNT_SCOPES } from '../contract/route.ts'
import { isoTime } from '../record/email-event.ts'
import {
  deleteKey as deleteRow,
  findKey,
  insertKey,
  type KeyLimits,
  type KeyRow,
  limitsOf,
  listKeys as listRows,
  patchKey as patchRow,
  scopesOf,
} from '../store/directory/keys.ts'
import type { Once } from '../store/idempotency.ts'
import { INSTANCE } from '../store/stores.ts'
import { forgetKey } from './access.ts'
import { createOnce } from './create.ts'
import { listPage } from './list.ts'
import { EVERY_SCOPE, granted } from './scopes.ts'
import { covers, readSender } from './senders-allowed.ts'

/** 160 bits: nobody guesses it, and it begins as Resend's clients expect. */
export function newKeyToken(ctx: Pick<Context, 'random'>): string {
  return `re_${toBase32(ctx.random(20))}`
}

/** Makes a key; its token is told here and never again. @throws Problem naming what the key may not have. */
export async function createKey(ctx: Caller, body: NewKeyBody, once?: Once): Promise<{ id: string; token: string }> {
  const account = ctx.account.number
  return createOnce(ctx, account, once, async () => {
    const grant = account === INSTANCE.number ? grantForInstance(body) : grantForAccount(ctx, body)
    const answer = { id: newId(ctx), token: newKeyToken(ctx) }
    const hash = await sha256Hex(answer.token)
    const key = { id: answer.id, hash, account, name: body.name, domainId: body.domain_id ?? null, ...grant }
    return {
      answer,
      insert: (keeping) => insertKey(ctx.stores, key, ctx.now(), keeping),
      exists: async () => (await findKey(ctx.stores, hash)) !== undefined,
      refusal: async () => fault('domain_id', 'is no domain of this account'),
    }
  })
}

export async function listKeys(ctx: Caller, query: ListQuery) {
  return listPage(query, (page) => listRows(ctx.stores, ctx.account.number, page), show)
}

/** Renames a key or changes its limits, which holds at once in this isolate. @throws Problem not_found, validation_error. */
export async function patchKey(ctx: Caller, id: string, { name, limits }: KeyPatch) {
  const { account } = ctx
  if (limits && account.number === INSTANCE.number) throw noLimits()
  const wanted = limits ? readLimits(ctx, limits, 'stays') : {}
  const hash = await patchRow(ctx.stores, account.number, id, {
    ...(name === undefined ? {} : { name }),
    limits: wanted,
  })
  if (hash === undefined) throw notFound('API key')
  forgetKey(hash)
  return { object: 'api_key' as const, id }
}

/** Deletes a key, which stops at once in this isolate. @throws Problem not_found. */
export async function deleteKey(ctx: Caller, id: string) {
  const hash = await deleteRow(ctx.stores, ctx.account.number, id)
  if (hash === undefined) throw notFound('API key')
  forgetKey(hash)
  return { object: 'api_key' as const, id, deleted: true as const }
}

type Grant = { permission: string; scopes: readonly string[]; limits: KeyLimits }

/** A key of the instance brings mail in, and does nothing else. */
function grantForInstance(body: NewKeyBody): Grant {
  const asked = [body.permission ?? 'inbound:write', ...(body.scopes ?? [])]
  const wrong = asked.find((scope) => scope !== 'inbound:write')
  if (wrong) {
    throw fault('permission', 'must be inbound:write for a key of the instance', {
      fix: 'Add the header X-Account: <account id> to make a key of an account.',
    })
  }
  if (body.domain_id) throw fault('domain_id', 'does not go with a key of the instance')
  if (body.limits) throw noLimits()
  return { permission: 'inbound:write', scopes: ['inbound:write'], limits: {} }
}

/** A key may do no more than the one that makes it, or who holds a little could make himself everything. */
function grantForAccount(ctx: Caller, body: NewKeyBody): Grant {
  const { permission = null, scopes = null } = body
  if (permission === 'inbound:write') throw fault('permission', 'is for keys of the instance alone')
  const within: readonly string[] = permission === 'sending_access' ? ['emails:send'] : ACCOUNT_SCOPES
  const wanted = scopes ?? within
  const faults = wanted.flatMap((scope, at): FieldFault[] => {
    const path = scopes ? `scopes[${at}]` : 'permission'
    if (!within.includes(scope)) return [{ path, reason: `${scope} is not within the permission` }]
    if (!ctx.access.scopes.has(scope)) return [{ path, reason: `${scope} is not a scope of the key that makes it` }]
    return []
  })
  if (ctx.access.domainId && body.domain_id !== ctx.access.domainId) {
    faults.push({ path: 'domain_id', reason: 'must be the domain that the key which makes it is bound to' })
  }
  const first = faults[0]
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  const limits = present(readLimits(ctx, body.limits ?? {}, 'is none'))
  const all = !scopes && permission !== 'sending_access'
  return {
    permission: permission ?? (scopes ? 'custom' : 'full_access'),
    scopes: all ? [EVERY_SCOPE] : [...new Set(wanted)],
    limits,
  }
}

type Wanted = { [Name in keyof KeyLimits]: KeyLimits[Name] | null }

/**
 * The limits asked for, senders parsed; none wider than those of the key that asks. `absent` is what a limit is that is not named.
 * @throws Problem validation_error naming each at fault.
 */
function readLimits(ctx: Caller, wish: LimitsWish, absent: 'stays' | 'is none'): Wanted {
  const own = ctx.access.limits ?? {}
  const faults: FieldFault[] = []
  const add = (name: string, reason: string) => faults.push({ path: `limits.${name}`, reason })
  const named = (value: unknown) => value !== undefined || absent === 'is none'
  for (const name of ['sends_per_day', 'requests_per_second'] as const) {
    const most = own[name]
    if (most === undefined || !named(wish[name])) continue
    if ((wish[name] ?? Number.POSITIVE_INFINITY) > most) add(name, `must be at most ${most}, as of the key that asks`)
  }
  const senders = wish.senders?.map((text, at) => {
    const sender = readSender(text)
    if (sender === undefined) add(`senders[${at}]`, 'is neither an email address nor `@` and a domain')
    else if (own.senders && !covers(own.senders, sender)) add(`senders[${at}]`, 'is no sender of the key that asks')
    return sender ?? ''
  })
  if (own.senders && !senders && named(wish.senders)) add('senders', 'must be given, as the key that asks has some')
  const [first] = faults
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  return {
    ...wish,
    ...(senders ? { senders: [...new Set(senders)] } : {}),
    ...(own.sends_per_day === undefined || absent === 'stays'
      ? {}
      : { counted_with: own.counted_with ?? ctx.access.key }),
  }
}

/** Without what is null. */
function present({ senders, sends_per_day, requests_per_second, counted_with }: Wanted): KeyLimits {
  return {
    ...(senders ? { senders } : {}),
    ...(typeof sends_per_day === 'number' ? { sends_per_day } : {}),
    ...(typeof requests_per_second === 'number' ? { requests_per_second } : {}),
    ...(counted_with ? { counted_with } : {}),
  }
}

function noLimits(): Problem {
  return fault('limits', 'do not go with a key of the instance')
}

function fault(path: string, reason: string, more: { fix?: string } = {}): Problem {
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }], ...more })
}

function show(row: KeyRow) {
  const { senders = null, sends_per_day = null, requests_per_second = null } = limitsOf(row)
  return {
    id: row.id,
    name: row.name,
    created_at: isoTime(row.createdAt),
    last_used_at: row.lastUsedAt === null ? null : isoTime(row.lastUsedAt),
    permission: row.permission,
    scopes: [...granted(scopesOf(row))],
    domain_id: row.domainId,
    limits: { senders, sends_per_day, requests_per_second },
  }
}
