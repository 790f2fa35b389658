/** Where things are kept: the directory's database, the mail databases, and the raw mail. All else of `store` takes these. */
import { drizzle } from 'drizzle-orm/d1'
import * as directory from './schema/directory.ts'
import * as mail from './schema/mail.ts'
import * as owed from './schema/owed.ts'
import { counting, type Tally } from './tally.ts'

export type Database = ReturnType<typeof open>

/** What names an account inside: its number leads every key, and its row says which database holds its mail. */
export type AccountRef = { readonly number: number; readonly id: string; readonly mailDb: string }

/** What belongs to no account but to the instance: its own keys and relays. */
export const INSTANCE: AccountRef = { number: 0, id: 'instance', mailDb: 'DB' }

export type Stores = {
  readonly directory: Database
  /** Every mail database by its binding's name. */
  readonly mail: ReadonlyMap<string, Database>
  /** Every search index by its binding's name: SEARCH, and SEARCH_n for the accounts of MAIL_n where it is bound. */
  readonly search: ReadonlyMap<string, Database>
  readonly raw: R2Bucket
}

/** The mail database of the first accounts, and where none other is bound. */
export const FIRST_MAIL_DB = 'DB'

/** Opens the stores over the Worker's bindings; with a tally, every round trip and row written is counted in it. */
export function openStores(databases: Record<string, D1Database>, raw: R2Bucket, tally?: Tally): Stores {
  const named = Object.entries(databases).map(
    ([name, database]) => [name, open(tally ? counting(database, tally) : database)] as const,
  )
  const mail = new Map(named.filter(([name]) => !isSearch(name)))
  const search = new Map(named.filter(([name]) => isSearch(name)))
  const directory = mail.get(FIRST_MAIL_DB)
  if (!directory) throw new Error(`there is no database bound as ${FIRST_MAIL_DB}`)
  return { directory, mail, search, raw: tally ? countingPuts(raw, tally) : raw }
}

/** The database that holds an account's mail. */
export function mailOf(stores: Stores, account: Pick<AccountRef, 'mailDb'>): Database {
  const database = stores.mail.get(account.mailDb)
  if (!database) throw new Error(`no database is bound as ${account.mailDb}`)
  return database
}

/** The search index of an account's mail; undefined where none is bound. */
export function searchOf(stores: Stores, account: Pick<AccountRef, 'mailDb'>): Database | undefined {
  return stores.search.get(account.mailDb.replace(/^MAIL/, 'SEARCH')) ?? stores.search.get('SEARCH')
}

function isSearch(binding: string): boolean {
  return /^SEARCH(_\d+)?$/.test(binding)
}

const opened = new WeakMap<D1Database, ReturnType<typeof openNew>>()

/** Once for each binding: a mapper of every table is not for nothing. */
function open(database: D1Database) {
  const known = opened.get(database) ?? openNew(database)
  opened.set(database, known)
  return known
}

function openNew(database: D1Database) {
  return drizzle(database, { schema: { ...directory, ...mail, ...owed } })
}

function countingPuts(raw: R2Bucket, tally: Tally): R2Bucket {
  return new Proxy(raw, {
    get(bucket, name) {
      if (name === 'put') tally.puts++
      if (name === 'get') tally.gets++
      const member: unknown = Reflect.get(bucket, name)
      return typeof member === 'function' ? member.bind(bucket) : member
    },
  })
}
