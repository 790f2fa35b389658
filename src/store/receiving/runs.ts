/** Runs over stored mail, of rules or of re-delivery: a task each, which stays for a while when it is done, so that its outcome can be read. */
import { sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { type Row, runBatch } from '../mail/change.ts'
import type { OwedTask } from '../mail/filing.ts'
import { asStored, type StoredMessage, WHOLE } from '../mail/rows.ts'
import { RECEIVED } from '../mail/shapes.ts'
import { addTask, advance, isOurs, type Task } from '../mail/tasks.ts'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'

export const RULE_RUN = 'rule-run'
export const REDELIVERY = 'redelivery'

export type RunKind = typeof RULE_RUN | typeof REDELIVERY

/** Each goes through all mail of the account. */
export const MAX_RUNS = 5

/** Those whose outcome can still be read are counted too. */
const MAX_KEPT = 100

export type RunState = {
  status: 'running' | 'done' | 'failed'
  /** Ids between which it goes; `from` is where it stands. */
  from: string
  to: string
  /** Only mail of this mailbox. */
  mailbox?: number
  /** Only these rules. */
  rules?: string[]
  /** Of a re-delivery: whether it is told again, and whether rules are asked. */
  again?: { tell: boolean; rules: boolean }
  actions: string[]
  checked: number
  matched: number
  changed: number
  unread: number
  createdAt: number
  finishedAt?: number
}

/** Adds a run; false where the account is closed, as many are going on as may, or the request was answered before. */
export async function addRun(
  stores: Stores,
  account: AccountRef,
  run: { kind: RunKind; id: string; state: RunState; now: number; keeping?: Keeping },
): Promise<boolean> {
  const { kind, id, state, now, keeping } = run
  const { number } = account
  const free = sql`EXISTS (SELECT 1 FROM counters WHERE account = ${number} AND state = 'active')
    AND (SELECT COUNT(*) < ${MAX_KEPT} AND COUNT(*) FILTER (WHERE state ->> '$.status' = 'running') < ${MAX_RUNS}
      FROM tasks WHERE kind = ${kind} AND account = ${number})`
  const only = keeping ? sql`${free} AND ${notAnswered(number, keeping.once, now)}` : free
  const exists = sql`EXISTS (SELECT 1 FROM tasks WHERE kind = ${kind} AND account = ${number} AND ref = ${id})`
  const answers = await runBatch(mailOf(stores, account), [
    addTask({ kind, account: number, ref: id, due: now, state }, only),
    ...(keeping ? [keepAnswer(number, keeping.once, now, keeping.status, keeping.answer, exists)] : []),
    sql`SELECT 1 WHERE ${exists}`,
  ])
  return (answers.at(-1) ?? []).length > 0
}

/** How far a run is; undefined where there is none of that id. */
export async function findRun(
  stores: Stores,
  account: AccountRef,
  { kind, id }: { kind: RunKind; id: string },
): Promise<RunState | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT state FROM tasks WHERE kind = ${kind} AND account = ${account.number} AND ref = ${id}`,
  )
  return row && readRun(JSON.parse(String(row.state)))
}

/** Only this file and the run itself write the state of such a task. */
export function readRun(state: unknown): RunState {
  return state as RunState
}

/** Received mail with ids after `from` and up to `to`, the oldest first. */
export async function nextReceived(
  stores: Stores,
  account: AccountRef,
  between: { from: string; to: string; limit: number },
): Promise<StoredMessage[]> {
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${WHOLE} FROM messages AS m WHERE m.account = ${account.number} AND m.direction = ${RECEIVED}
      AND m.id > ${between.from} AND m.id <= ${between.to} ORDER BY m.id LIMIT ${between.limit}`,
  )
  return rows.map(asStored)
}

/** Notes how far a run is, together with what it leaves to others; false, and nothing left, where it is not ours any more. */
export async function stepRun(
  db: Database,
  task: Task,
  to: { state: RunState; until: number; owed: readonly OwedTask[] },
): Promise<boolean> {
  const { account } = task
  const answers = await runBatch(db, [
    ...to.owed.map((owed) => addTask({ ...owed, account }, isOurs(task))),
    advance(task, to),
  ])
  return (answers.at(-1) ?? []).length > 0
}

/** Gives a run back until `due`, standing where its row says: after an error that may be farther than we know. */
export async function releaseRun(db: Database, task: Task, due: number): Promise<void> {
  await runBatch(db, [
    sql`UPDATE tasks SET due = ${due}, claim = NULL, claimed_until = NULL WHERE kind = ${task.kind}
      AND account = ${task.account} AND ref = ${task.ref} AND claim = ${task.claim}`,
  ])
}
