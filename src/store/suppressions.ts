/** Addresses that an account does not send to. The list is asked and added to by other batches too, so that no mail slips between. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { newestFirst, type Page, pageBy } from './directory/page.ts'
import { type Keeping, keepAnswer, notAnswered } from './idempotency.ts'
import { type Change, type Changed, made, makeChange } from './mail/change.ts'
import { suppressions } from './schema/mail.ts'
import { type AccountRef, mailOf, type Stores } from './stores.ts'

export type Suppression = Omit<typeof suppressions.$inferSelect, 'account'>

export type SuppressionOrigin = Suppression['origin']

/** A suppression beside what its event tells. */
export type ToldSuppression = Suppression & { readonly data: Record<string, unknown> }

/** The change that a suppression is part of: it must take a seq for each in `steps`. */
type Adding = Pick<Change, 'account' | 'token' | 'now'>

/** Condition of a batch that sends: that none of these addresses, as `addressKey` writes them, is suppressed. */
export function noneSuppressed(account: number, emails: readonly string[]): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM suppressions WHERE ${among(account, 'email', emails)})`
}

/**
 * The statements that add suppressions within a change, each with its event. One whose address is suppressed already
 * adds nothing and tells nothing: its seq stays empty.
 */
export function suppressing(change: Adding, added: readonly ToldSuppression[]): SQL[] {
  if (added.length === 0) return []
  // Two recipients of one mail may differ in case alone.
  const each = [...new Map(added.map((one) => [one.email, one])).values()]
  const rows = JSON.stringify(each.map(({ data, ...row }) => ({ ...row, data: JSON.stringify(data) })))
  const isNew = sql`NOT EXISTS (SELECT 1 FROM suppressions WHERE account = ${change.account} AND email = value ->> 'email')`
  return [
    insertEvents(change, 'suppression.added', rows, each.length, isNew),
    sql`INSERT OR IGNORE INTO suppressions (account, email, id, origin, source, created_at)
      SELECT ${change.account}, value ->> 'email', value ->> 'id', value ->> 'origin', value ->> 'source', value ->> 'createdAt'
      FROM json_each(${rows}) WHERE ${made(change)}`,
  ]
}

/** Adds suppressions; undefined where one of the addresses is suppressed already, the answer is kept, or the account takes nothing. */
export async function addSuppressions(
  stores: Stores,
  account: AccountRef,
  change: { now: number; token: string },
  added: readonly ToldSuppression[],
  keeping?: Keeping,
): Promise<Changed | undefined> {
  const emails = added.map(({ email }) => email)
  const whole = asChange(account, change, noneSuppressed(account.number, emails), added.length, keeping)
  return makeChange(mailOf(stores, account), whole, [...suppressing(whole, added), ...kept(whole, keeping)])
}

/** Removes suppressions; undefined where one of them is gone, the answer is kept, or the account takes nothing. */
export async function removeSuppressions(
  stores: Stores,
  account: AccountRef,
  change: { now: number; token: string },
  removed: readonly ToldSuppression[],
  keeping?: Keeping,
): Promise<Changed | undefined> {
  const which = among(
    account.number,
    'id',
    removed.map(({ id }) => id),
  )
  const there = sql`(SELECT COUNT(*) FROM suppressions WHERE ${which}) = ${removed.length}`
  const whole = asChange(account, change, there, removed.length, keeping)
  const rows = JSON.stringify(removed.map(({ data }) => ({ data: JSON.stringify(data) })))
  return makeChange(mailOf(stores, account), whole, [
    insertEvents(whole, 'suppression.removed', rows, removed.length),
    sql`DELETE FROM suppressions WHERE ${which} AND ${made(whole)}`,
    ...kept(whole, keeping),
  ])
}

/** Those of the addresses, or of the ids, that are on the list. */
export async function findSuppressions(
  stores: Stores,
  account: AccountRef,
  by: 'email' | 'id',
  values: readonly string[],
): Promise<Suppression[]> {
  return mailOf(stores, account)
    .select()
    .from(suppressions)
    .where(among(account.number, by, values))
}

/** A page of the list, newest first. */
export async function listSuppressions(
  stores: Stores,
  account: AccountRef,
  page: Page & { origin?: SuppressionOrigin | undefined },
): Promise<{ rows: Suppression[]; more: boolean }> {
  const { where, orderBy, limit } = pageBy(suppressions.id, page)
  const origin = page.origin === undefined ? undefined : eq(suppressions.origin, page.origin)
  const rows = await mailOf(stores, account)
    .select()
    .from(suppressions)
    .where(and(eq(suppressions.account, account.number), origin, ...where))
    .orderBy(orderBy)
    .limit(limit)
  return newestFirst(rows, page)
}

function among(account: number, column: 'email' | 'id', values: readonly string[]): SQL {
  return sql`account = ${account} AND ${sql.raw(column)} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`
}

function asChange(
  account: AccountRef,
  { now, token }: { now: number; token: string },
  holds: SQL,
  steps: number,
  keeping: Keeping | undefined,
): Change {
  const only = keeping ? sql`${holds} AND ${notAnswered(account.number, keeping.once, now)}` : holds
  return { account: account.number, now, token, only, events: [], steps }
}

function kept(change: Change, keeping: Keeping | undefined): SQL[] {
  if (!keeping) return []
  return [keepAnswer(change.account, keeping.once, change.now, keeping.status, keeping.answer, made(change))]
}

/** One statement however many there are, with the last seqs that the change took. */
function insertEvents(change: Adding, type: string, rows: string, count: number, only: SQL = sql`1`): SQL {
  return sql`INSERT INTO events (account, seq, type, data, created_at)
    SELECT counters.account, seq - ${count - 1} + key, ${type}, value ->> 'data', ${change.now}
    FROM counters JOIN json_each(${rows}) WHERE counters.account = ${change.account} AND change = ${change.token} AND ${only}`
}
