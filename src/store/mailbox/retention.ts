/** Which messages are the oldest of those that are kept for a time, and since when; and the task that looks for them. */
import { type SQL, sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { asHeld, HELD, type HeldMessage } from '../mail/rows.ts'
import { SENT } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** The kind of the task. It belongs to the instance and lies in the directory, wherever the account's mail goes; its ref is the account's number. */
export const RETENTION = 'retention'

/** What is kept for a time: a mailbox, or all of a direction. */
export type Kept = { mailbox: number } | { direction: number }

/** A message, and since when (ms since 1970) its time runs. */
export type Aged = HeldMessage & { since: number }

/**
 * The oldest, so many at most. In a mailbox its time runs since it entered: its uid is the step of that, whose event,
 * the first at or after it, has the time.
 */
export async function findOldest(stores: Stores, account: AccountRef, kept: Kept, limit: number): Promise<Aged[]> {
  const { number } = account
  const entered = sql`COALESCE((SELECT e.created_at FROM events AS e WHERE e.account = m.account AND e.seq >= m.uid
    ORDER BY e.seq LIMIT 1), m.created_at)`
  const statement =
    'mailbox' in kept
      ? sql`SELECT ${HELD}, ${entered} AS since FROM messages AS m INDEXED BY messages_mailbox
          WHERE m.account = ${number} AND m.mailbox = ${kept.mailbox} ORDER BY m.uid LIMIT ${limit}`
      : sql`SELECT ${HELD}, m.created_at AS since FROM messages AS m WHERE m.account = ${number}
          AND m.direction = ${kept.direction}${kept.direction === SENT ? sql` AND m.last_event IS NOT NULL` : sql``}
          ORDER BY m.id LIMIT ${limit}`
  const rows = await mailOf(stores, account).all<Row>(statement)
  return rows.map((row) => ({ ...asHeld(row), since: Number(row.since) }))
}

/** The statement by which an account is looked at from `due` on, for the directory's batch that makes or changes it. */
export function lookAt(account: SQL, due: number): SQL {
  return sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
    SELECT ${RETENTION}, 0, CAST(a.number AS TEXT), ${due}, 0, '{}' FROM accounts AS a WHERE ${account}
    ON CONFLICT DO UPDATE SET due = MIN(due, excluded.due)`
}
