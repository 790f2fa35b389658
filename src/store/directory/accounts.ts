/** Accounts: the row in the directory, and with it counters and mailboxes in the database that holds its mail. */
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm'
import type { Keeping } from '../idempotency.ts'
import { keepAnswer, notAnswered } from '../idempotency.ts'
import { runBatch } from '../mail/change.ts'
import { accounts } from '../schema.ts'
import { type AccountRef, FIRST_MAIL_DB, INSTANCE, type Stores } from '../stores.ts'

export type AccountRow = typeof accounts.$inferSelect

export type NewAccount = {
  id: string
  name: string
  addressLimit: number | null
  storageBytes: number | null
  sendsPerDay: number | null
  now: number
  key: { id: string; hash: string; name: string; permission: string; scopes: readonly string[] }
  /** Ids of the mailboxes that every account has, in the order of their numbers. */
  mailboxes: readonly { id: string; name: string; role: string }[]
}

/** Makes the account, its first key, counters and mailboxes: in one batch where its mail lies in the directory's database. False where the answer is kept already. */
export async function insertAccount(stores: Stores, account: NewAccount, keeping?: Keeping): Promise<boolean> {
  const { id, now, key } = account
  const mailDb = FIRST_MAIL_DB
  const free = keeping ? notAnswered(INSTANCE.number, keeping.once, now) : sql`1`
  const made = sql`EXISTS (SELECT 1 FROM accounts WHERE id = ${id})`
  const number = sql`(SELECT number FROM accounts WHERE id = ${id})`
  const [inserted] = await runBatch(stores.directory, [
    sql`INSERT INTO accounts (id, name, state, mail_db, address_limit, storage_bytes, sends_per_day, created_at)
      SELECT ${id}, ${account.name}, 'active', ${mailDb}, ${account.addressLimit}, ${account.storageBytes},
        ${account.sendsPerDay}, ${now} WHERE ${free} RETURNING number`,
    sql`INSERT INTO api_keys (hash, id, account, name, permission, scopes, created_at)
      SELECT ${key.hash}, ${key.id}, number, ${key.name}, ${key.permission}, ${JSON.stringify(key.scopes)}, ${now}
      FROM accounts WHERE id = ${id}`,
    sql`INSERT INTO counters (account, account_id, state, seq, bytes, messages, boxes, last_mailbox, day, sent,
        storage_bytes, sends_per_day, listeners)
      SELECT number, id, 'active', 0, 0, 0, '{}', ${account.mailboxes.length}, 0, 0, storage_bytes, sends_per_day, 0
      FROM accounts WHERE id = ${id}`,
    sql`INSERT INTO mailboxes (account, number, id, name, role, uidvalidity, created_at)
      SELECT ${number}, key + 1, value ->> 'id', value ->> 'name', value ->> 'role', ${Math.floor(now / 1000)}, ${now}
      FROM json_each(${JSON.stringify(account.mailboxes)}) WHERE ${made}`,
    ...(keeping ? [keepAnswer(INSTANCE.number, keeping.once, now, keeping.status, keeping.answer, made)] : []),
  ])
  return inserted !== undefined && inserted.length > 0
}

/** The account with this id, in whatever state. */
export async function findAccountRow(stores: Stores, id: string): Promise<AccountRow | undefined> {
  const [row] = await stores.directory.select().from(accounts).where(eq(accounts.id, id))
  return row
}

/** What names an account inside. */
export function refOf(row: AccountRow): AccountRef {
  return { number: row.number, id: row.id, mailDb: row.mailDb }
}

/** A page of all accounts, newest first. */
export async function listAccountRows(
  stores: Stores,
  page: { limit: number; after?: string; before?: string },
): Promise<AccountRow[]> {
  return stores.directory
    .select()
    .from(accounts)
    .where(
      and(page.after ? lt(accounts.id, page.after) : undefined, page.before ? gt(accounts.id, page.before) : undefined),
    )
    .orderBy(page.before ? accounts.id : desc(accounts.id))
    .limit(page.limit + 1)
}

/** The account with this number, in whatever state. */
export async function findAccountRowByNumber(stores: Stores, number: number): Promise<AccountRow | undefined> {
  const [row] = await stores.directory.select().from(accounts).where(eq(accounts.number, number))
  return row
}
