/** Idempotency: an answer is kept by the same batch that makes what it tells of, so a refused or failed request burns no key. */
import { Problem } from '../base/problem.ts'
import { seal, unseal } from '../base/seal.ts'
import type { Context } from '../context.ts'
import { findAnswer, type Keeping, type Once } from '../store/idempotency.ts'
import type { Database } from '../store/stores.ts'

/**
 * The answer that was given to the same request before, if there was one. Asked before the work, to save it,
 * and again where the batch did not hold, because a request running beside this one may have won.
 * @throws Problem invalid_idempotent_request where the key was used for another body.
 */
export async function recall(ctx: Context, db: Database, account: number, once: Once | undefined): Promise<unknown> {
  if (!once) return undefined
  const kept = await findAnswer(db, account, once, ctx.now())
  if (!kept) return undefined
  if (kept.body !== once.body) {
    throw new Problem('invalid_idempotent_request', 'This idempotency key was used for another request body.', {
      fix: 'Use a new Idempotency-Key for each different request.',
    })
  }
  return JSON.parse(await unseal(ctx.keyring, place(account, once), kept.answer))
}

/** What the batch is to keep. Sealed, because an answer may hold a key that is shown once. */
export async function keeping(
  ctx: Context,
  account: number,
  once: Once | undefined,
  status: number,
  answer: unknown,
): Promise<Keeping | undefined> {
  if (!once) return undefined
  const sealed = await seal(ctx.keyring, place(account, once), JSON.stringify(answer), ctx.random(12))
  return { once, status, answer: sealed }
}

function place(account: number, once: Once): string {
  return `idempotency:${account}:${once.key}`
}
