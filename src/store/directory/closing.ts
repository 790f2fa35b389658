/** Closing an account, and removing what it has: by key range, so many rows or objects a step, each step harmless when repeated. */
import { type SQL, sql } from 'drizzle-orm'
import { type Row, runBatch } from '../mail/change.ts'
import { addTask, endTask, type Task } from '../mail/tasks.ts'
import { deleteRaw, listRaw, prefixesOf } from '../objects.ts'
import { forgetSome } from '../search/words.ts'
import { dropSome } from '../shards/copy.ts'
import { MOVED_TABLES } from '../shards/tables.ts'
import { type AccountRef, type Database, mailOf, type Stores, searchOf } from '../stores.ts'
import { dropDomainStep } from './domain-removal.ts'

/** The kind of the task that removes an account. It lies in the directory, so that it outlives the account's mail. */
export const DELETE_ACCOUNT = 'delete-account'

/** Rows in one statement: few enough that it never runs long. */
const ROWS = 500

/** Closes an account and owes its removal, in one batch; false where it was not open. */
export async function closeAccount(stores: Stores, account: AccountRef, now: number, state: unknown): Promise<boolean> {
  const isClosing = sql`EXISTS (SELECT 1 FROM accounts WHERE number = ${account.number} AND state = 'closing')`
  const task = { kind: DELETE_ACCOUNT, account: account.number, ref: account.id, due: now, state }
  const beside = mailOf(stores, account) === stores.directory
  const [closed] = await runBatch(stores.directory, [
    sql`UPDATE accounts SET state = 'closing' WHERE number = ${account.number} AND state = 'active' RETURNING 1`,
    addTask(task, isClosing),
    ...(beside ? [closeCounters(account)] : []),
  ])
  return closed !== undefined && closed.length > 0
}

/** What is removed, in this order: what could act first, and last the names, which others may then have. */
export const STEPS = [
  'counters',
  'api_keys',
  'relays',
  'providers',
  'rules',
  'mail',
  'answers',
  'objects',
  'search',
  'forward_targets',
  'addresses',
  'domains',
] as const

export type Step = (typeof STEPS)[number]

/** Does a bounded part of a step; true once nothing of it is left. */
export async function removeSome(stores: Stores, account: AccountRef, step: Step, now: number): Promise<boolean> {
  const { number } = account
  switch (step) {
    case 'counters':
      await runBatch(mailOf(stores, account), [closeCounters(account)])
      return true
    case 'mail':
      return dropMail(mailOf(stores, account), number, now)
    case 'answers':
      return dropMail(stores.directory, number, now, ['idempotency'])
    case 'objects':
      return dropObjects(stores, number)
    case 'search':
      return dropWords(stores, account)
    case 'domains':
      return dropDomain(stores, number)
    default:
      return dropRows(stores.directory, step, number)
  }
}

/** The last of an account: its counters, its row, and the task that removed it. */
export async function removeAccount(stores: Stores, account: AccountRef, task: Task): Promise<void> {
  const mail = mailOf(stores, account)
  const counters = sql`DELETE FROM counters WHERE account = ${account.number}`
  const beside = mail === stores.directory
  if (!beside) await runBatch(mail, [counters])
  await runBatch(stores.directory, [
    ...(beside ? [counters] : []),
    sql`DELETE FROM accounts WHERE number = ${account.number} AND state = 'closing'`,
    endTask(task),
  ])
}

function closeCounters(account: AccountRef): SQL {
  return sql`UPDATE counters SET state = 'closing' WHERE account = ${account.number}`
}

/** The key of each table of the directory that is emptied here. */
const KEYS = {
  api_keys: 'hash',
  relays: 'account, id',
  providers: 'account, id',
  rules: 'account, id',
  forward_targets: 'account, email',
  addresses: 'address',
} as const

/** Names of tables and columns come from the code above alone. */
async function dropRows(db: Database, table: keyof typeof KEYS, account: number): Promise<boolean> {
  const name = sql.raw(table)
  const columns = sql.raw(KEYS[table])
  const gone = await first(
    db,
    sql`DELETE FROM ${name} WHERE (${columns}) IN (SELECT ${columns} FROM ${name} WHERE account = ${account} LIMIT ${ROWS}) RETURNING 1`,
  )
  return gone.length < ROWS
}

/** Some rows of every table of its mail, or of those named, in one round trip; the counters stay to the last. */
async function dropMail(db: Database, account: number, now: number, only?: readonly string[]): Promise<boolean> {
  const tables = MOVED_TABLES.filter(({ name }) => name !== 'counters' && (only?.includes(name) ?? true))
  const gone = await runBatch(
    db,
    tables.map((table) => dropSome(table, account, now, ROWS)),
  )
  return gone.every((rows) => rows.length < ROWS)
}

/** One page of the objects under each prefix. */
async function dropObjects(stores: Stores, account: number): Promise<boolean> {
  let done = true
  for (const prefix of prefixesOf(account)) {
    const page = await listRaw(stores, prefix)
    await deleteRaw(
      stores,
      page.objects.map(({ key }) => key),
    )
    done &&= page.cursor === undefined
  }
  return done
}

/** What was indexed of the mail, where there is an index. */
async function dropWords(stores: Stores, account: AccountRef): Promise<boolean> {
  const index = searchOf(stores, account)
  return index === undefined || forgetSome(index, account.number)
}

async function dropDomain(stores: Stores, account: number): Promise<boolean> {
  const [row] = await stores.directory.all<{ id: string; name: string }>(
    sql`SELECT id, name FROM domains WHERE account = ${account} LIMIT 1`,
  )
  if (!row) return true
  await dropDomainStep(stores, { account, ...row })
  return false
}

async function first(db: Database, statement: SQL): Promise<Row[]> {
  const [rows] = await runBatch(db, [statement])
  return rows ?? []
}
