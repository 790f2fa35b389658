/** Sent messages as what comes back about them finds them, and what it changes in them. */
import { sql } from 'drizzle-orm'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { suppressing, type ToldSuppression } from '../suppressions.ts'
import { type Changed, made, makeChange, type NewEvent, newSeq, type Row } from './change.ts'
import { type Parties, type Recipient, SENT, type Tag } from './shapes.ts'

/** A sent message, as last read. */
export type SentMessage = {
  readonly account: AccountRef
  readonly id: string
  readonly createdAt: number
  readonly parties: Parties
  readonly subject: string
  readonly messageId: string | null
  readonly tags: Tag[]
  readonly recipients: Recipient[]
  /** The same as the row has it, letter by letter: a write holds only while it is unchanged. */
  readonly stored: string
}

/** What a report makes of a message. */
export type FeedbackChange = {
  recipients: Recipient[]
  lastEvent: string
  /** When the next attempt for those still open is due; null where none is. */
  due: number | null
  events: NewEvent[]
}

/** The sent message of an account that is open; undefined where either is gone. */
export async function findSent(
  stores: Stores,
  mailDb: string,
  account: number,
  id: string,
): Promise<SentMessage | undefined> {
  const [row] = await mailOf(stores, { mailDb }).all<Row>(
    sql`SELECT id, created_at, parties, subject, message_id, tags, recipients, account_id
      FROM messages JOIN counters USING (account)
      WHERE account = ${account} AND direction = ${SENT} AND id = ${id} AND state = 'active'`,
  )
  return row && asSent(row, { number: account, id: String(row.account_id), mailDb })
}

/** Writes it with its events, while the recipients are as they were read: undefined where they are not, and then nothing was written. */
export async function recordFeedback(
  stores: Stores,
  message: SentMessage,
  change: FeedbackChange & { now: number; token: string; suppressions: ToldSuppression[] },
): Promise<Changed | undefined> {
  const account = message.account.number
  const isMessage = sql`account = ${account} AND direction = ${SENT} AND id = ${message.id}`
  // The relay marks recipients without a step of the account's history, so it is they who are compared.
  const only = sql`EXISTS (SELECT 1 FROM messages WHERE ${isMessage} AND recipients = ${message.stored})`
  const { now, token, events, suppressions } = change
  const step = { account, now, token, only, events, steps: suppressions.length }
  const update = sql`UPDATE messages SET recipients = ${JSON.stringify(change.recipients)}, modseq = ${newSeq(step)},
    last_event = ${change.lastEvent}, due = CASE WHEN claim IS NULL THEN ${change.due} ELSE due END
    WHERE ${isMessage} AND ${made(step)}`
  return makeChange(mailOf(stores, message.account), step, [...suppressing(step, suppressions), update])
}

/** Only filing, the relay and the function above write these columns. */
function asSent(row: Row, account: AccountRef): SentMessage {
  const stored = String(row.recipients)
  return {
    account,
    id: String(row.id),
    createdAt: Number(row.created_at),
    parties: JSON.parse(String(row.parties)) as Parties,
    subject: String(row.subject),
    messageId: typeof row.message_id === 'string' ? row.message_id : null,
    tags: typeof row.tags === 'string' ? (JSON.parse(row.tags) as Tag[]) : [],
    recipients: JSON.parse(stored) as Recipient[],
    stored,
  }
}
