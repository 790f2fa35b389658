/**
 * The one way in which an account's mail changes: a batch whose first statement moves the account's counters, if it may,
 * and leaves a token there; every later statement of the batch holds only while that token stands.
 * So a change happens whole or not at all, a closed account gains nothing, and a repeated batch writes nothing.
 */
import { type SQL, sql } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import type { Database } from '../stores.ts'

/** A step of the account's history. `data` is what a webhook tells, complete. */
export type NewEvent = { type: string; message?: string; data: Record<string, unknown> }

export type Change = {
  account: number
  /** ms since 1970. */
  now: number
  /** Random, new for every attempt. */
  token: string
  /** A condition for the whole change, usually that something does not exist yet, or is still as it was read. */
  only?: SQL
  /** What mailboxes gain or lose. */
  boxes?: { mailbox: number; messages: number; unread: number }[]
  /** Octets gained or lost; a gain is refused where it would pass the account's storage. */
  bytes?: number
  messages?: number
  /** Recipients that count towards the day's quota; refused where they would pass it. */
  sends?: number
  /** Recipients that count towards the day's quota of one key, by its id; refused where they would pass it. */
  keySends?: KeySends
  /** In their order; each takes a seq of its own. */
  events: NewEvent[]
  /** It only writes down what happened already: allowed while an account that is to move is being emptied of work, too. */
  afterTheFact?: boolean
  /** Seqs taken after these, for events that the other statements of the batch insert. */
  steps?: number
}

export type KeySends = { readonly key: string; readonly sends: number; readonly perDay: number }

/** A row as SQL gave it. */
export type Row = Record<string, unknown>

/** What the first statement answers if the change was made: the account's new seq, whether anyone listens, and how many sends the day has left where they were counted and are limited. */
export type Changed = { seq: number; listeners: number; left?: SendsLeft }

/** Of the account's limit and the key's the one of which less is left. */
export type SendsLeft = { readonly limit: number; readonly left: number }

/** The condition that later statements of the batch end with: that this change is being made. */
export function made(change: Pick<Change, 'account' | 'token'>): SQL {
  return sql`EXISTS (SELECT 1 FROM counters WHERE account = ${change.account} AND change = ${change.token})`
}

/** The account's seq after the change, for use inside its batch. */
export function newSeq(change: Pick<Change, 'account'>): SQL {
  return sql`(SELECT seq FROM counters WHERE account = ${change.account})`
}

/** Makes the change together with what else belongs to it; undefined where it was not allowed or its condition failed, and then nothing was written. */
export async function makeChange(db: Database, change: Change, others: SQL[]): Promise<Changed | undefined> {
  const [changed] = await makeChanges(db, [{ change, others }])
  return changed
}

/** Makes several in one round trip; each is made or not by its own condition, but an error in any undoes them all. */
export async function makeChanges(
  db: Database,
  changes: { change: Change; others: SQL[] }[],
): Promise<(Changed | undefined)[]> {
  const batches = changes.map(({ change, others }) => [
    moveCounters(change),
    ...((change.bytes ?? 0) > 0 ? [warnOfStorage(change)] : []),
    ...change.events.map(insertEvent(change)),
    ...others,
  ])
  const answers = await runBatch(db, batches.flat())
  let at = 0
  return batches.map((batch, index) => {
    const moved = answers[at]
    at += batch.length
    return asChanged(moved, changes[index]?.change)
  })
}

/** Runs statements as one batch, one transaction, one round trip; each answers its rows. */
export async function runBatch(db: Database, statements: SQL[]): Promise<Row[][]> {
  if (statements.length === 0) return []
  const prepared = statements.map((statement) => {
    const { sql: text, params } = dialect.sqlToQuery(statement)
    return db.$client.prepare(text).bind(...params)
  })
  const answers = await db.$client.batch<Row>(prepared)
  return answers.map((answer) => answer.results)
}

// QUIRK: drizzle's own batch takes no sql`…` with parameters on D1, so it is compiled here.
const dialect = new SQLiteAsyncDialect()

/** The first statement. A seq is taken for every event; a change without one still takes a step, so that modseq moves. */
function moveCounters(change: Change): SQL {
  const { bytes = 0, messages = 0, sends = 0, keySends } = change
  const day = Math.floor(change.now / 86_400_000)
  const sentToday = sql`CASE WHEN day = ${day} THEN sent ELSE 0 END`
  const fits = bytes > 0 ? sql` AND (storage_bytes IS NULL OR bytes + ${bytes} <= storage_bytes)` : sql``
  const allowed = sends > 0 ? sql` AND (sends_per_day IS NULL OR ${sentToday} + ${sends} <= sends_per_day)` : sql``
  const counted =
    sends > 0 || keySends
      ? sql`, sent = ${sentToday} + ${sends}, day = ${day}, key_sent = ${movedKeys(change, day)}`
      : sql``
  const ofKey =
    keySends && keySends.sends > 0
      ? sql` AND ${sentByKey(keySends.key, day)} + ${keySends.sends} <= ${mostOfKey(keySends, day)}`
      : sql``
  const full = (share: number) => sql`(storage_bytes IS NOT NULL AND bytes + ${bytes} >= storage_bytes * ${share})`
  // A warning takes the step before all others, so that those are found by counting from the end.
  const warned = bytes > 0 ? sql` + (storage_told = 0 AND ${full(NEARLY_FULL)})` : sql``
  const told = sql`CASE WHEN ${full(NEARLY_FULL)} THEN CASE storage_told WHEN 0 THEN ${bytes > 0 ? JUST_TOLD : 0} ELSE 1 END
    WHEN ${full(ROOM_AGAIN)} THEN MIN(storage_told, 1) ELSE 0 END`
  return sql`UPDATE counters SET seq = seq + ${steps(change)}${warned}, bytes = bytes + ${bytes},
    ${bytes === 0 ? sql`` : sql`storage_told = ${told}, `}
    messages = messages + ${messages}, boxes = ${movedBoxes(change)}, change = ${change.token}${counted}
    WHERE account = ${change.account} AND ${mayChange(change)}${fits}${allowed}${ofKey}${change.only ? sql` AND ${change.only}` : sql``}
    RETURNING seq, listeners, sent, sends_per_day, key_sent`
}

