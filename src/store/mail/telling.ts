/**
 * Who is behind, and whose turn it is to tell him. An endpoint is claimed for one round: the next page of events that it asks for,
 * and tries that have come due. The end of a page's claim costs no write: the claim is over once its last event has a dispatch row,
 * because all of a round's outcomes are written by one batch.
 */
import { type SQL, sql } from 'drizzle-orm'
import { settle } from '../settle.ts'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'
import { type Row, runBatch } from './change.ts'

/** ms that an event rests whose attempt was cut off again, so that others are told in between. */
const LOST_REST = 15 * 60_000

/** How far one look goes for a type that is rarely told; what it passed over the sweep writes down. */
const SCAN = 5000

/** An attempt as it is kept: without `status` its outcome is not known (yet). 0 is no answer. */
export type Attempt = { id: string; at: number; status?: number; response?: string }

export type EventToTell = {
  seq: number
  type: string
  message: string | null
  data: Record<string, unknown>
  createdAt: number
}

/** An event with a dispatch row: counted as tried already, with this attempt as the last of `attempts`. */
export type DueAgain = EventToTell & { tries: number; attempts: Attempt[] }

export type Round = {
  account: AccountRef
  webhook: string
  token: string
  /** ms; what is written after this counts for nothing. */
  until: number
  url: string
  payload: 'thin' | 'full'
  secret: string
  previousSecret: string | null
  previousUntil: number
  failingSince: number | null
  fresh: EventToTell[]
  again: DueAgain[]
}

/** What became of one event in a round; `attempts` and `tries` are the whole of them. */
export type Outcome = {
  seq: number
  type: string
  status: 'success' | 'pending' | 'failed'
  tries: number
  attempts: Attempt[]
  due: number | null
}

/** An endpoint that is behind its account. */
export type Behind = { account: AccountRef; webhook: string; failing: boolean }

/** Endpoints that have something to be told now and are not being told; of these accounts, or of all in the database. */
export async function findBehind(
  stores: Stores,
  mailDb: string,
  now: number,
  limit: number,
  accounts?: readonly number[],
): Promise<Behind[]> {
  const those = accounts ? sql` AND w.account IN (SELECT value FROM json_each(${JSON.stringify(accounts)}))` : sql``
  const rows = await mailOf(stores, { mailDb }).all<Row>(
    sql`SELECT w.account, c.account_id, w.id, w.failing_since FROM webhooks w JOIN counters c ON c.account = w.account
      WHERE w.status = 'enabled' AND c.state = 'active'${those} AND NOT ${busy(now)}
        AND (${lapsed(now)} OR (w.claimed_to < c.seq AND ${hasNews}) OR ${owes(now)}) LIMIT ${limit}`,
  )
  return rows.map((row) => ({
    account: { number: Number(row.account), id: String(row.account_id), mailDb },
    webhook: String(row.id),
    failing: row.failing_since !== null,
  }))
}

/** Moves endpoints past events that they do not ask for; answers how many moved. */
export async function passOver(db: Database, now: number, limit: number): Promise<number> {
  const there = sql`(SELECT MIN(w.claimed_to + ${SCAN}, seq) FROM counters WHERE account = w.account)`
  const [moved] = await runBatch(db, [
    sql`UPDATE webhooks AS w SET cursor = ${there}, claimed_to = ${there} WHERE (w.account, w.id) IN (
      SELECT w.account, w.id FROM webhooks w JOIN counters c ON c.account = w.account
      WHERE w.status = 'enabled' AND w.claimed_to < c.seq AND NOT ${busy(now)}
        AND (w.claimed_to <= w.cursor OR ${settled}) AND NOT ${hasNews} LIMIT ${limit}) RETURNING 1`,
  ])
  return moved?.length ?? 0
}

/** `page`: how many new events, and how many tries that are due, the round has at most. All their data is in memory at once. */
export type Claim = {
  account: AccountRef
  webhook: string
  now: number
  token: string
  until: number
  page: number
}

/** Claims an endpoint for a round; undefined where it has nothing to be told, or is being told. */
export async function claimRound(stores: Stores, claim: Claim): Promise<Round | undefined> {
  return writeSurely(stores, claim, [])
}

/** Writes the outcomes of a round, all or none, and claims the next one where `next` is given. */
export async function finishRound(
  stores: Stores,
  round: Round,
  outcomes: readonly Outcome[],
  failingSince: number | null,
  now: number,
  next?: Claim,
): Promise<Round | undefined> {
  const fresh = new Set(round.fresh.map((event) => event.seq))
  const ends = [
    insertOutcomes(
      round,
      outcomes.filter((outcome) => fresh.has(outcome.seq)),
      now,
    ),
    updateOutcomes(
      round,
      outcomes.filter((outcome) => !fresh.has(outcome.seq)),
    ),
    ...(failingSince === round.failingSince && fresh.size > 0 ? [] : [endOf(round, failingSince)]),
  ]
  return writeSurely(stores, next ?? { account: round.account }, ends)
}

