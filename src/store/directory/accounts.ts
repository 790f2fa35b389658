/** Accounts: the row in the directory, and with it counters and mailboxes in the database that holds its mail. */
import { and, eq, ne, type SQL, sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { runBatch } from '../mail/change.ts'
import { lookAt } from '../mailbox/retention.ts'
import { accounts } from '../schema/directory.ts'
import { counters } from '../schema/mail.ts'
import { type FirstMailbox, makeReady, OPEN_ACCOUNT, type Opening, openAccount } from '../shards/opening.ts'
import { type AccountRef, INSTANCE, mailOf, type Stores } from '../stores.ts'
import { type Page, pageBy } from './page.ts'

export type AccountRow = typeof accounts.$inferSelect

export type NewAccount = {
  id: string
  name: string
  addressLimit: number | null
  storageBytes: number | null
  sendsPerDay: number | null
  /** JSON object of further settings. */
  settings?: string | null
  /** When its mail is first looked at for what is over its time; absent where all is kept. */
  retentionDue?: number
  now: number
  key: { id: string; hash: string; name: string; permission: string; scopes: readonly string[] }
  /** Which database its mail is to lie in. */
  mailDb: string
  mailboxes: readonly FirstMailbox[]
}

/**
 * Makes the account, its first key, counters and mailboxes: in one batch where its mail lies in the directory's database;
 * else it opens once the other database has its part, which is owed until then. False where the answer is kept already.
 */
export async function insertAccount(stores: Stores, account: NewAccount, keeping?: Keeping): Promise<boolean> {
  const { id, now, key, mailDb, mailboxes } = account
  const free = keeping ? notAnswered(INSTANCE.number, keeping.once, now) : sql`1`
  const made = sql`EXISTS (SELECT 1 FROM accounts WHERE id = ${id})`
  const number = sql`SELECT number FROM accounts WHERE id = ${id}`
  const beside = mailOf(stores, account) === stores.directory
  const opening: Opening = { mailboxes, now }
  const [inserted] = await runBatch(stores.directory, [
    sql`INSERT INTO accounts (id, name, state, mail_db, address_limit, storage_bytes, sends_per_day, settings, created_at)
      SELECT ${id}, ${account.name}, ${beside ? 'active' : 'opening'}, ${mailDb}, ${account.addressLimit},
        ${account.storageBytes}, ${account.sendsPerDay}, ${account.settings ?? null}, ${now} WHERE ${free} RETURNING number`,
    sql`INSERT INTO api_keys (hash, id, account, name, permission, scopes, created_at)
      SELECT ${key.hash}, ${key.id}, number, ${key.name}, ${key.permission}, ${JSON.stringify(key.scopes)}, ${now}
      FROM accounts WHERE id = ${id}`,
    ...(beside
      ? makeReady(number, { id, now, mailboxes, quota: account })
      : [
          sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
            SELECT ${OPEN_ACCOUNT}, number, id, ${now}, 0, ${JSON.stringify(opening)} FROM accounts WHERE id = ${id}`,
        ]),
    ...(account.retentionDue === undefined ? [] : [lookAt(sql`a.id = ${id}`, account.retentionDue)]),
    ...(keeping ? [keepAnswer(INSTANCE.number, keeping.once, now, keeping.status, keeping.answer, made)] : []),
  ])
  const row = inserted?.[0]
  if (row && !beside) await openAccount(stores, { ...account, number: Number(row.number) }, opening)
  return row !== undefined
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

/** The account with this number, in whatever state. */
export async function findAccountRowByNumber(stores: Stores, number: number): Promise<AccountRow | undefined> {
  const [row] = await stores.directory.select().from(accounts).where(eq(accounts.number, number))
  return row
}

/** A page of the accounts that are not being removed, newest first. */
export async function listAccountRows(stores: Stores, page: Page): Promise<AccountRow[]> {
  const { where, orderBy, limit } = pageBy(accounts.id, page)
  return stores.directory
    .select()
    .from(accounts)
    .where(and(ne(accounts.state, 'closing'), ...where))
    .orderBy(orderBy)
    .limit(limit)
}

/** What an account uses of its quota, and its addresses; undefined where it has no counters (any more). */
export async function findUsage(
  stores: Stores,
  account: AccountRef,
  now: number,
): Promise<{ messages: number; bytes: number; sendsToday: number; addresses: number } | undefined> {
  const [[row], [held]] = await Promise.all([
    mailOf(stores, account).select().from(counters).where(eq(counters.account, account.number)),
    stores.directory.all<{ held: number }>(
      sql`SELECT COUNT(*) AS held FROM addresses WHERE account = ${account.number}`,
    ),
  ])
  if (!row) return undefined
  const today = row.day === Math.floor(now / 86_400_000)
  return { messages: row.messages, bytes: row.bytes, sendsToday: today ? row.sent : 0, addresses: held?.held ?? 0 }
}

export type AccountPatch = Partial<Pick<AccountRow, 'name' | 'addressLimit' | 'storageBytes' | 'sendsPerDay'>> & {
  /** Merged into its settings: what is null is taken away. */
  settings?: Readonly<Record<string, unknown>>
  /** When its mail is to be looked at, because how long it is kept has changed. */
  retentionDue?: number
}

/** Changes an open account, and its quota where its mail is counted; undefined where there is none. */
export async function patchAccount(stores: Stores, id: string, patch: AccountPatch): Promise<AccountRow | undefined> {
  if (Object.keys(patch).length > 0) {
    const row = await findAccountRow(stores, id)
    if (row?.state !== 'active') return undefined
    const set = (column: string, value: string | number | null | undefined): SQL[] =>
      value === undefined ? [] : [sql`${sql.raw(column)} = ${value}`]
    const quota = [...set('storage_bytes', patch.storageBytes), ...set('sends_per_day', patch.sendsPerDay)]
    const settings = patch.settings
      ? [sql`settings = NULLIF(json_patch(COALESCE(settings, '{}'), ${JSON.stringify(patch.settings)}), '{}')`]
      : []
    const own = [...set('name', patch.name), ...set('address_limit', patch.addressLimit), ...settings, ...quota]
    const directory = sql`UPDATE accounts SET ${sql.join(own, sql`, `)} WHERE number = ${row.number} AND state = 'active'`
    const mail = sql`UPDATE counters SET ${sql.join(quota, sql`, `)} WHERE account = ${row.number}`
    const look = patch.retentionDue === undefined ? [] : [lookAt(sql`a.number = ${row.number}`, patch.retentionDue)]
    await runWhereMailIs(stores, row, [directory, ...look], quota.length > 0 ? [mail] : [])
  }
  const row = await findAccountRow(stores, id)
  return row?.state === 'active' ? row : undefined
}

/** One batch where the account's mail lies beside the directory; else the directory's first, and repeating both is harmless. */
export async function runWhereMailIs(
  stores: Stores,
  account: Pick<AccountRef, 'mailDb'>,
  directory: SQL[],
  mail: SQL[],
): Promise<void> {
  const database = mailOf(stores, account)
  if (database === stores.directory) {
    await runBatch(database, [...directory, ...mail])
    return
  }
  await runBatch(stores.directory, directory)
  await runBatch(database, mail)
}
