/** Who has left which list. The batches that send ask it, as they ask the suppression list, so that no mail slips between. */
import { type SQL, sql } from 'drizzle-orm'
import { type Change, type Changed, made, makeChange, type NewEvent, type Row } from '../mail/change.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** Somebody on a list: its name, empty for the account's one list, and the address as `addressKey` writes it. */
export type Member = { readonly list: string; readonly email: string }

export type Unsubscribe = Member & {
  /** The sent message whose link was followed. */
  readonly source: string | null
  /** ms since 1970. */
  readonly createdAt: number
}

/** Condition of a batch that sends: that none of these has left the list. */
export function noneUnsubscribed(account: number, members: readonly Member[]): SQL {
  if (members.length === 0) return sql`1`
  return sql`NOT EXISTS (SELECT 1 FROM ${among(account, members)})`
}

/** Those of them who have left. */
export async function findUnsubscribed(
  stores: Stores,
  account: AccountRef,
  members: readonly Member[],
): Promise<Unsubscribe[]> {
  if (members.length === 0) return []
  const rows = await mailOf(stores, account).all<Row>(sql`SELECT u.* FROM ${among(account.number, members)}`)
  return rows.map(asUnsubscribe)
}

/** Notes that somebody left, with its event; undefined where that is noted already, or the account takes nothing. */
export async function addUnsubscribe(
  stores: Stores,
  account: AccountRef,
  left: Unsubscribe,
  event: NewEvent,
  token: string,
): Promise<Changed | undefined> {
  const only = noneUnsubscribed(account.number, [left])
  const change: Change = { account: account.number, now: left.createdAt, token, only, events: [event] }
  return makeChange(mailOf(stores, account), change, [
    sql`INSERT INTO unsubscribes (account, list, email, source, created_at)
      SELECT ${account.number}, ${left.list}, ${left.email}, ${left.source}, ${left.createdAt} WHERE ${made(change)}`,
  ])
}

/** Lets them be sent to again; false where they had not left. */
export async function removeUnsubscribe(stores: Stores, account: AccountRef, member: Member): Promise<boolean> {
  const gone = await mailOf(stores, account).all<Row>(
    sql`DELETE FROM unsubscribes WHERE account = ${account.number} AND list = ${member.list} AND email = ${member.email}
      RETURNING 1`,
  )
  return gone.length > 0
}

/** Who has left a list, by address; those that come after `after`. */
export async function listUnsubscribes(
  stores: Stores,
  account: AccountRef,
  { list, after, limit }: { list: string; after: string; limit: number },
): Promise<Unsubscribe[]> {
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT list, email, source, created_at FROM unsubscribes
      WHERE account = ${account.number} AND list = ${list} AND email > ${after} ORDER BY email LIMIT ${limit}`,
  )
  return rows.map(asUnsubscribe)
}

/** A row of `u` for each of them that has left: by key, however many have. */
function among(account: number, members: readonly Member[]): SQL {
  const asked = JSON.stringify(members.map(({ list, email }) => [list, email]))
  return sql`json_each(${asked}) AS m CROSS JOIN unsubscribes AS u
    ON u.account = ${account} AND u.list = m.value ->> 0 AND u.email = m.value ->> 1`
}

function asUnsubscribe(row: Row): Unsubscribe {
  return {
    list: String(row.list),
    email: String(row.email),
    source: row.source === null ? null : String(row.source),
    createdAt: Number(row.created_at),
  }
}
