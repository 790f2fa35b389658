/** The messages that were found, as lists show them: those of the candidates of which more is true than their words. */
import { type SQL, sql } from 'drizzle-orm'
import type { Row } from '../mail/change.ts'
import { asLine, LINE, type MessageLine } from '../mail/rows.ts'
import { RECEIVED, SENT } from '../mail/shapes.ts'
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

/** Clocks of those who store mail may differ, and a large mail is long on its way between its id and its place. */
const MARGIN = 3_600_000

/** The places between which mail of a time lies, both left out; as near as the index by ids tells in two seeks a bound. */
export async function placesOf(
  stores: Stores,
  account: AccountRef,
  time: { after?: number; before?: number },
): Promise<{ above?: number; below?: number }> {
  const { after, before } = time
  const [row] = await mailOf(stores, account).all<Row>(sql`SELECT
    ${after === undefined ? sql`NULL` : seek(account, 'MIN', sql`m.id >=`, sql`ASC`, after - MARGIN)} AS "first",
    ${before === undefined ? sql`NULL` : seek(account, 'MAX', sql`m.id <`, sql`DESC`, before + MARGIN)} AS "last"`)
  // Where no message lies on that side of the time, none can be found.
  const above = row?.first === null ? 2 ** 32 : Number(row?.first) - 1
  const below = row?.last === null ? 0 : Number(row?.last) + 1
  return { ...(after === undefined ? {} : { above }), ...(before === undefined ? {} : { below }) }
}

/** Ids begin with the time at which they were made (RFC 9562 section 5.7). */
function seek(account: AccountRef, edge: 'MIN' | 'MAX', beyond: SQL, order: SQL, time: number): SQL {
  const hex = Math.min(Math.max(0, Math.floor(time)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0')
  const id = `${hex.slice(0, 8)}-${hex.slice(8)}-`
  const one = (direction: number) => sql`SELECT * FROM (SELECT COALESCE(m.filed, m.uid) AS n FROM messages AS m
    WHERE m.account = ${account.number} AND m.direction = ${direction} AND ${beyond} ${id} ORDER BY m.id ${order} LIMIT 1)`
  return sql`(SELECT ${sql.raw(edge)}(n) FROM (${one(RECEIVED)} UNION ALL ${one(SENT)}))`
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