function mayChange({ afterTheFact }: Change): SQL {
  return afterTheFact ? sql`state IN ('active', 'draining')` : sql`state = 'active'`
}

/** What a key has sent on a day. */
export function sentByKey(key: string, day: number): SQL {
  return sql`COALESCE(CASE WHEN day = ${day} THEN key_sent ->> ${`$."${key}"`} END, 0)`
}

/** Octets of a day's counts, some 1,400 keys: the row is written with every change of the account, and must stay far below D1's 2 MB. */
const MOST_KEY_COUNTS = 64 * 1024

/** What a key may send on a day: nothing where so many others have sent that there is no room to count it. */
export function mostOfKey({ key, perDay }: KeySends, day: number): SQL {
  const room = sql`day <> ${day} OR LENGTH(COALESCE(key_sent, '')) < ${MOST_KEY_COUNTS} OR key_sent ->> ${`$."${key}"`} IS NOT NULL`
  return sql`CASE WHEN ${room} THEN ${perDay} ELSE 0 END`
}

/** Another day's counts are forgotten with the first that is counted on this one. */
function movedKeys({ keySends }: Change, day: number): SQL {
  const today = sql`CASE WHEN day = ${day} THEN key_sent END`
  if (!keySends) return today
  const { key, sends } = keySends
  return sql`json_set(COALESCE(${today}, '{}'), ${`$."${key}"`}, CAST(${sentByKey(key, day)} + ${sends} AS INTEGER))`
}

/** One JSON object of all that moves, because a bound parameter for each would pass D1's hundred. */
function movedBoxes({ boxes = [] }: Change): SQL {
  if (boxes.length === 0) return sql`boxes`
  const moves = JSON.stringify(boxes.map(({ mailbox, messages, unread }) => [mailbox, messages, unread]))
  const plus = (at: number) =>
    sql.raw(
      `CAST(COALESCE(boxes ->> ('$."' || (b.value ->> 0) || '"[${at}]'), 0) + SUM(b.value ->> ${at + 1}) AS INTEGER)`,
    )
  return sql`json_patch(boxes, (SELECT json_group_object(number, json_array(messages, unread)) FROM
    (SELECT CAST(b.value ->> 0 AS TEXT) AS number, ${plus(0)} AS messages, ${plus(1)} AS unread
      FROM json_each(${moves}) AS b GROUP BY b.value ->> 0)))`
}

/** Told once when a gain passes this share of the account's storage, and not again before it has fallen below the other. */
const NEARLY_FULL = 0.9
const ROOM_AGAIN = 0.85

/** `storage_told` by the change that is being made; 1 from the next one on. */
const JUST_TOLD = 2

function warnOfStorage(change: Change): SQL {
  return sql`INSERT INTO events (account, seq, type, message, data, created_at)
    SELECT account, seq - ${steps(change)}, 'account.storage_warning', NULL,
      json_object('account', account_id, 'used_bytes', bytes, 'storage_bytes', storage_bytes), ${change.now}
    FROM counters WHERE account = ${change.account} AND change = ${change.token} AND storage_told = ${JUST_TOLD}`
}

/** How many seqs it takes, a warning aside. */
function steps({ events, steps = 0 }: Change): number {
  return Math.max(1, events.length + steps)
}

function insertEvent(change: Change): (event: NewEvent, at: number) => SQL {
  return (event, at) => {
    const back = change.events.length + (change.steps ?? 0) - 1 - at
    return sql`INSERT INTO events (account, seq, type, message, data, created_at)
      SELECT account, seq - ${back}, ${event.type}, ${event.message ?? null}, ${JSON.stringify(event.data)}, ${change.now}
      FROM counters WHERE account = ${change.account} AND change = ${change.token}`
  }
}

function asChanged(rows: Row[] | undefined, change: Change | undefined): Changed | undefined {
  const row = rows?.[0]
  if (!row) return undefined
  const left = change ? sendsLeft(row, change) : undefined
  return { seq: Number(row.seq), listeners: Number(row.listeners), ...(left ? { left } : {}) }
}

function sendsLeft(row: Row, { sends = 0, keySends }: Change): SendsLeft | undefined {
  const limits: SendsLeft[] = []
  if (sends > 0 && row.sends_per_day !== null) limits.push(leftOf(Number(row.sends_per_day), Number(row.sent)))
  if (keySends) limits.push(leftOf(keySends.perDay, sentIn(row.key_sent, keySends.key)))
  return limits.sort((a, b) => a.left - b.left)[0]
}

/** More than the limit may have been sent where it was lowered since. */
export function leftOf(limit: number, sent: number): SendsLeft {
  return { limit, left: Math.max(0, limit - sent) }
}

/** Of the column's JSON as `movedKeys` writes it. */
function sentIn(counts: unknown, key: string): number {
  const read: unknown = typeof counts === 'string' ? JSON.parse(counts) : {}
  return Number(Reflect.get(Object(read), key) ?? 0)
}