/** Every statement may be repeated without harm, so that a lost acknowledgement is met by doing it again. */
async function writeSurely(
  stores: Stores,
  claim: Claim | { account: AccountRef },
  before: SQL[],
): Promise<Round | undefined> {
  const steps = 'token' in claim ? claimSteps(claim) : []
  const answers = await settle(
    () => runBatch(mailOf(stores, claim.account), [...before, ...steps]),
    async () => undefined,
  )
  if (!('token' in claim)) return undefined
  const [webhook, fresh, again] = answers.slice(-3)
  return webhook?.[0] && asRound(claim, webhook[0], fresh ?? [], again ?? [])
}

function claimSteps({ account, webhook, now, token, until, page }: Claim): SQL[] {
  const it = sql`w.account = ${account.number} AND w.id = ${webhook}`
  const mine = sql`${it} AND w.claim = ${token}`
  const whose = sql`d.account = ${account.number} AND d.webhook = ${webhook}`
  // Whose attempt was cut off may be what cut it off: it goes alone, so that it takes no other along again.
  const someLost = sql`EXISTS (SELECT 1 FROM dispatches d WHERE ${whose} AND d.due <= ${now} AND ${lost})`
  const attempt = sql`json_object('id', ${`${token}.`} || seq, 'at', CAST(${now} AS INTEGER))`
  return [
    // A page whose claim lapsed may have been told or not: each of its events is tried again, and counted.
    sql`INSERT INTO dispatches (account, webhook, seq, status, type, attempts, tries, due, created_at)
      SELECT w.account, w.id, e.seq, 'pending', e.type,
        json_array(json_object('id', w.claim || '.' || e.seq, 'at', w.claimed_until)), 1, ${now}, ${now}
      FROM webhooks w JOIN events e ON e.account = w.account AND e.seq > w.cursor AND e.seq <= w.claimed_to
      WHERE ${it} AND w.status = 'enabled' AND ${lapsed(now)} AND (e.seq = w.claimed_to OR ${askedFor})
      ON CONFLICT DO NOTHING`,
    sql`UPDATE webhooks AS w SET cursor = claimed_to,
        claimed_to = CASE WHEN ${someLost} THEN claimed_to ELSE COALESCE(${lastOf(page)}, claimed_to) END,
        claim = ${token}, claimed_until = ${until}
      WHERE ${it} AND w.status = 'enabled' AND NOT ${busy(now)} AND (${hasNews} OR ${owes(now)})
        AND EXISTS (SELECT 1 FROM counters WHERE account = ${account.number} AND state = 'active')`,
    // Counted before it is tried, so that an event which kills its teller is given up in the end.
    sql`UPDATE dispatches SET due = CASE WHEN ${someLost} THEN ${until + LOST_REST} ELSE ${until} END, tries = tries + 1, attempts = json_insert(
        CASE WHEN json_array_length(attempts) >= 20 THEN json_remove(attempts, '$[0]') ELSE attempts END,
        '$[#]', ${attempt})
      WHERE account = ${account.number} AND webhook = ${webhook} AND seq IN (
        SELECT d.seq FROM dispatches d WHERE ${whose} AND d.due <= ${now} ORDER BY ${lost} DESC, d.due, d.seq
        LIMIT (SELECT CASE WHEN ${someLost} THEN 1 ELSE ${page} END))
        AND EXISTS (SELECT 1 FROM webhooks w WHERE ${mine} AND w.claimed_until = ${until})`,
    sql`SELECT url, payload, secret, previous_secret, previous_until, failing_since FROM webhooks w WHERE ${mine}`,
    sql`SELECT e.seq, e.type, e.message, e.data, e.created_at
      FROM webhooks w JOIN events e ON e.account = w.account AND e.seq > w.cursor AND e.seq <= w.claimed_to
      WHERE ${mine} AND ${askedFor} ORDER BY e.seq`,
    // Told how, because SQLite would else begin with all events of the account, or all dispatches of the endpoint.
    sql`SELECT e.seq, e.type, e.message, e.data, e.created_at, d.tries, d.attempts
      FROM dispatches d INDEXED BY dispatches_due CROSS JOIN events e ON e.account = d.account AND e.seq = d.seq
      WHERE ${whose} AND d.due IN (${until}, ${until + LOST_REST}) AND d.attempts ->> '$[#-1].id' = ${`${token}.`} || d.seq ORDER BY e.seq`,
  ]
}

