/** API keys: made, listed, renamed and deleted. Only the hash of a key is kept. */
import { toBase32 } from '../base/bytes.ts'
import { type FieldFault, notFound, Problem } from '../base/problem.ts'
import { sha256Hex } from '../base/seal.ts'
import { type Caller, type Context, newId } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { NewKeyBody } from '../contract/directory/keys.ts'
import { ACCOUNT_SCOPES } from '../contract/route.ts'
import { isoTime } from '../record/email-event.ts'
import {
  deleteKey as deleteRow,
  findKey,
  insertKey,
  type KeyRow,
  listKeys as listRows,
  renameKey as renameRow,
  scopesOf,
} from '../store/directory/keys.ts'
import type { Once } from '../store/idempotency.ts'
import { INSTANCE } from '../store/stores.ts'
import { forgetKey } from './access.ts'
import { createOnce } from './create.ts'
import { listPage } from './list.ts'

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

/** @throws Problem not_found. */
export async function renameKey(ctx: Caller, id: string, name: string) {
  if (!(await renameRow(ctx.stores, ctx.account.number, id, name))) throw notFound('API key')
  return { object: 'api_key' as const, id }
}

/** Deletes a key, which stops at once in this isolate. @throws Problem not_found. */
export async function deleteKey(ctx: Caller, id: string) {
  const hash = await deleteRow(ctx.stores, ctx.account.number, id)
  if (hash === undefined) throw notFound('API key')
  forgetKey(hash)
  return { object: 'api_key' as const, id, deleted: true as const }
}

type Grant = { permission: string; scopes: readonly string[] }

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
  return { permission: 'inbound:write', scopes: ['inbound:write'] }
}

/** A key may do no more than the one that makes it, or who holds a little could make himself everything. */
function grantForAccount(ctx: Caller, body: NewKeyBody): Grant {
  const { permission = null, scopes = null } = body
  if (permission === 'inbound:write') throw fault('permission', 'is for keys of the instance alone')
  const within: readonly string[] = permission === 'sending_access' ? ['emails:send'] : ACCOUNT_SCOPES
  const granted = scopes ?? within
  const faults = granted.flatMap((scope, at): FieldFault[] => {
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
  return { permission: permission ?? (scopes ? 'custom' : 'full_access'), scopes: [...new Set(granted)] }
}

function fault(path: string, reason: string, more: { fix?: string } = {}): Problem {
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }], ...more })
}

function show(row: KeyRow) {
  return {
    id: row.id,
    name: row.name,
    created_at: isoTime(row.createdAt),
    last_used_at: row.lastUsedAt === null ? null : isoTime(row.lastUsedAt),
    permission: row.permission,
    scopes: scopesOf(row),
    domain_id: row.domainId,
  }
}
