/** Deliveries that are owed: found by the sweep, claimed before anything is tried, and settled only by whoever holds the claim. */
import { type SQL, sql } from 'drizzle-orm'
import { type AccountRef, type Database, mailOf, type Stores } from '../stores.ts'
import { suppressing, type ToldSuppression } from '../suppressions.ts'
import { type Changed, made, makeChanges, type NewEvent, newSeq, type Row, runBatch } from './change.ts'
import { type Parties, type Recipient, type RecipientState, SENT, type Tag } from './shapes.ts'

/** A claim on sent messages: its token, when it was made, and until when it holds (ms). */
export type Claim = { readonly token: string; readonly now: number; readonly until: number }

/** Clocks differ: what was just sent must not seem to lie in the future to whoever is woken for it, and wait for the next tick. */
const CLOCK_SKEW_MS = 2000

/** A message that is ours to deliver. */
export type Held = {
  readonly account: AccountRef
  readonly id: string
  readonly createdAt: number
  /** The reverse path as it was submitted; '' for the null path. */
  readonly sender: string
  /** The address of ours in whose name it goes, where that is not its From: mail that came, and is sent on. */
  readonly address: string | null
  readonly parties: Parties
  readonly subject: string
  readonly messageId: string | null
  readonly tags: Tag[]
  readonly rawKey: string
  readonly size: number
  readonly claim: Claim
  /** As last read; those whose `begun` is the claim's `now` are ours to try. */
  recipients: Recipient[]
  /** The same as the row has it, letter by letter: a write holds only while it is unchanged. */
  stored: string
}

/** What becomes of a held message's recipients. */
export type Settling = {
  readonly held: Held
  readonly recipients: Recipient[]
  readonly stored: string
  readonly lastEvent: string
  /** The relay that took it, where one did. */
  readonly relay?: string
  /** Present once nothing is left to try under this claim: it is given back, and this is when the next attempt is due. */
  readonly release?: { due: number | null }
}

/**
 * Claims what is due among these messages of one database, in one statement, and marks every recipient that is due as begun.
 * Counted when claimed, so a crash in the middle still counts as a try; one that finds the mark of a lapsed claim is unknown from then on.
 */
export async function claimDeliveries(
  stores: Stores,
  wanted: { account: AccountRef; id: string }[],
  claim: Claim,
): Promise<Held[]> {
  const [first] = wanted
  if (!first) return []
  const accounts = new Map(wanted.map(({ account }) => [account.number, account]))
  const soon = claim.now + CLOCK_SKEW_MS
  const keys = JSON.stringify(wanted.map(({ account, id }) => [account.number, SENT, id]))
  const rows = await mailOf(stores, first.account).all<Row>(
    sql`UPDATE messages SET claim = ${claim.token}, claimed_until = ${claim.until}, recipients = ${begun(claim.now, soon)}
      WHERE ${among(keys)} AND ${isOwed(claim.now, soon)} RETURNING account, id, created_at, sender, address, parties, subject,
        message_id, tags, raw_key, size, recipients`,
  )
  return rows.flatMap((row) => {
    const account = accounts.get(Number(row.account))
    return account ? [asHeld(row, account, claim)] : []
  })
}

/** Lets the claim hold longer on those of the messages that still carry it; one row written for each of these. */
export async function extendClaims(
  stores: Stores,
  helds: readonly Held[],
  token: string,
  until: number,
): Promise<void> {
  for (const [mailDb, some] of Map.groupBy(helds, ({ account }) => account.mailDb)) {
    const keys = JSON.stringify(some.map(({ account, id }) => [account.number, SENT, id]))
    await mailOf(stores, { mailDb }).run(
      sql`UPDATE messages SET claimed_until = ${until} WHERE ${among(keys)} AND claim = ${token}`,
    )
  }
}

/**
 * Settles several messages, each whole or not at all: counters, events, suppressions, and last the message, while our claim stands and its
 * recipients are as we read them. Undefined where that was not so: read it again. An error in any undoes them all.
 */
export async function settleDeliveries(
  db: Database,
  now: number,
  settlings: (Settling & { token: string; events: NewEvent[]; suppressions: ToldSuppression[] })[],
): Promise<(Changed | undefined)[]> {
  return makeChanges(
    db,
    settlings.map((settling) => {
      const { held, token, events, suppressions } = settling
      const account = held.account.number
      const only = sql`EXISTS (SELECT 1 FROM messages WHERE ${isHeld(held)})`
      const change = { account, now, token, only, events, steps: suppressions.length, afterTheFact: true }
      const update = sql`UPDATE messages SET modseq = ${newSeq(change)}, last_event = ${settling.lastEvent},
        relay = COALESCE(${settling.relay ?? null}, relay), ${outcome(settling)}
        WHERE ${isMessage(held)} AND ${made(change)}`
      return { change, others: [...suppressing(change, suppressions), update] }
    }),
  )
}

/** Gives claims back under which nothing was tried. That changes nothing that anybody sees, so it takes no seq. Answers which were given back. */
export async function giveBack(db: Database, settlings: Settling[]): Promise<boolean[]> {
  const answers = await runBatch(
    db,
    settlings.map((settling) => {
      return sql`UPDATE messages SET ${outcome(settling)} WHERE ${isHeld(settling.held)} RETURNING id`
    }),
  )
  return answers.map((rows) => rows.length > 0)
}

