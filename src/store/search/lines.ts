/** The messages that were found, as lists show them: those of the candidates of which more is true than their words. */
import { type SQL, sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { asLine, LINE, type MessageLine } from '../mail/rows.ts'
import { SENT } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** What the row of a message can tell of it. */
export type Fact = (
  | { kind: 'keyword'; keyword: string }
  /** An id, a role or a name. */
  | { kind: 'mailbox'; mailbox: string }
  | { kind: 'before' | 'after'; time: number }
  | { kind: 'larger' | 'smaller'; octets: number }
  | { kind: 'thread'; thread: string }
  | { kind: 'address'; address: string }
) & { not: boolean }

/** In the order of the ids, as many as asked for. One statement, two seeks for each id. */
export async function findLines(
  stores: Stores,
  account: AccountRef,
  ids: string[],
  facts: Fact[],
  limit: number,
): Promise<MessageLine[]> {
  if (ids.length === 0) return []
  const conditions = sql.join(facts.map((fact) => sql` AND ${holds(account, fact)}`))
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${LINE} FROM json_each(${JSON.stringify(ids)}) AS j CROSS JOIN messages AS m
      ON m.account = ${account.number} AND m.direction IN (0, 1) AND m.id = j.value
      WHERE true${conditions} ORDER BY j.key LIMIT ${limit}`,
  )
  return rows.map(asLine)
}

/** Those of these names that no mailbox has, as id, role or name. */
export async function unknownMailboxes(stores: Stores, account: AccountRef, names: string[]): Promise<string[]> {
  if (names.length === 0) return []
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT j.value AS name FROM json_each(${JSON.stringify(names)}) AS j
      WHERE NOT EXISTS (SELECT 1 FROM mailboxes AS b WHERE b.account = ${account.number} AND ${isNamed(sql`j.value`)})`,
  )
  return rows.map((row) => String(row.name))
}

function holds(account: AccountRef, fact: Fact): SQL {
  return fact.not ? sql`NOT ${isTrue(account, fact)}` : isTrue(account, fact)
}

function isTrue(account: AccountRef, fact: Fact): SQL {
  switch (fact.kind) {
    case 'keyword':
      return sql`(json_type(m.keywords, ${`$."${fact.keyword}"`}) IS NOT NULL)`
    case 'mailbox':
      return sql`(m.mailbox IN (SELECT b.number FROM mailboxes AS b
        WHERE b.account = ${account.number} AND ${isNamed(sql`${fact.mailbox}`)}))`
    case 'before':
      return sql`(m.created_at < ${fact.time})`
    case 'after':
      return sql`(m.created_at >= ${fact.time})`
    case 'larger':
      return sql`(m.size > ${fact.octets})`
    case 'smaller':
      return sql`(m.size < ${fact.octets})`
    case 'thread':
      return sql`(m.thread = ${fact.thread})`
    case 'address':
      return sql`COALESCE(m.address = ${fact.address} OR m.recipient = ${fact.address}
        OR (m.direction = ${SENT} AND m.sender = ${fact.address}), 0)`
  }
}

function isNamed(name: SQL): SQL {
  return sql`(b.id = ${name} OR b.role = lower(${name}) OR b.name = ${name} COLLATE NOCASE)`
}
