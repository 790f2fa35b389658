/** The index is kept up with accounts in which nobody searches, goes back over mail of the past, and is emptied where it is to be made anew. */
import { describeError } from '../../base/log.ts'
import type { Context } from '../../context.ts'
import { lastAccount, readSeq, readSeqs } from '../../store/search/source.ts'
import { type Cursor, readCursor, readCursors, startClearing } from '../../store/search/words.ts'
import { type AccountRef, type Database, searchOf } from '../../store/stores.ts'
import { type Budget, catchUp, emptySome, goBack, SLACK } from './indexing.ts'

/** Accounts that one tick looks at; with more of them, each has its turn every so many minutes. */
const ACCOUNTS_A_TICK = 1000

/** Documents made a tick and mail database, some thirty a second: each is a get from R2, of which an invocation has ten thousand. */
const DOCUMENTS_A_TICK = 2000

/** Steps of 500 rows in which an account is emptied, a tick. */
const EMPTYING_A_TICK = 20

const TICK = 60_000

/** After this nothing new is begun, so that ticks do not pile up. */
const LONG_ENOUGH = 45_000

/** What goes on after an answer has half a minute. */
const AFTER_AN_ANSWER = 20_000

/** One tick's share, of each mail database; trouble with one holds up no other. */
export async function sweepSearch(ctx: Context): Promise<void> {
  await Promise.all(
    [...ctx.stores.mail].map(([name, mail]) =>
      sweepDatabase(ctx, name, mail).catch((error) =>
        ctx.log('error', 'a sweep failed', { stage: 'search', database: name, error: describeError(error) }),
      ),
    ),
  )
}

/** Has the index of an account made anew: it is emptied by the sweep, and filled again, the newest mail first. */
export async function rebuildSearch(ctx: Context, db: Database, account: AccountRef): Promise<void> {
  await startClearing(db, account.number)
  const seq = await readSeq(ctx.stores, account)
  const budget = { documents: DOCUMENTS_A_TICK, until: ctx.now() + AFTER_AN_ANSWER }
  if (seq !== undefined) ctx.later(tend(ctx, db, account, seq, budget))
}

async function sweepDatabase(ctx: Context, name: string, mail: Database): Promise<void> {
  const db = searchOf(ctx.stores, { mailDb: name })
  if (!db) return
  const begun = ctx.now()
  const until = begun + LONG_ENOUGH
  const slices = Math.max(1, Math.ceil((await lastAccount(mail)) / ACCOUNTS_A_TICK))
  const from = (Math.floor(begun / TICK) % slices) * ACCOUNTS_A_TICK
  const to = from + ACCOUNTS_A_TICK
  const [accounts, cursors] = await Promise.all([readSeqs(mail, name, from, to), readCursors(db, from, to)])
  const behind = accounts.filter(({ account, seq }) => isBehind(seq, cursors.get(account.number)))
  let left = DOCUMENTS_A_TICK
  for (const [at, { account, seq }] of behind.entries()) {
    if (ctx.now() > until || left <= 0) return
    // Everyone has a share, so that the great past of one does not hold up the others.
    const budget = { documents: Math.ceil(left / (behind.length - at)), until }
    left -= budget.documents
    await tend(ctx, db, account, seq, budget).catch((error) =>
      ctx.log('error', 'indexing failed', { account: account.id, error: describeError(error) }),
    )
    left += Math.max(0, budget.documents)
  }
}

/** What is a few steps behind is brought up by whoever searches. */
function isBehind(seq: number, cursor: Cursor | undefined): boolean {
  return seq - (cursor?.high ?? 0) >= SLACK || (cursor !== undefined && (cursor.clearing || cursor.low !== null))
}

/** Does what an account's index needs: empties it, brings it up, goes back. */
async function tend(ctx: Context, db: Database, account: AccountRef, seq: number, budget: Budget): Promise<void> {
  const before = await readCursor(db, account.number)
  if (before?.clearing && !(await emptySome(db, account, EMPTYING_A_TICK))) return
  const cursor = before?.clearing ? await readCursor(db, account.number) : before
  if (!(await catchUp(ctx, db, account, { seq, cursor }, budget))) return
  for (let at = await readCursor(db, account.number); at && at.low !== null; ) {
    if (budget.documents <= 0 || ctx.now() > budget.until) return
    await goBack(ctx, db, account, at, budget)
    at = await readCursor(db, account.number)
  }
}