function insertOutcomes(round: Round, outcomes: readonly Outcome[], now: number): SQL {
  return sql`INSERT INTO dispatches (account, webhook, seq, status, type, attempts, tries, due, created_at)
    SELECT ${round.account.number}, ${round.webhook}, value ->> 'seq', value ->> 'status', value ->> 'type',
      value -> 'attempts', value ->> 'tries', value ->> 'due', ${now}
    FROM json_each(${JSON.stringify(outcomes)}) WHERE ${stillMine(round)} ON CONFLICT DO NOTHING`
}

function updateOutcomes(round: Round, outcomes: readonly Outcome[]): SQL {
  return sql`UPDATE dispatches SET status = o.value ->> 'status', attempts = o.value -> 'attempts',
      tries = o.value ->> 'tries', due = o.value ->> 'due'
    FROM json_each(${JSON.stringify(outcomes)}) AS o
    WHERE account = ${round.account.number} AND webhook = ${round.webhook}
      AND seq IN (SELECT value FROM json_each(${JSON.stringify(outcomes.map((outcome) => outcome.seq))})) AND seq = o.value ->> 'seq'
      AND attempts ->> '$[#-1].id' = ${`${round.token}.`} || seq`
}

/** Blame or its end; and the end of a claim that had no page, which no dispatch row could tell. */
function endOf(round: Round, failingSince: number | null): SQL {
  return sql`UPDATE webhooks SET failing_since = ${failingSince},
      claimed_until = CASE WHEN claimed_to > cursor THEN claimed_until ELSE NULL END
    WHERE account = ${round.account.number} AND id = ${round.webhook} AND claim = ${round.token}`
}

function stillMine(round: Round): SQL {
  return sql`EXISTS (SELECT 1 FROM webhooks WHERE account = ${round.account.number} AND id = ${round.webhook}
    AND claim = ${round.token})`
}

// The conditions below speak of an endpoint as `w`, and of an event as `e`.

const settled = sql`EXISTS (SELECT 1 FROM dispatches s
  WHERE s.account = w.account AND s.webhook = w.id AND s.seq = w.claimed_to)`

/** Of a dispatch `d` that is due: an attempt began and nobody came back from it. */
const lost = sql`(json_array_length(d.attempts) > 0 AND d.attempts ->> '$[#-1].status' IS NULL)`

const askedFor = sql`e.type IN (SELECT value FROM json_each(w.types))`

const news = sql`FROM events e WHERE e.account = w.account AND e.seq > w.claimed_to
  AND e.seq <= w.claimed_to + ${SCAN} AND ${askedFor}`

const hasNews = sql`EXISTS (SELECT 1 ${news})`

function lastOf(page: number): SQL {
  return sql`(SELECT MAX(seq) FROM (SELECT e.seq ${news} ORDER BY e.seq LIMIT ${page}))`
}

function busy(now: number): SQL {
  return sql`(COALESCE(w.claimed_until, 0) > ${now} AND NOT (w.claimed_to > w.cursor AND ${settled}))`
}

function lapsed(now: number): SQL {
  return sql`(w.claimed_to > w.cursor AND COALESCE(w.claimed_until, 0) <= ${now} AND NOT ${settled})`
}

function owes(now: number): SQL {
  return sql`EXISTS (SELECT 1 FROM dispatches o WHERE o.account = w.account AND o.webhook = w.id AND o.due <= ${now})`
}

function asRound(claim: Claim, row: Row, fresh: Row[], again: Row[]): Round {
  return {
    account: claim.account,
    webhook: claim.webhook,
    token: claim.token,
    until: claim.until,
    url: String(row.url),
    payload: row.payload === 'full' ? 'full' : 'thin',
    secret: String(row.secret),
    previousSecret: row.previous_secret === null ? null : String(row.previous_secret),
    previousUntil: Number(row.previous_until ?? 0),
    failingSince: row.failing_since === null ? null : Number(row.failing_since),
    fresh: fresh.map(asEvent),
    again: again.map((due) => ({ ...asEvent(due), tries: Number(due.tries), attempts: readAttempts(due.attempts) })),
  }
}

function asEvent(row: Row): EventToTell {
  return {
    seq: Number(row.seq),
    type: String(row.type),
    message: row.message === null ? null : String(row.message),
    data: asRecord(JSON.parse(String(row.data))),
    createdAt: Number(row.created_at),
  }
}

/** A change writes an object there, whatever its members are. */
function asRecord(value: unknown): Record<string, unknown> {
  return value as Record<string, unknown>
}

/** This file alone writes the column. */
export function readAttempts(text: unknown): Attempt[] {
  return JSON.parse(String(text)) as Attempt[]
}
