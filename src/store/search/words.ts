/**
 * The search index: one row of words for each message, in a database of its own. It is derived from the mail and may be lost.
 * An account's rows are a range of rowids, so no query however worded reaches another's.
 */
import { type SQL, sql } from 'drizzle-orm'
import { Problem } from '../../base/problem.ts'
import { type Row, runBatch } from '../mail/change.ts'
import { type AccountRef, type Database, type Stores, searchOf } from '../stores.ts'

/** A message as the index knows it: folded words, divided by spaces. `n` is its place among the account's, the seq at which it was filed. */
export type Document = {
  n: number
  message: string
  /** The key of the bytes that were read. */
  raw: string
  subject: string
  sender: string
  recipients: string
  copies: string
  files: string
  body: string
  facts: string
}

/** How far the index is: every message up to the seq `high`, and of older ones those with ids from `low` on; null where all are in it. */
export type Cursor = { high: number; low: string | null; clearing: boolean; epoch: number }

/** Where an account stands of which nothing was ever written. */
export const NOTHING: Cursor = { high: 0, low: null, clearing: false, epoch: 0 }

export type Hit = { n: number; message: string }

/** Where to look: between two places, both left out, newest first or oldest first. */
export type Look = { match: string; above?: number; below?: number; ascending: boolean; limit: number }

/** Rows of the index removed in one step: each is found and rewritten in a tree of words. */
const CLEARED_A_STEP = 500

/** Ids in one expression: each is a term that the index looks up. */
const IDS_A_MATCH = 50

/** Above every id. */
export const TOP = 'g'

/** @throws Problem service_unavailable where no index is bound. */
export function indexOf(stores: Stores, account: Pick<AccountRef, 'mailDb'>): Database {
  const db = searchOf(stores, account)
  if (db) return db
  throw new Problem('service_unavailable', 'Search is not set up here.', {
    fix: 'The operator binds a D1 database as SEARCH and applies migrations/search to it.',
  })
}

/** The newest of what matches, with how far the index is: one round trip. `cursor` is a message's id, whose place is told. */
export async function lookUp(
  db: Database,
  account: number,
  look: Look,
  cursor?: string,
): Promise<{ hits: Hit[]; cursor: Cursor | undefined; place: number | undefined }> {
  const [states = [], hits = [], places = []] = await runBatch(db, [
    selectCursor(account),
    select(account, look),
    ...(cursor === undefined ? [] : [selectPlace(account, cursor)]),
  ])
  return {
    hits: hits.map((row) => ({ n: Number(row.rowid) - base(account), message: String(row.message) })),
    cursor: asCursor(states[0]),
    place: places[0] && Number(places[0].rowid) - base(account),
  }
}

/** Where a message stands; undefined where it is not in the index. */
export async function placeOf(db: Database, account: number, message: string): Promise<number | undefined> {
  const [rows = []] = await runBatch(db, [selectPlace(account, message)])
  return rows[0] && Number(rows[0].rowid) - base(account)
}

export async function readCursor(db: Database, account: number): Promise<Cursor | undefined> {
  const [rows = []] = await runBatch(db, [selectCursor(account)])
  return asCursor(rows[0])
}

/** The cursors of a range of accounts, by account. */
export async function readCursors(db: Database, from: number, to: number): Promise<Map<number, Cursor>> {
  const rows = await db.all<Row>(
    sql`SELECT account, high, low, clearing, epoch FROM cursors WHERE account > ${from} AND account <= ${to}`,
  )
  return new Map(rows.flatMap((row) => [[Number(row.account), asCursor(row) ?? NOTHING]]))
}

/** Which of these places are taken, with the key of the bytes that were read for each. */
export async function findIndexed(db: Database, account: number, places: number[]): Promise<Map<number, string>> {
  const rowids = JSON.stringify(places.map((n) => base(account) + n))
  const rows = await db.all<Row>(
    sql`SELECT w.rowid AS rowid, w.raw FROM json_each(${rowids}) AS j CROSS JOIN words AS w ON w.rowid = CAST(j.value AS INTEGER)`,
  )
  return new Map(rows.map((row) => [Number(row.rowid) - base(account), String(row.raw)]))
}

/** Whatever one step does to the index: documents written anew, messages taken out, the cursor moved. One batch; it may be repeated. */
export async function writeIndex(
  db: Database,
  account: number,
  step: { documents?: Document[]; gone?: string[]; cursor?: Cursor },
): Promise<void> {
  const { documents = [], gone = [], cursor } = step
  // In the order of their places: the index begins a new tree of words wherever it must go back.
  const ordered = documents.toSorted((a, b) => a.n - b.n)
  await runBatch(db, [
    ...chunks([...gone, ...ordered.map(({ message }) => message)], IDS_A_MATCH).map((ids) => removeAll(account, ids)),
    ...ordered.map((document) => insert(account, document)),
    ...(cursor ? [moveCursor(account, cursor)] : []),
  ])
}