/** Reads the recipients of held messages again. Answers, in their order, whether each is still ours, and whether its account has listeners. */
export async function rereadHeld(db: Database, helds: Held[]): Promise<{ ours: boolean; listeners: number }[]> {
  const keys = JSON.stringify(helds.map(({ account, id }) => [account.number, SENT, id]))
  const rows = await db.all<Row>(
    sql`SELECT account, id, claim, recipients,
        (SELECT listeners FROM counters WHERE counters.account = messages.account) AS listeners
      FROM messages WHERE ${among(keys)}`,
  )
  const found = new Map(rows.map((row) => [`${row.account} ${row.id}`, row]))
  return helds.map((held) => {
    const row = found.get(`${held.account.number} ${held.id}`)
    if (row?.claim === held.claim.token) {
      held.stored = String(row.recipients)
      held.recipients = asRecipients(held.stored)
    }
    return { ours: row?.claim === held.claim.token, listeners: Number(row?.listeners ?? 0) }
  })
}

/** What is owed in one database, the longest due first: what wake-ups may have been lost for, and whose claims have lapsed. */
export async function findOwed(
  stores: Stores,
  mailDb: string,
  now: number,
  limit: number,
): Promise<{ account: AccountRef; id: string }[]> {
  const rows = await mailOf(stores, { mailDb }).all<Row>(
    sql`SELECT account, id, (SELECT account_id FROM counters WHERE counters.account = messages.account) AS account_id
      FROM messages WHERE ${isOwed(now, now)} ORDER BY due LIMIT ${limit}`,
  )
  return rows.map((row) => ({
    account: { number: Number(row.account), id: String(row.account_id), mailDb },
    id: String(row.id),
  }))
}

/** From the least to the most that can be said of a message: news of trouble with one recipient outweighs good news of another. */
const LADDER: readonly { state: RecipientState; event: string }[] = [
  { state: 'queued', event: 'queued' },
  { state: 'deferred', event: 'delivery_delayed' },
  { state: 'sent', event: 'sent' },
  { state: 'delivered', event: 'delivered' },
  { state: 'canceled', event: 'canceled' },
  { state: 'suppressed', event: 'suppressed' },
  { state: 'failed', event: 'failed' },
  { state: 'bounced', event: 'bounced' },
  { state: 'complained', event: 'complained' },
]

/** The one word that lists show of a sent message, out of the states of all its recipients. */
export function lastEventOf(recipients: readonly Pick<Recipient, 'state'>[]): string {
  const states = new Set(recipients.map(({ state }) => state))
  return LADDER.findLast(({ state }) => states.has(state))?.event ?? 'queued'
}

/** Due, claimed by nobody, and of an account that is open: what is sent for a closing one could not be recorded. */
function isOwed(now: number, due: number): SQL {
  return sql`due <= ${due} AND (claimed_until IS NULL OR claimed_until < ${now}) AND scheduled_at IS NULL
    AND EXISTS (SELECT 1 FROM counters WHERE counters.account = messages.account AND state = 'active')`
}

function among(keys: string): SQL {
  return sql`(account, direction, id) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${keys}))`
}

function begun(now: number, due: number): SQL {
  // D1 binds numbers as REAL, which JSON would show with a fraction.
  const stamp = sql`CAST(${now} AS INTEGER)`
  const tried = sql`json_set(value, '$.begun', ${stamp}, '$.attempts', COALESCE(value ->> 'attempts', 0) + 1)`
  const marked = sql`CASE WHEN value ->> 'begun' IS NULL THEN ${tried} ELSE json_set(${tried}, '$.unknown', json('true')) END`
  const isDue = sql`value ->> 'state' IN ('queued', 'deferred') AND COALESCE(value ->> 'due', 0) <= ${due}`
  return sql`(SELECT json_group_array(json(recipient)) FROM
    (SELECT CASE WHEN ${isDue} THEN ${marked} ELSE value END AS recipient FROM json_each(messages.recipients) ORDER BY key))`
}

function outcome({ stored, release }: Settling): SQL {
  return release
    ? sql`recipients = ${stored}, claim = NULL, claimed_until = NULL, due = ${release.due}`
    : sql`recipients = ${stored}`
}

function isMessage({ account, id }: Held): SQL {
  return sql`account = ${account.number} AND direction = ${SENT} AND id = ${id}`
}

function isHeld(held: Held): SQL {
  return sql`${isMessage(held)} AND claim = ${held.claim.token} AND recipients = ${held.stored}`
}

function asHeld(row: Row, account: AccountRef, claim: Claim): Held {
  const stored = String(row.recipients)
  return {
    account,
    id: String(row.id),
    createdAt: Number(row.created_at),
    sender: String(row.sender),
    address: typeof row.address === 'string' ? row.address : null,
    parties: asParties(String(row.parties)),
    subject: String(row.subject),
    messageId: typeof row.message_id === 'string' ? row.message_id : null,
    tags: typeof row.tags === 'string' ? asTags(row.tags) : [],
    rawKey: String(row.raw_key),
    size: Number(row.size),
    claim,
    recipients: asRecipients(stored),
    stored,
  }
}

/** Only filing and the functions above write this column. */
function asRecipients(json: string): Recipient[] {
  return JSON.parse(json) as Recipient[]
}

/** Only filing writes this column. */
function asParties(json: string): Parties {
  return JSON.parse(json) as Parties
}

/** Only filing writes this column. */
function asTags(json: string): Tag[] {
  return JSON.parse(json) as Tag[]
}
