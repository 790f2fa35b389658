/** Closing an account, and removing what it has: by key range, so many rows or objects a step, each step harmless when repeated. */
import { type SQL, sql } from 'drizzle-orm'
import { type Row, runBatch } from '../mail/change.ts'
import { addTask, endTask, type Task } from '../mail/tasks.ts'
import { deleteRaw, listRaw, prefixesOf } from '../objects.ts'
import { clearSome } from '../search/words.ts'
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
  'handed',
  'providers',
  'rules',
  'webhooks',
  'dispatches',
  'messages',
  'events',
  'mailboxes',
  'idempotency',
  'suppressions',
  'templates',
  'template_versions',
  'unsubscribes',
  'auto_replies',
  'tasks',
  'objects',
  'search',
  'forward_targets',
  'addresses',
  'domains',
] as const

export type Step = (typeof STEPS)[number]

/** Does a bounded part of a step; true once nothing of it is left. */
export async function removeSome(stores: Stores, account: AccountRef, step: Step, now: number): Promise<boolean> {
  const mail = mailOf(stores, account)
  const { number } = account
  switch (step) {
    case 'counters':
      await runBatch(mail, [closeCounters(account)])
      return true
    case 'api_keys':
      return dropRows(stores.directory, 'api_keys', 'hash', sql`account = ${number}`)
    case 'relays':
      return dropRows(stores.directory, 'relays', 'account, id', sql`account = ${number}`)
    case 'handed':
      return dropRows(stores.directory, 'handed', 'day, id', sql`account = ${number}`)
    case 'providers':
      return dropRows(stores.directory, 'providers', 'account, id', sql`account = ${number}`)
    case 'rules':
      return dropRows(stores.directory, 'rules', 'account, id', sql`account = ${number}`)
    case 'webhooks':
      return dropRows(mail, 'webhooks', 'account, id', sql`account = ${number}`)
    case 'dispatches':
      return dropRows(mail, 'dispatches', 'account, webhook, seq', sql`account = ${number}`)
    case 'messages':
      return dropRows(mail, 'messages', 'account, direction, id', sql`account = ${number}`)
    case 'events':
      return dropRows(mail, 'events', 'account, seq', sql`account = ${number}`)
    case 'mailboxes':
      return dropRows(mail, 'mailboxes', 'account, number', sql`account = ${number}`)
    case 'idempotency':
      return dropAnswers(stores, mail, number, now)
    case 'suppressions':
      return dropRows(mail, 'suppressions', 'account, email', sql`account = ${number}`)
    case 'templates':
      return dropRows(mail, 'templates', 'account, id', sql`account = ${number}`)
    case 'template_versions':
      return dropRows(mail, 'template_versions', 'account, template, version', sql`account = ${number}`)
    case 'unsubscribes':
      return dropRows(mail, 'unsubscribes', 'account, list, email', sql`account = ${number}`)
    case 'auto_replies':
      return dropRows(mail, 'auto_replies', 'account, address, sender', sql`account = ${number}`)
    case 'tasks':
      return dropRows(mail, 'tasks', 'kind, account, ref', sql`account = ${number} AND kind <> ${DELETE_ACCOUNT}`)
    case 'objects':
      return dropObjects(stores, number)
    case 'search':
      return dropWords(stores, account)
    case 'forward_targets':
      return dropRows(stores.directory, 'forward_targets', 'account, email', sql`account = ${number}`)
    case 'addresses':
      return dropRows(stores.directory, 'addresses', 'address', sql`account = ${number}`)
    case 'domains':
      return dropDomain(stores, number)
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

type Table = Exclude<Step, 'counters' | 'objects' | 'search' | 'domains'>

/** Names of tables and columns come from the code above alone. */
async function dropRows(db: Database, table: Table, key: string, which: SQL): Promise<boolean> {
  const name = sql.raw(table)
  const columns = sql.raw(key)
  const gone = await first(
    db,
    sql`DELETE FROM ${name} WHERE (${columns}) IN (SELECT ${columns} FROM ${name} WHERE ${which} LIMIT ${ROWS}) RETURNING 1`,
  )
  return gone.length < ROWS
}

/** Answers lie by day: these are the days that can still have any. Those of the directory's own requests lie there. */
async function dropAnswers(stores: Stores, mail: Database, account: number, now: number): Promise<boolean> {
  const day = Math.floor(now / 86_400_000)
  const which = sql`day IN (${day}, ${day - 1}, ${day - 2}) AND account = ${account}`
  const databases = [...new Set([stores.directory, mail])]
  const done = await Promise.all(databases.map((db) => dropRows(db, 'idempotency', 'day, account, key', which)))
  return done.every(Boolean)
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
  return index === undefined || clearSome(index, account.number)
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
