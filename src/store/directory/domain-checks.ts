/** The checks that a domain is owed, as tasks in the directory; and their outcome, written by whoever holds the task. */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from '../mail/change.ts'
import { isOurs, type Task } from '../mail/tasks.ts'
import type { Stores } from '../stores.ts'
import { type DomainNews, oweNews } from './domain-news.ts'
import { type DomainRow, isUnchanged, isUsable, notHeld, own, setDomain } from './domains.ts'

/** The kind of the task that looks a domain up; its ref is the domain's id. */
export const CHECK_DOMAIN = 'check-domain'

/**
 * Owes a check now and claims it; whoever was making one loses his claim. The wait begins anew as `state` says, but not
 * the grace of a domain that broke. Undefined where the domain is gone.
 */
export async function claimCheck(
  stores: Stores,
  row: Pick<DomainRow, 'account' | 'id'>,
  claim: { token: string; now: number; until: number },
  state: unknown,
): Promise<Task | undefined> {
  const { token, now, until } = claim
  const [rows] = await runBatch(stores.directory, [
    sql`INSERT INTO tasks (kind, account, ref, due, claim, claimed_until, attempts, state)
      SELECT ${CHECK_DOMAIN}, account, id, ${now}, ${token}, ${until}, 1, ${JSON.stringify(state)}
      FROM domains WHERE ${own(row)}
      ON CONFLICT (kind, account, ref) DO UPDATE SET due = excluded.due, claim = excluded.claim,
        claimed_until = excluded.claimed_until, attempts = 1,
        state = json_set(excluded.state, '$.badSince', json_extract(tasks.state, '$.badSince'))
      RETURNING state`,
  ])
  const [task] = rows ?? []
  if (!task) return undefined
  const key = { kind: CHECK_DOMAIN, account: row.account, ref: row.id }
  return { ...key, attempts: 1, state: JSON.parse(String(task.state)), claim: token }
}

/** Whether another account holds the name and keeps it: its domain is in order, or somebody else has addresses there. */
export async function isTaken(stores: Stores, row: Pick<DomainRow, 'account' | 'name'>): Promise<boolean> {
  const rows = await stores.directory.all(
    sql`SELECT 1 FROM domains AS h WHERE ${heldByAnother(row)} AND NOT ${yields(row)}`,
  )
  return rows.length > 0
}

/**
 * Writes what a check found, and when the next one is due, in one batch. A name that is gained is taken from a holder whose
 * domain has failed, where nobody else has addresses on it. False, and nothing written, where the task is not ours, the row has changed, or the name was taken.
 */
export async function recordCheck(
  stores: Stores,
  task: Task,
  {
    before,
    after,
    next,
    news,
  }: {
    before: DomainRow
    after: DomainRow
    next: { due: number; state: unknown } | undefined
    news: DomainNews | undefined
  },
): Promise<boolean> {
  const gains = before.verifiedAt === null && after.verifiedAt !== null
  const ours = sql`${isOurs(task)} AND ${isUnchanged(before)}`
  const free = gains ? sql`${ours} AND ${notHeld(after.name, after.account)}` : ours
  const written = sql`${isOurs(task)} AND ${isUnchanged(after)}`
  const taking = gains
    ? [sql`UPDATE domains AS h SET verified_at = NULL WHERE ${heldByAnother(after)} AND ${yields(after)} AND ${ours}`]
    : []
  const statements = [...taking, ...(news ? [oweNews(news, free)] : []), setDomain(after, free)]
  const answers = await runBatch(stores.directory, [...statements, settleTask(task, written, next)])
  return (answers[statements.length - 1]?.length ?? 0) > 0
}

function settleTask(task: Task, only: SQL, next: { due: number; state: unknown } | undefined): SQL {
  const { kind, account, ref } = task
  if (!next) return sql`DELETE FROM tasks WHERE kind = ${kind} AND account = ${account} AND ref = ${ref} AND ${only}`
  return sql`UPDATE tasks SET due = ${next.due}, state = ${JSON.stringify(next.state)}, claim = NULL,
    claimed_until = NULL, attempts = 0 WHERE kind = ${kind} AND account = ${account} AND ref = ${ref} AND ${only}`
}

// The conditions below speak of the holder as `h`.

function heldByAnother(row: Pick<DomainRow, 'account' | 'name'>): SQL {
  return sql`h.name = ${row.name} AND h.verified_at IS NOT NULL AND h.account <> ${row.account}`
}

function yields(row: Pick<DomainRow, 'account' | 'name'>): SQL {
  return sql`(NOT h.${isUsable} AND NOT EXISTS
    (SELECT 1 FROM addresses AS a WHERE a.domain = h.name AND a.account <> ${row.account}))`
}
