/** Which database a new account's mail goes to, and making it ready there. */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from '../mail/change.ts'
import { type AccountRef, FIRST_MAIL_DB, mailOf, type Stores } from '../stores.ts'

/** The kind of the task that makes an account ready in its mail database, where that is not the directory's. */
export const OPEN_ACCOUNT = 'open-account'

/** A mailbox that every account has, in the order of their numbers. */
export type FirstMailbox = { id: string; name: string; role: string }

/** The mail database with the fewest accounts; of equal ones the first. */
export async function leastLoaded(stores: Stores): Promise<string> {
  const names = [...stores.mail.keys()].sort()
  if (names.length === 1) return FIRST_MAIL_DB
  const rows = await stores.directory.all<{ name: string; held: number }>(
    sql`SELECT mail_db AS name, COUNT(*) AS held FROM accounts GROUP BY mail_db`,
  )
  const held = new Map(rows.map((row) => [row.name, row.held]))
  return names.reduce((best, name) => ((held.get(name) ?? 0) < (held.get(best) ?? 0) ? name : best))
}

/** The statements that make counters and mailboxes of an account; repeated they change nothing. `account` is a query of one number. */
export function makeReady(
  account: SQL,
  {
    id,
    now,
    mailboxes,
    quota,
  }: {
    id: string
    now: number
    mailboxes: readonly FirstMailbox[]
    quota: { storageBytes: number | null; sendsPerDay: number | null }
  },
): SQL[] {
  return [
    sql`INSERT OR IGNORE INTO counters (account, account_id, state, seq, bytes, messages, boxes, last_mailbox, day, sent,
        storage_bytes, sends_per_day, listeners)
      SELECT number, ${id}, 'active', 0, 0, 0, '{}', ${mailboxes.length}, 0, 0, ${quota.storageBytes},
        ${quota.sendsPerDay}, 0 FROM (${account})`,
    sql`INSERT OR IGNORE INTO mailboxes (account, number, id, name, role, uidvalidity, created_at)
      SELECT a.number, m.key + 1, m.value ->> 'id', m.value ->> 'name', m.value ->> 'role', ${Math.floor(now / 1000)}, ${now}
      FROM (${account}) AS a, json_each(${JSON.stringify(mailboxes)}) AS m`,
  ]
}

/** What a task that opens an account carries. */
export type Opening = { mailboxes: readonly FirstMailbox[]; now: number }

/** Makes an account ready in its mail database, and then open. May be repeated; its task ends with it. */
export async function openAccount(
  stores: Stores,
  account: AccountRef & { storageBytes: number | null; sendsPerDay: number | null },
  { mailboxes, now }: Opening,
): Promise<void> {
  const { number, id, storageBytes, sendsPerDay } = account
  const quota = { storageBytes, sendsPerDay }
  await runBatch(mailOf(stores, account), makeReady(sql`SELECT ${number} AS number`, { id, now, mailboxes, quota }))
  await runBatch(stores.directory, [
    sql`UPDATE accounts SET state = 'active' WHERE number = ${number} AND state = 'opening'`,
    sql`DELETE FROM tasks WHERE kind = ${OPEN_ACCOUNT} AND account = ${number} AND ref = ${id}`,
  ])
}

/** Only an Opening is ever written in such a task. */
export function asOpening(state: unknown): Opening {
  return state as Opening
}
