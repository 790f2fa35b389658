/**
 * Where an account stands while it moves from one mail database to another. Its row in the directory says which of the
 * two is the true one; the counters in each say what may be done there: `active` all, `draining` only the writing down of
 * what was under way, anything else nothing.
 */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from '../mail/change.ts'
import { addTask, endTask, type Task } from '../mail/tasks.ts'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'
import { DIRECTORY_KINDS, MOVED_TABLES } from './tables.ts'

/** The kind of the task that moves an account; it lies in the directory. */
export const MOVE_ACCOUNT = 'move-account'

/** The kind of the task that clears a database of an account that is not there (any more); its ref is `<account id> <database>`. */
export const CLEAR_SHARD = 'clear-shard'

export type Move = {
  /** What is being done. Up to `switch` the old database is the true one, and the move can be taken back: that is `back`. */
  step: 'close' | 'drain' | 'copy' | 'compare' | 'switch' | 'open' | 'back'
  from: string
  to: string
  /** Which table, by its place in MOVED_TABLES, and behind which key. */
  table: number
  after: readonly unknown[]
  /** How often this table was copied anew, because the two were not the same. */
  rounds: number
  /** What is to be dropped soon as it is too old is judged by this moment, ms since 1970. */
  began: number
  /** When the step began, ms since 1970. */
  since: number
}

/** Closes an account for its move and owes the move, in one batch; false where it is not open, or its target is still being cleared of it. */
export async function beginMove(stores: Stores, account: AccountRef, move: Move, due: number): Promise<boolean> {
  const { number, id } = account
  const clearing = sql`EXISTS (SELECT 1 FROM tasks WHERE kind = ${CLEAR_SHARD} AND account = ${number} AND ref = ${clearRef(id, move.to)})`
  const moving = sql`EXISTS (SELECT 1 FROM accounts WHERE number = ${number} AND state = 'moving')`
  const [closed] = await runBatch(stores.directory, [
    sql`UPDATE accounts SET state = 'moving' WHERE number = ${number} AND state = 'active' AND mail_db = ${move.from}
      AND NOT ${clearing} RETURNING 1`,
    addTask({ kind: MOVE_ACCOUNT, account: number, ref: id, due, state: move }, moving),
  ])
  return closed !== undefined && closed.length > 0
}

/** The move of an account, where one is under way. */
export async function findMove(stores: Stores, account: Pick<AccountRef, 'number'>): Promise<Move | undefined> {
  const [row] = await stores.directory.all<{ state: string }>(
    sql`SELECT state FROM tasks WHERE kind = ${MOVE_ACCOUNT} AND account = ${account.number}`,
  )
  return row && asMove(JSON.parse(row.state))
}

/** Claims the move of an account, whether or not it is due; undefined where there is none, or a step of it is under way. */
export async function claimMove(
  stores: Stores,
  account: Pick<AccountRef, 'number'>,
  { token, now, until }: { token: string; now: number; until: number },
): Promise<Task | undefined> {
  const [row] = await stores.directory.all<{ ref: string; attempts: number; state: string }>(
    sql`UPDATE tasks SET claim = ${token}, claimed_until = ${until}, attempts = attempts + 1
      WHERE kind = ${MOVE_ACCOUNT} AND account = ${account.number} AND (claimed_until IS NULL OR claimed_until < ${now})
      RETURNING ref, attempts, state`,
  )
  const key = { kind: MOVE_ACCOUNT, account: account.number }
  return row && { ...key, ref: row.ref, attempts: row.attempts, state: JSON.parse(row.state), claim: token }
}

/** From now on only what is under way may be written down. */
export async function drain(from: Database, account: number): Promise<void> {
  await runBatch(from, [setState(account, 'draining', sql`state = 'active'`)])
}

/** Ends all writing, unless something is still under way; whether all writing has ended. */
export async function stopWriting(from: Database, account: number, now: number): Promise<boolean> {
  const kinds = JSON.stringify(DIRECTORY_KINDS)
  // The index of what is due is short; the messages of the account need not be.
  const underWay = sql`EXISTS (SELECT 1 FROM messages INDEXED BY messages_due
      WHERE due IS NOT NULL AND account = ${account} AND claimed_until > ${now})
    OR EXISTS (SELECT 1 FROM webhooks WHERE account = ${account} AND claimed_until > ${now})
    OR EXISTS (SELECT 1 FROM tasks WHERE account = ${account} AND claimed_until > ${now}
      AND kind NOT IN (SELECT value FROM json_each(${kinds})))`
  const [, rows = []] = await runBatch(from, [
    setState(account, 'moving', sql`state = 'draining' AND NOT (${underWay})`),
    sql`SELECT 1 FROM counters WHERE account = ${account} AND state = 'moving'`,
  ])
  return rows.length > 0
}

/** Makes the new database the true one; false where the move was taken back meanwhile. May be repeated. */
export async function switchTo(stores: Stores, account: number, { from, to }: Move): Promise<boolean> {
  const [, rows = []] = await runBatch(stores.directory, [
    sql`UPDATE accounts SET mail_db = ${to} WHERE number = ${account} AND state = 'moving' AND mail_db = ${from}`,
    sql`SELECT 1 FROM accounts WHERE number = ${account} AND mail_db = ${to}`,
  ])
  return rows.length > 0
}

/**
 * Opens the account where it is, ends the task, and owes the clearing of the other database. Its old counters stay there a
 * while as `moving`, so that whoever still holds the old name of its place is put off and not turned away.
 */
export async function openAgain(
  stores: Stores,
  account: AccountRef,
  task: Task,
  { place, other, clearAt }: { place: string; other: string; clearAt: number },
): Promise<boolean> {
  await runBatch(mailOf(stores, { mailDb: place }), [
    setState(account.number, 'active', sql`state IN ('draining', 'moving')`),
  ])
  const state: Clearing = { database: other, table: 0 }
  const ours = sql`EXISTS (SELECT 1 FROM tasks WHERE kind = ${task.kind} AND account = ${task.account} AND ref = ${task.ref} AND claim = ${task.claim})`
  const [, , ended] = await runBatch(stores.directory, [
    sql`UPDATE accounts SET state = 'active' WHERE number = ${account.number} AND state = 'moving' AND mail_db = ${place} AND ${ours}`,
    addTask(
      { kind: CLEAR_SHARD, account: account.number, ref: clearRef(account.id, other), due: clearAt, state },
      ours,
    ),
    endTask(task),
  ])
  return ended !== undefined && ended.length > 0
}

/** What a task that clears a database carries. */
export type Clearing = { database: string; table: number }

/** Only a Clearing is ever written in such a task. */
export function asClearing(state: unknown): Clearing {
  return state as Clearing
}

/** How many tables there are to go through. */
export const TABLES = MOVED_TABLES.length

function setState(account: number, state: string, only: SQL): SQL {
  return sql`UPDATE counters SET state = ${state} WHERE account = ${account} AND ${only}`
}

function clearRef(id: string, database: string): string {
  return `${id} ${database}`
}

/** Only a Move is ever written in such a task. */
export function asMove(state: unknown): Move {
  return state as Move
}
