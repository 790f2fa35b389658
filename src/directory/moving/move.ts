/** Moving an account to another mail database: asked for here, done in steps by the sweep. */
import { notFound, Problem } from '../../base/problem.ts'
import { type Context, newToken } from '../../context.ts'
import { isoTime } from '../../record/email-event.ts'
import { findAccountRow, refOf } from '../../store/directory/accounts.ts'
import { beingMoved, settle } from '../../store/settle.ts'
import { asMove, beginMove, claimMove, findMove, type Move, TABLES } from '../../store/shards/moving.ts'
import { forgetKeysOf } from '../access.ts'
import { noSuchDatabase } from '../accounts.ts'
import { takeBack } from './steps.ts'

/** Longer than any isolate remembers where an account's mail is (directory/recent.ts). */
export const REMEMBERED_MS = 35_000

/**
 * Closes the account and owes its move. @throws Problem not_found; validation_error (no such database, or it lies there);
 * conflict (the target is still being cleared of an earlier stay); service_unavailable (it is being moved).
 */
export async function moveAccount(ctx: Context, id: string, to: string) {
  const row = await findAccountRow(ctx.stores, id)
  if (!row || row.state === 'closing') throw notFound('Account')
  if (row.state !== 'active') throw beingMoved()
  if (!ctx.stores.mail.has(to)) throw noSuchDatabase(ctx, 'to', to)
  if (to === row.mailDb) {
    const reason = 'is where the account’s mail lies already'
    throw new Problem('validation_error', `\`to\` ${reason}.`, { fields: [{ path: 'to', reason }] })
  }
  const now = ctx.now()
  const move: Move = { step: 'close', from: row.mailDb, to, table: 0, after: [], rounds: 0, began: now, since: now }
  const begun = await settle(
    () => beginMove(ctx.stores, refOf(row), move, now + REMEMBERED_MS),
    async () => ((await findMove(ctx.stores, row)) ? true : undefined),
  )
  forgetKeysOf(row.number)
  if (!begun) {
    throw new Problem('conflict', `${to} is still being cleared of an earlier stay of this account.`, {
      fix: 'Try again in half an hour, or move it elsewhere.',
    })
  }
  return show(id, move)
}

/** How far the move has come. @throws Problem not_found. */
export async function getMove(ctx: Context, id: string) {
  const row = await findAccountRow(ctx.stores, id)
  const move = row && (await findMove(ctx.stores, row))
  if (!move) throw notFound('Move')
  return show(id, move)
}

/** Opens the account where it was. @throws Problem not_found; conflict (the new database is the true one already, or a step is under way). */
export async function cancelMove(ctx: Context, id: string) {
  const row = await findAccountRow(ctx.stores, id)
  if (!row || !(await findMove(ctx.stores, row))) throw notFound('Move')
  const now = ctx.now()
  const claim = { token: newToken(ctx), now, until: now + REMEMBERED_MS }
  const task = await claimMove(ctx.stores, row, claim)
  const move = task && asMove(task.state)
  if (!task || !move || row.mailDb !== move.from) {
    throw new Problem('conflict', 'The move cannot be taken back just now: a step of it is being made.', {
      fix: 'Look at it again in a minute.',
    })
  }
  await takeBack(ctx, refOf(row), task, move)
  return show(id, move)
}

function show(account: string, move: Move) {
  return {
    object: 'account_move' as const,
    account,
    from: move.from,
    to: move.to,
    step: move.step,
    tables_done: move.table,
    tables: TABLES,
    since: isoTime(move.since),
  }
}
