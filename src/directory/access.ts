/** Whose key this is: from the isolate's memory for a while, else one read. */
import { sha256Hex } from '../base/seal.ts'
import type { Access, Context } from '../context.ts'
import { findKey, touchKey } from '../store/directory/keys.ts'
import { beingMoved } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'
import { makeRecent } from './recent.ts'
import { granted } from './scopes.ts'

/** A key that we know: of an account, or (account number 0) of the instance. */
export type Recognised = {
  account: AccountRef
  access: Access
  /** Requests a second that all keys of the account have together, where that is limited. */
  accountRate?: number
}

/** `last_used_at` is written at most so often: it is a hint, and each write is billed. */
const TOUCH_MS = 3_600_000

/** Longer than any key of ours; more is not worth hashing. */
const MAX_TOKEN = 200

const recent = makeRecent<Recognised>()

/** Finds the owner of a key; undefined where nobody's. @throws Problem service_unavailable while the account is being moved. */
export async function recognise(ctx: Context, token: string): Promise<Recognised | undefined> {
  if (token.length > MAX_TOKEN) return undefined
  const hash = await sha256Hex(token)
  const held = recent.get(ctx, hash)
  if (held) return held
  const row = await findKey(ctx.stores, hash)
  if (row?.accountState === 'waiting') throw beingMoved()
  if (row?.accountState !== 'active') return undefined
  const lately = ctx.now() - TOUCH_MS
  if ((row.lastUsedAt ?? 0) < lately) ctx.later(touchKey(ctx.stores, hash, ctx.now(), lately))
  const known: Recognised = {
    account: row.account,
    access: {
      key: row.id,
      scopes: new Set(granted(row.scopes)),
      limits: row.limits,
      ...(row.domainId ? { domainId: row.domainId } : {}),
    },
    ...(row.accountRate === null ? {} : { accountRate: row.accountRate }),
  }
  recent.put(ctx, hash, known)
  return known
}

/** Forgets a key at once where it was changed or deleted. */
export function forgetKey(hash: string): void {
  recent.drop((_, key) => key === hash)
}

/** Forgets all keys of an account that is being closed. */
export function forgetKeysOf(account: number): void {
  recent.drop((known) => known.account.number === account)
}
