/** What came back and is still to be applied: one task each, made when the bytes are stored, or with what a service told. */
import { sql } from 'drizzle-orm'
import type { Returned } from '../../mail/returned/returned.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { claimTasks, type Task } from './tasks.ts'

/** The kind of these tasks. */
export const FEEDBACK = 'feedback'

/** The sent message and the recipient it is about. */
export type About = { message: string; recipient: number }

/** Bytes, and the reverse path they came with; or what was told of an address. `sender` has the mail where the task is another account's. */
export type FeedbackState = About & ({ key: string; from: string } | { told: Told; sender?: number })

/** It counts only where the address is the recipient's. */
export type Told = { address: string; returned: Returned }

/** Adds the task while the account is open; false where it is closed. Repeated, it adds none. */
export async function addFeedbackTask(
  stores: Stores,
  account: AccountRef,
  task: { id: string; due: number; state: FeedbackState },
): Promise<boolean> {
  const rows = await mailOf(stores, account).all(
    sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
      SELECT ${FEEDBACK}, account, ${task.id}, ${task.due}, 0, ${JSON.stringify(task.state)}
      FROM counters WHERE account = ${account.number} AND state = 'active'
      ON CONFLICT DO UPDATE SET due = due RETURNING 1`,
  )
  return rows.length > 0
}

/** Whether the task is there: what to read back after an ambiguous error. */
export async function hasFeedbackTask(stores: Stores, account: AccountRef, id: string): Promise<boolean> {
  const rows = await mailOf(stores, account).all(
    sql`SELECT 1 FROM tasks WHERE kind = ${FEEDBACK} AND account = ${account.number} AND ref = ${id}`,
  )
  return rows.length > 0
}

/** A task that is ours; `state` is undefined where it is none that was written here. */
export type FeedbackTask = { task: Task; state: FeedbackState | undefined }

/** Claims what is to be read in one database, the longest due first. */
export async function claimFeedback(
  stores: Stores,
  mailDb: string,
  claim: { token: string; now: number; until: number; limit: number },
): Promise<FeedbackTask[]> {
  const tasks = await claimTasks(mailOf(stores, { mailDb }), [FEEDBACK], claim)
  return tasks.map((task) => ({ task, state: asState(task.state) }))
}

function asState(state: unknown): FeedbackState | undefined {
  if (typeof state !== 'object' || state === null) return undefined
  const { message, recipient, key, from, told, sender } = state as Partial<Record<string, unknown>>
  if (typeof message !== 'string' || typeof recipient !== 'number') return undefined
  if (typeof told === 'object' && told !== null) {
    return { message, recipient, told: asTold(told), ...(typeof sender === 'number' ? { sender } : {}) }
  }
  if (typeof key !== 'string' || typeof from !== 'string') return undefined
  return { message, recipient, key, from }
}

/** Nobody writes a task with this member but `addFeedbackTask` and the filing of mail. */
function asTold(told: object): Told {
  return told as Told
}
