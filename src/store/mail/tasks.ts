/**
 * Tasks: work that is owed, visible in a row until it is done. One is claimed with a token and a deadline before it is
 * acted on; what follows is written only while that token stands, so whoever came too late changes nothing.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../stores.ts'
import { runBatch } from './change.ts'

/** What names a task; its account is 0 where it belongs to the instance. */
export type TaskKey = { kind: string; account: number; ref: string }

/** A task that is ours until the deadline of its claim. */
export type Task = TaskKey & {
  /** How often it was claimed, this time too: counted before acting, so that a crash counts. */
  attempts: number
  /** Where it stands, as JSON told it. */
  state: unknown
  claim: string
}

/** The statement that adds a task, for the batch of what owes it. One that is there already stays as it is. */
export function addTask(task: TaskKey & { due: number; state: unknown }, only: SQL = sql`1`): SQL {
  return sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
    SELECT ${task.kind}, ${task.account}, ${task.ref}, ${task.due}, 0, ${JSON.stringify(task.state)} WHERE ${only}
    ON CONFLICT DO NOTHING`
}

/**
 * Claims what is due of the kinds, the longest due first, or whose claim has lapsed; `only` narrows it down by a condition on `tasks`.
 * The tasks of an account that is being moved wait for it: what they would do could not be written down.
 */
export async function claimTasks(
  db: Database,
  kinds: readonly string[],
  claim: { token: string; now: number; until: number; limit: number },
  only: SQL = sql`1`,
): Promise<Task[]> {
  const { token, now, until, limit } = claim
  const moves = sql`EXISTS (SELECT 1 FROM counters AS c WHERE c.account = tasks.account AND c.state IN ('draining', 'moving')
    AND tasks.kind NOT IN ('clear-shard', 'move-account'))`
  const rows = await db.all<Record<string, unknown>>(
    sql`UPDATE tasks SET claim = ${token}, claimed_until = ${until}, attempts = attempts + 1
      WHERE (kind, account, ref) IN (SELECT kind, account, ref FROM tasks
        WHERE due <= ${now} AND kind IN (SELECT value FROM json_each(${JSON.stringify(kinds)}))
          AND (claimed_until IS NULL OR claimed_until < ${now}) AND NOT ${moves} AND ${only} ORDER BY due LIMIT ${limit})
      RETURNING kind, account, ref, attempts, state`,
  )
  return rows.map((row) => ({
    kind: String(row.kind),
    account: Number(row.account),
    ref: String(row.ref),
    attempts: Number(row.attempts),
    state: JSON.parse(String(row.state)),
    claim: token,
  }))
}

/** The condition that the task is still ours, for the batch of what it does. */
export function isOurs(task: Task): SQL {
  return sql`EXISTS (SELECT 1 FROM tasks WHERE ${held(task)})`
}

/** The statement that ends a task, for the batch of its last step. */
export function endTask(task: Task, only: SQL = sql`1`): SQL {
  return sql`DELETE FROM tasks WHERE ${held(task)} AND ${only} RETURNING 1`
}

/** Ends a task; false where it is not ours any more. */
export async function finishTask(db: Database, task: Task): Promise<boolean> {
  return wrote(db, endTask(task))
}

/** Gives a task back until `due`, standing at `state`; its attempts begin anew where `progress` was made. */
export async function postponeTask(
  db: Database,
  task: Task,
  to: { due: number; state?: unknown; progress?: boolean },
): Promise<boolean> {
  const state = JSON.stringify(to.state ?? task.state)
  return wrote(
    db,
    sql`UPDATE tasks SET due = ${to.due}, state = ${state}, claim = NULL, claimed_until = NULL,
      attempts = ${to.progress ? 0 : task.attempts} WHERE ${held(task)} RETURNING 1`,
  )
}

/** Gives a task back until `due`, standing where it was noted last; false where it is not ours any more. */
export async function restTask(db: Database, task: Task, due: number): Promise<boolean> {
  return wrote(
    db,
    sql`UPDATE tasks SET due = ${due}, claim = NULL, claimed_until = NULL WHERE ${held(task)} RETURNING 1`,
  )
}

/** Notes where a task stands and keeps the claim until a new deadline; false where it is not ours any more. */
export async function advanceTask(db: Database, task: Task, to: { state: unknown; until: number }): Promise<boolean> {
  return wrote(db, advance(task, to))
}

/** The statement that does so, for the batch of a step. */
export function advance(task: Task, to: { state: unknown; until: number }): SQL {
  const state = JSON.stringify(to.state)
  return sql`UPDATE tasks SET state = ${state}, claimed_until = ${to.until} WHERE ${held(task)} RETURNING 1`
}

function held({ kind, account, ref, claim }: Task): SQL {
  return sql`kind = ${kind} AND account = ${account} AND ref = ${ref} AND claim = ${claim}`
}

async function wrote(db: Database, statement: SQL): Promise<boolean> {
  const [rows] = await runBatch(db, [statement])
  return rows !== undefined && rows.length > 0
}
