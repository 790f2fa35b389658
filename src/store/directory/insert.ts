/** Rows of the directory are made once: while their owner is open, and together with the answer that is kept of it. */
import { type SQL, sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { runBatch } from '../mail/change.ts'
import { INSTANCE, type Stores } from '../stores.ts'

/** The condition that the account takes something new; the instance always does. */
export function isOpen(account: number): SQL {
  if (account === INSTANCE.number) return sql`1`
  return sql`EXISTS (SELECT 1 FROM accounts WHERE number = ${account} AND state = 'active')`
}

/**
 * Runs an insert that holds only while `free` does, and keeps the answer where `exists` says that the row is there.
 * False where nothing was made: the account is closed, the answer is kept already, or a condition of the row's own failed.
 */
export async function insertOnce(
  stores: Stores,
  made: { account: number; now: number; exists: SQL; keeping: Keeping | undefined; beside?: SQL[] },
  insert: (free: SQL) => SQL,
): Promise<boolean> {
  const { account, now, exists, keeping, beside = [] } = made
  const free = keeping ? sql`${isOpen(account)} AND ${notAnswered(account, keeping.once, now)}` : isOpen(account)
  const kept = keeping ? [keepAnswer(account, keeping.once, now, keeping.status, keeping.answer, exists)] : []
  const [rows] = await runBatch(stores.directory, [insert(free), ...beside, ...kept])
  return rows !== undefined && rows.length > 0
}
