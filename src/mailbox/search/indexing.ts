/**
 * Keeps the search index up with an account's mail: it follows the account's seq by a cursor of its own, as webhooks do.
 * Nothing is owed and nothing is claimed: what is in the index is found there, so two who do the same work do no harm.
 */
import type { Context } from '../../context.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { type Candidate, loadMessages, readOlder, readSteps } from '../../store/search/source.ts'
import {
  beginAt,
  type Cursor,
  clearSome,
  type Document,
  endClearing,
  findIndexed,
  NOTHING,
  TOP,
  writeIndex,
} from '../../store/search/words.ts'
import type { AccountRef, Database } from '../../store/stores.ts'
import { documentOf } from './document.ts'

/**
 * The cursor may stay so many steps behind what is indexed: they are looked through again, which costs reads;
 * to move it with each mail would cost a second row written.
 */
export const SLACK = 32

/** Steps looked through at once. */
const PAGE = 1000

/** Messages of the past looked through at once. */
const OLDER = 500

/** An index that is further behind than this begins with the newest mail, and works its way back. */
const LOST = 1000

/** Documents of one batch, and the characters in them: a batch is held in memory, and holds up the database. */
const MAX_DOCUMENTS = 32
const MAX_CHARACTERS = 1024 * 1024

/** Messages read at once; a Worker has six connections. */
const AT_ONCE = 6

/** Documents that may still be made, and the ms after which no more is begun. */
export type Budget = { documents: number; until: number }

/** Brings the index up to the account's step `seq`, as far as the budget goes; answers whether it is there now, the past aside. */
export async function catchUp(
  ctx: Context,
  db: Database,
  account: AccountRef,
  at: { seq: number; cursor: Cursor | undefined },
  budget: Budget,
): Promise<boolean> {
  let cursor = at.cursor ?? NOTHING
  if (cursor.clearing) return false
  if (cursor.high === 0 && at.seq >= LOST) {
    cursor = { ...cursor, high: at.seq, low: TOP }
    await beginAt(db, account.number, at.seq, cursor.epoch)
  }
  // Whoever looks after a flood of mail looks for the newest of it; the pages before come in their turn.
  if (at.seq - cursor.high > PAGE) {
    const { entered } = await readSteps(ctx.stores, account, at.seq - PAGE, at.seq)
    await putIn(ctx, db, account, entered, { ...budget, documents: Math.ceil(budget.documents / 2) })
  }
  while (cursor.high < at.seq) {
    const to = Math.min(at.seq, cursor.high + PAGE)
    const { entered, gone } = await readSteps(ctx.stores, account, cursor.high, to)
    if (!(await putIn(ctx, db, account, entered, budget))) return false
    const moved = { ...cursor, high: to }
    const moves = to - cursor.high >= SLACK
    if (moves || gone.length > 0) await writeIndex(db, account.number, { gone, ...(moves ? { cursor: moved } : {}) })
    cursor = moved
  }
  // After a loss the newest page of the past is what somebody who asks expects to find.
  if (cursor.low === TOP) await goBack(ctx, db, account, cursor, budget)
  return true
}

/** Puts in what is older than the cursor's `low`, a page of it; true once there is nothing older. */
export async function goBack(
  ctx: Context,
  db: Database,
  account: AccountRef,
  cursor: Cursor,
  budget: Budget,
): Promise<boolean> {
  if (cursor.low === null) return true
  const older = await readOlder(ctx.stores, account, cursor.low, OLDER)
  const whole = await putIn(ctx, db, account, older, budget)
  if (!whole) return false
  const low = older.length < OLDER ? null : (older.at(-1)?.id ?? null)
  await writeIndex(db, account.number, { cursor: { ...cursor, low } })
  return low === null
}

/** Empties an account's part of the index, a bounded amount of it; true once it is empty. */
export async function emptySome(db: Database, account: Pick<AccountRef, 'number'>, steps: number): Promise<boolean> {
  for (let step = 0; step < steps; step++) {
    if (!(await clearSome(db, account.number))) continue
    await endClearing(db, account.number)
    return true
  }
  return false
}

/** Makes the documents of those candidates that are not in the index as they are now, the newest first; false where the budget ended before. */
async function putIn(
  ctx: Context,
  db: Database,
  account: AccountRef,
  candidates: Candidate[],
  budget: Budget,
): Promise<boolean> {
  if (candidates.length === 0) return true
  const indexed = await findIndexed(
    db,
    account.number,
    candidates.map(({ n }) => n),
  )
  const missing = candidates.filter(({ n, raw }) => indexed.get(n) !== raw).sort((a, b) => b.n - a.n)
  for (let at = 0; at < missing.length; at += MAX_DOCUMENTS) {
    if (budget.documents <= 0 || ctx.now() > budget.until) return false
    const some = missing.slice(at, at + MAX_DOCUMENTS)
    budget.documents -= some.length
    await putSome(ctx, db, account, some)
  }
  return true
}

async function putSome(ctx: Context, db: Database, account: AccountRef, some: Candidate[]): Promise<void> {
  const places = new Map(some.map(({ id, n }) => [id, n]))
  const ids = some.map(({ id }) => id)
  const messages = await loadMessages(ctx.stores, account, ids)
  let documents: Document[] = []
  let characters = 0
  for (let at = 0; at < messages.length; at += AT_ONCE) {
    const read = (message: StoredMessage) => documentOf(ctx, message, places.get(message.id) ?? 0)
    documents.push(...(await Promise.all(messages.slice(at, at + AT_ONCE).map(read))))
    characters = documents.reduce((sum, document) => sum + document.body.length, 0)
    if (characters < MAX_CHARACTERS) continue
    await writeIndex(db, account.number, { documents })
    documents = []
  }
  if (documents.length > 0) await writeIndex(db, account.number, { documents })
}
