/**
 * What happened to a domain, owed to whoever listens. The domain lies in the directory and the account's history in its
 * mail database, so the news goes as a task from one batch to the other, and enters the history once.
 */
import { type SQL, sql } from 'drizzle-orm'
import { type Changed, makeChange, type Row } from '../mail/change.ts'
import { advanceTask, claimTasks, type Task } from '../mail/tasks.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** The kind of the task that tells of a domain. */
const TELL_DOMAIN = 'tell-domain'

/** `data` is what a webhook tells, complete. */
export type DomainNews = {
  account: number
  /** The domain's id. */
  domain: string
  type: 'domain.created' | 'domain.updated' | 'domain.deleted'
  data: Record<string, unknown>
  /** ms since 1970. */
  at: number
}

/** The statement that owes the telling, for the batch of what happened. What is owed of one domain is numbered in its order. */
export function oweNews(news: DomainNews, only: SQL): SQL {
  const { account, domain, at } = news
  const number = sql`(SELECT COALESCE(MAX(CAST(substr(ref, ${domain.length + 2}) AS INTEGER)), 0) + 1 FROM tasks
    WHERE kind = ${TELL_DOMAIN} AND account = ${account} AND ref >= ${`${domain}.`} AND ref < ${`${domain}/`})`
  return sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
    SELECT ${TELL_DOMAIN}, ${account}, printf('%s.%08d', ${domain}, ${number}), ${at}, 0, ${JSON.stringify(news)}
    WHERE ${only}`
}

/** Claims what is to be told, the oldest of each domain alone: who listens has it in its order. */
export async function claimNews(
  stores: Stores,
  claim: { token: string; now: number; until: number; limit: number },
): Promise<Task[]> {
  const first = sql`NOT EXISTS (SELECT 1 FROM tasks AS e WHERE e.kind = tasks.kind AND e.account = tasks.account
    AND e.ref >= rtrim(tasks.ref, '0123456789') AND e.ref < tasks.ref)`
  return claimTasks(stores.directory, [TELL_DOMAIN], claim, first)
}

/**
 * Enters the news in the account's history, unless an earlier try did; undefined where it did, where the account is
 * closed, or where the task is not ours any more.
 */
export async function tellNews(
  stores: Stores,
  account: AccountRef,
  task: Task,
  { token, until }: { token: string; until: number },
): Promise<Changed | undefined> {
  const db = mailOf(stores, account)
  const state = asState(task.state)
  const from = state.from ?? (await seqOf(stores, account))
  // Written down before the first try, so that a later one looks for it in what came after, and in no more.
  if (state.from === undefined) {
    if (!(await advanceTask(stores.directory, task, { state: { ...state, from }, until }))) return undefined
  }
  const told = sql`EXISTS (SELECT 1 FROM events WHERE account = ${account.number} AND seq > ${from}
    AND type = ${state.type} AND created_at = ${state.at} AND data = ${JSON.stringify(state.data)})`
  const events = [{ type: state.type, data: state.data }]
  return makeChange(db, { account: account.number, now: state.at, token, only: sql`NOT ${told}`, events }, [])
}

async function seqOf(stores: Stores, account: AccountRef): Promise<number> {
  const [row] = await mailOf(stores, account).all<Row>(sql`SELECT seq FROM counters WHERE account = ${account.number}`)
  return Number(row?.seq ?? 0)
}

/** Only news is ever written there, and beside it where the history stood. */
function asState(state: unknown): DomainNews & { from?: number } {
  return state as DomainNews & { from?: number }
}
