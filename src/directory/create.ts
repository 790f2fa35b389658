/** Making something in the directory: once, however often it is asked for, and known to be made or not. */
import type { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { keeping, recall } from '../record/once.ts'
import type { Keeping, Once } from '../store/idempotency.ts'
import { settle } from '../store/settle.ts'

/** A thing about to be made, with an id already, so that it can be looked for. */
export type Making<T> = {
  answer: T
  /** One batch, the kept answer in it. False where nothing was made. */
  insert(keeping: Keeping | undefined): Promise<boolean>
  /** Asked where the acknowledgement was lost. */
  exists(): Promise<boolean>
  /** Why it was not made. */
  refusal(): Promise<Problem>
}

/** Answers what `make` makes, or what the same request was answered before. @throws Problem. */
export async function createOnce<T>(
  ctx: Context,
  account: number,
  once: Once | undefined,
  make: () => Promise<Making<T>>,
): Promise<T> {
  const db = ctx.stores.directory
  const known = await recall(ctx, db, account, once)
  if (known !== undefined) return asAnswer<T>(known)
  const making = await make()
  const kept = await keeping(ctx, account, once, 201, making.answer)
  const inserted = await settle(
    () => making.insert(kept),
    async () => (await making.exists()) || undefined,
  )
  if (inserted) return making.answer
  const winner = await recall(ctx, db, account, once)
  if (winner !== undefined) return asAnswer<T>(winner)
  throw await making.refusal()
}

/** What was kept under this account, method and path is what the same verb answered. */
function asAnswer<T>(kept: unknown): T {
  return kept as T
}
