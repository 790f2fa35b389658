/** Whose key this is: from the isolate's memory for a while, else one read. */
import { sha256Hex } from '../base/seal.ts'
import type { Access, Context } from '../context.ts'
import { findKey, touchKey } from '../store/directory/keys.ts'
import type { AccountRef } from '../store/stores.ts'

/** A key that we know: of an account, or (account number 0) of the instance. */
export type Recognised = { account: AccountRef; access: Access }

/** A key deleted elsewhere may still be taken here for so long. */
const REMEMBER_MS = 30_000

/** `last_used_at` is written at most so often: it is a hint, and each write is billed. */
const TOUCH_MS = 3_600_000

/** So that strangers trying keys cannot fill the memory. */
const MOST_REMEMBERED = 10_000

const remembered = new Map<string, { until: number; known: Recognised }>()

/** Finds the owner of a key; undefined where nobody's. */
export async function recognise(ctx: Context, token: string): Promise<Recognised | undefined> {
  const hash = await sha256Hex(token)
  const held = remembered.get(hash)
  if (held && held.until > ctx.now()) return held.known
  remembered.delete(hash)
  const row = await findKey(ctx.stores, hash)
  if (!row || row.accountState === 'closing') return undefined
  if ((row.lastUsedAt ?? 0) < ctx.now() - TOUCH_MS) ctx.later(touchKey(ctx.stores, hash, ctx.now()))
  const known: Recognised = {
    account: row.account,
    access: { key: row.id, scopes: new Set(row.scopes), ...(row.domainId ? { domainId: row.domainId } : {}) },
  }
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(hash, { until: ctx.now() + REMEMBER_MS, known })
  return known
}

/** Forgets a key at once where it was deleted. */
export function forgetKey(hash: string): void {
  remembered.delete(hash)
}

/** Forgets all keys of an account that is being closed. */
export function forgetKeysOf(account: number): void {
  for (const [hash, held] of remembered) if (held.known.account.number === account) remembered.delete(hash)
}
