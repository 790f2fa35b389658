/** The steps of a move. Each may be repeated: whoever is killed in one leaves nothing that the next try does not mend. */
import type { Context } from '../../context.ts'
import { advanceTask, type Task } from '../../store/mail/tasks.ts'
import { comparePage, copyPage, dropPage, type Place } from '../../store/shards/copy.ts'
import { drain, type Move, openAgain, stopWriting, switchTo } from '../../store/shards/moving.ts'
import { MOVED_TABLES } from '../../store/shards/tables.ts'
import { type AccountRef, mailOf } from '../../store/stores.ts'
import { forgetKeysOf } from '../access.ts'

/** An attempt to tell a webhook ends within fifteen seconds, and nothing shows in a row that it is being made. */
const DRAIN_MS = 60_000

/** Who delivers gives up what he has not begun within some minutes; what is not at rest by then will not be. */
const MOST_DRAIN_MS = 20 * 60_000

/** A sweep that began before the switch may still look for the account where it was, and must find its rows. */
export const CLEAR_AFTER_MS = 20 * 60_000

/** Longer than the pages between two notes take. */
export const CLAIM_MS = 3 * 60_000

/** Two copies that differ this often are not for a machine to make the same. */
const MOST_ROUNDS = 3

/** What is to come: a step that may be taken from `due` on, or nothing more. */
export type Next = { move: Move; due: number } | 'over' | 'lost'

/** Takes the step that the move stands at, or as much of it as there are pages left to spend. */
export async function takeStep(
  ctx: Context,
  account: AccountRef,
  task: Task,
  move: Move,
  spend: () => boolean,
): Promise<Next> {
  const now = ctx.now()
  const from = mailOf(ctx.stores, { mailDb: move.from })
  const at = (step: Move['step'], due = now): Next => ({ move: { ...move, step, since: now }, due })
  switch (move.step) {
    case 'close':
      await drain(from, account.number)
      return at('drain', now + DRAIN_MS)
    case 'drain':
      if (await stopWriting(from, account.number, now)) return at('copy')
      if (now - move.since > MOST_DRAIN_MS) return takeBack(ctx, account, task, move)
      return { move, due: now + DRAIN_MS / 6 }
    case 'copy':
    case 'compare':
      return takeTables(ctx, account, task, move, spend)
    case 'switch':
      if (!(await switchTo(ctx.stores, account.number, move))) return 'lost'
      return at('open')
    case 'open':
      return open(ctx, account, task, move, { place: move.to, other: move.from, clearAt: now + CLEAR_AFTER_MS })
    case 'back':
      return open(ctx, account, task, move, { place: move.from, other: move.to, clearAt: now })
  }
}

/** Opens the account where it was; what the new database has of it is cleared away. Noted first, so that nobody goes on with the move. */
export async function takeBack(ctx: Context, account: AccountRef, task: Task, move: Move): Promise<Next> {
  ctx.log('warn', 'a move is taken back', { account: account.id, from: move.from, to: move.to, step: move.step })
  const back: Move = { ...move, step: 'back', since: ctx.now() }
  const ours = await advanceTask(ctx.stores.directory, task, { state: back, until: ctx.now() + CLAIM_MS })
  return ours ? takeStep(ctx, account, task, back, () => true) : 'lost'
}

async function open(
  ctx: Context,
  account: AccountRef,
  task: Task,
  move: Move,
  places: { place: string; other: string; clearAt: number },
): Promise<Next> {
  // Whoever lost the claim while he was stalled must not open what another move may have closed.
  const ours = await advanceTask(ctx.stores.directory, task, { state: move, until: ctx.now() + CLAIM_MS })
  if (!ours) return 'lost'
  const opened = await openAgain(ctx.stores, account, task, places)
  forgetKeysOf(account.number)
  return opened ? 'over' : 'lost'
}

/** Table by table: cleared at the target, copied, compared, page after page. */
async function takeTables(
  ctx: Context,
  account: AccountRef,
  task: Task,
  begun: Move,
  spend: () => boolean,
): Promise<Next> {
  const [from, to] = [mailOf(ctx.stores, { mailDb: begun.from }), mailOf(ctx.stores, { mailDb: begun.to })]
  let move = begun
  for (let table = MOVED_TABLES[move.table]; table !== undefined; table = MOVED_TABLES[move.table]) {
    if (!spend()) return { move, due: ctx.now() }
    const place: Place = { table, account: account.number, now: move.began, after: move.after }
    if (move.step === 'copy') {
      if (move.after.length === 0) while (!(await dropPage(to, place)));
      const next = await copyPage(from, to, place)
      move = next ? { ...move, after: next } : { ...move, step: 'compare', after: [] }
    } else {
      const { same, next } = await comparePage(from, to, place)
      if (!same && move.rounds >= MOST_ROUNDS) return takeBack(ctx, account, task, move)
      if (!same) move = { ...move, step: 'copy', after: [], rounds: move.rounds + 1 }
      else if (next) move = { ...move, after: next }
      else move = { ...move, step: 'copy', table: move.table + 1, after: [], rounds: 0 }
    }
    const ours = await advanceTask(ctx.stores.directory, task, { state: move, until: ctx.now() + CLAIM_MS })
    if (!ours) return 'lost'
  }
  return { move: { ...move, step: 'switch', since: ctx.now() }, due: ctx.now() }
}
