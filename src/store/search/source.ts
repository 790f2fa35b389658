/** What the search index is made of, read out of an account's mail: which messages may be missing from it, and which are gone. */
import { type SQL, sql } from 'drizzle-orm'
import { type Row, runBatch } from '../mail/change.ts'
import { asStored, type StoredMessage, WHOLE } from '../mail/rows.ts'
import { RECEIVED, SENT } from '../mail/shapes.ts'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'

/** A message that may have to be put in: its place, and the key of its bytes as they are now. */
export type Candidate = { id: string; n: number; raw: string }

/** The account's last step; undefined where the account is closed. */
export async function readSeq(stores: Stores, account: AccountRef): Promise<number | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT seq FROM counters WHERE account = ${account.number} AND state = 'active'`,
  )
  return row && Number(row.seq)
}

/** What the steps from one seq (left out) to another did: messages that entered a mailbox, and messages deleted. */
export async function readSteps(
  stores: Stores,
  account: AccountRef,
  from: number,
  to: number,
): Promise<{ entered: Candidate[]; gone: string[] }> {
  const { number } = account
  const [entered = [], gone = []] = await runBatch(mailOf(stores, account), [
    sql`SELECT ${CANDIDATE} FROM mailboxes AS b CROSS JOIN messages AS m INDEXED BY messages_mailbox
      ON m.account = b.account AND m.mailbox = b.number AND m.uid > ${from} AND m.uid <= ${to}
      WHERE b.account = ${number}`,
    sql`SELECT j.value ->> '$.id' AS id FROM events AS e CROSS JOIN json_each(e.data, '$.messages') AS j
      WHERE e.account = ${number} AND e.seq > ${from} AND e.seq <= ${to} AND e.type = 'message.deleted'`,
  ])
  return { entered: entered.map(asCandidate), gone: gone.map((row) => String(row.id)) }
}

/** The newest messages with ids below this one, of both directions. */
export async function readOlder(
  stores: Stores,
  account: AccountRef,
  below: string,
  limit: number,
): Promise<Candidate[]> {
  const one = (direction: number): SQL => sql`SELECT * FROM (SELECT ${CANDIDATE} FROM messages AS m
    WHERE m.account = ${account.number} AND m.direction = ${direction} AND m.id < ${below} ORDER BY m.id DESC LIMIT ${limit})`
  const rows = await mailOf(stores, account).all<Row>(
    sql`${one(RECEIVED)} UNION ALL ${one(SENT)} ORDER BY id DESC LIMIT ${limit}`,
  )
  return rows.map(asCandidate)
}

/** Messages whole, as far as they are still there. */
export async function loadMessages(stores: Stores, account: AccountRef, ids: string[]): Promise<StoredMessage[]> {
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT ${WHOLE} FROM json_each(${JSON.stringify(ids)}) AS j CROSS JOIN messages AS m
      ON m.account = ${account.number} AND m.direction IN (0, 1) AND m.id = j.value`,
  )
  return rows.map(asStored)
}

/** The number of the last account that has mail in this database. */
export async function lastAccount(db: Database): Promise<number> {
  const [row] = await db.all<Row>(sql`SELECT MAX(account) AS last FROM counters`)
  return Number(row?.last ?? 0)
}

/** The open accounts of a range, with the last step of each. */
export async function readSeqs(
  db: Database,
  name: string,
  from: number,
  to: number,
): Promise<{ account: AccountRef; seq: number }[]> {
  const rows = await db.all<Row>(
    sql`SELECT account, account_id, seq FROM counters WHERE account > ${from} AND account <= ${to} AND state = 'active'`,
  )
  return rows.map((row) => ({
    account: { number: Number(row.account), id: String(row.account_id), mailDb: name },
    seq: Number(row.seq),
  }))
}

const CANDIDATE: SQL = sql.raw('m.id, COALESCE(m.filed, m.uid) AS n, m.raw_key')

function asCandidate(row: Row): Candidate {
  return { id: String(row.id), n: Number(row.n), raw: String(row.raw_key) }
}