/** Begins an empty index at the account's step `seq`: what is older is put in from there backwards. */
export async function beginAt(db: Database, account: number, seq: number, epoch: number): Promise<void> {
  await runBatch(db, [
    sql`INSERT INTO cursors (account, high, low, epoch) VALUES (${account}, ${seq}, ${TOP}, ${epoch})
      ON CONFLICT (account) DO UPDATE SET high = excluded.high, low = excluded.low
      WHERE high = 0 AND clearing = 0 AND epoch = excluded.epoch`,
  ])
}

/** Has everything of the account taken out, and put in anew after that. */
export async function startClearing(db: Database, account: number): Promise<void> {
  await runBatch(db, [
    sql`INSERT INTO cursors (account, high, low, clearing, epoch) VALUES (${account}, 0, NULL, 1, 1)
      ON CONFLICT (account) DO UPDATE SET clearing = 1, epoch = epoch + 1`,
  ])
}

/** Notes that all is taken out: it begins from nothing. */
export async function endClearing(db: Database, account: number): Promise<void> {
  await runBatch(db, [
    sql`UPDATE cursors SET clearing = 0, high = 0, low = NULL WHERE account = ${account} AND clearing = 1`,
  ])
}

/** Takes out a bounded number of an account's rows; true once none is left. */
export async function clearSome(db: Database, account: number): Promise<boolean> {
  const within = ofAccount(account)
  const [, left = []] = await runBatch(db, [
    sql`DELETE FROM words WHERE rowid IN (SELECT rowid FROM words WHERE ${within} ORDER BY rowid LIMIT ${CLEARED_A_STEP})`,
    sql`SELECT 1 FROM words WHERE ${within} LIMIT 1`,
  ])
  return left.length === 0
}

/** Forgets an account, a bounded number of rows at a time; true once nothing of it is left. */
export async function forgetSome(db: Database, account: number): Promise<boolean> {
  if (!(await clearSome(db, account))) return false
  await runBatch(db, [sql`DELETE FROM cursors WHERE account = ${account}`])
  return true
}

/** The rowids of an account begin after this. Accounts up to two million keep them within what a JavaScript number holds. */
function base(account: number): number {
  return account * 2 ** 32
}

// QUIRK: D1 binds numbers as REAL, and FTS5 heeds no bound of rowids that is no INTEGER: it would walk through all accounts.
function whole(rowid: number): SQL {
  return sql`CAST(${rowid} AS INTEGER)`
}

function ofAccount(account: number): SQL {
  return sql`rowid > ${whole(base(account))} AND rowid < ${whole(base(account + 1))}`
}

function select(account: number, { match, above, below, ascending, limit }: Look): SQL {
  const from = base(account) + (above ?? 0)
  const to = below === undefined ? base(account + 1) : base(account) + below
  return sql`SELECT rowid, message FROM words WHERE words MATCH ${match} AND rowid > ${whole(from)} AND rowid < ${whole(to)}
    ORDER BY rowid ${ascending ? sql`ASC` : sql`DESC`} LIMIT ${limit}`
}

function selectPlace(account: number, message: string): SQL {
  return sql`SELECT rowid FROM words WHERE words MATCH ${idTerm(message)} AND ${ofAccount(account)}`
}

function selectCursor(account: number): SQL {
  return sql`SELECT high, low, clearing, epoch FROM cursors WHERE account = ${account}`
}

function insert(account: number, document: Document): SQL {
  const { n, message, raw, subject, sender, recipients, copies, files, body, facts } = document
  return sql`INSERT INTO words (rowid, message, raw, subject, sender, recipients, copies, files, body, facts)
    VALUES (${whole(base(account) + n)}, ${message}, ${raw}, ${subject}, ${sender}, ${recipients}, ${copies}, ${files},
      ${body}, ${`${facts} ${idFact(message)}`})`
}

/** Wherever they stand: a draft that was sent has the id of before, and another place. What is not there costs nothing. */
function removeAll(account: number, ids: string[]): SQL {
  return sql`DELETE FROM words WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ${ids.map(idTerm).join(' OR ')}
    AND ${ofAccount(account)})`
}

/** Never back, for whoever was slower has seen less; and not after the index was emptied, for that he has not seen. */
function moveCursor(account: number, { high, low, epoch }: Cursor): SQL {
  return sql`INSERT INTO cursors (account, high, low, epoch) VALUES (${account}, ${high}, ${low}, ${epoch})
    ON CONFLICT (account) DO UPDATE SET high = MAX(high, excluded.high),
      low = CASE WHEN low IS NULL OR excluded.low IS NULL THEN NULL ELSE MIN(low, excluded.low) END
    WHERE clearing = 0 AND epoch = excluded.epoch`
}

/** A private character begins what is no word: no text folds to one, so no query can name it. */
export const FACT = '\ue000'

function idFact(message: string): string {
  return `${FACT}i${message.replaceAll('-', '')}`
}

/** Ids are ours; what is not in one is left out, so that it stays a word. */
function idTerm(message: string): string {
  return `"${idFact(message).replaceAll(/[^\ue000a-z0-9]/g, '')}"`
}

function asCursor(row: Row | undefined): Cursor | undefined {
  if (!row) return undefined
  return {
    high: Number(row.high),
    low: typeof row.low === 'string' ? row.low : null,
    clearing: Number(row.clearing) === 1,
    epoch: Number(row.epoch),
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))
}
