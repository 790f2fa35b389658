/**
 * What is owed for a mail that came: a copy to others, an answer; and the question whether somebody wants such copies.
 * The batch that takes the mail which settles a task ends that task, so that however often it is taken up there is one mail.
 */
import { type SQL, sql } from 'drizzle-orm'
import { type Change, made, makeChange, type NewEvent, runBatch } from '../mail/change.ts'
import { addTask, endTask, isOurs, type Task } from '../mail/tasks.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** A copy of the message is to be sent to each; `ref` is the message's id. */
export const FORWARD = 'forward'

/** The message is to be answered; `ref` is its id. Whether its sender was answered lately is asked by who takes it up. */
export const ANSWER = 'answer'

/** Somebody is to be asked whether mail may be forwarded to him; `ref` is the address, as `addressKey` writes it. */
export const ASK = 'forward-ask'

export type ForwardState = { to: string[]; by: 'address' | 'rule' }

export type AnswerState = {
  /** The address of ours that answers. */
  address: string
  subject?: string
  text: string
  html?: string
  interval_days: number
  by: 'address' | 'rule'
}

/** Who asks: an address of ours. */
export type AskState = { from: string }

/** Only the stage that files mail writes the states of these tasks. */
export function asForward(state: unknown): ForwardState {
  return state as ForwardState
}

export function asAnswer(state: unknown): AnswerState {
  return state as AnswerState
}

/** Only `oweAsking` writes the states of these. */
export function asAsking(state: unknown): AskState {
  return state as AskState
}

/** The task that a mail settles; of an answer, by whom and to whom, none of whom may have had one since (ms). */
export type Fulfilment = { task: Task; answer?: Answering }

export type Answering = { address: string; senders: readonly string[]; since: number }

/** The condition of the batch that stores the mail. */
export function mayFulfil(account: number, { task, answer }: Fulfilment): SQL {
  return answer ? sql`${isOurs(task)} AND NOT ${answered(account, answer)}` : isOurs(task)
}

/** The statements that go with it. */
export function fulfil(change: Change, { task, answer }: Fulfilment): SQL[] {
  const ended = endTask(task, made(change))
  return answer ? [ended, noteAnswer(change, answer), forgetAnswers(change, answer)] : [ended]
}

function answered(account: number, { address, senders, since }: Answering): SQL {
  return sql`EXISTS (SELECT 1 FROM json_each(${JSON.stringify(senders)}) AS s CROSS JOIN auto_replies AS r
    ON r.account = ${account} AND r.address = ${address} AND r.sender = s.value WHERE r.created_at > ${since})`
}

function noteAnswer(change: Change, { address, senders }: Answering): SQL {
  return sql`INSERT INTO auto_replies (account, address, sender, created_at)
    SELECT ${change.account}, ${address}, s.value, ${change.now} FROM json_each(${JSON.stringify(senders)}) AS s
    WHERE ${made(change)} ON CONFLICT DO UPDATE SET created_at = excluded.created_at`
}

/** No interval is longer. */
const LONGEST_INTERVAL_MS = 366 * 86_400_000

/** So many neighbours are looked at with each answer: so old rows go as new ones come, and no answer reads more. */
const NEIGHBOURS = 10

function forgetAnswers(change: Change, { address, senders }: Answering): SQL {
  return sql`DELETE FROM auto_replies WHERE (account, address, sender) IN (SELECT account, address, sender FROM auto_replies
      WHERE account = ${change.account} AND address = ${address} AND sender > ${senders[0] ?? ''} ORDER BY sender LIMIT ${NEIGHBOURS})
    AND created_at < ${change.now - LONGEST_INTERVAL_MS} AND ${made(change)}`
}

/** Whether one of the senders had an answer from the address lately. */
export async function wasAnswered(stores: Stores, account: AccountRef, answering: Answering): Promise<boolean> {
  const [row] = await mailOf(stores, account).all<{ answered: number }>(
    sql`SELECT ${answered(account.number, answering)} AS answered`,
  )
  return row?.answered === 1
}

/** Ends a task for which there is nothing (more) to be sent, and tells of it; undefined where the account takes nothing now, or the task is not ours. */
export async function endTold(
  stores: Stores,
  account: AccountRef,
  task: Task,
  given: { now: number; token: string; events: NewEvent[] },
): Promise<{ listeners: number } | undefined> {
  const change: Change = { account: account.number, ...given, only: isOurs(task) }
  return makeChange(mailOf(stores, account), change, [endTask(task, made(change))])
}

/** Owes the questions that are not owed already, in one batch; false where the account takes nothing now. */
export async function oweAsking(
  stores: Stores,
  account: AccountRef,
  asks: readonly { email: string; due: number; state: AskState }[],
): Promise<boolean> {
  const open = sql`EXISTS (SELECT 1 FROM counters WHERE account = ${account.number} AND state = 'active')`
  const [rows] = await runBatch(mailOf(stores, account), [
    sql`SELECT 1 WHERE ${open}`,
    ...asks.map(({ email: ref, due, state }) => addTask({ kind: ASK, account: account.number, ref, due, state }, open)),
  ])
  return rows !== undefined && rows.length > 0
}
