/** Sent mail that waits for its time: called off, given another time, or claimed to be released. It waits while it has both a time and a due. */
import { type SQL, sql } from 'drizzle-orm'
import { type Change, type Changed, made, makeChange, type NewEvent, newSeq, type Row } from '../mail/change.ts'
import { fromColumn } from '../mail/rows.ts'
import { type Parties, type Recipient, SENT, type Tag } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** A mail as it waited when it was read. */
export type Waiting = {
  readonly account: AccountRef
  readonly id: string
  readonly createdAt: number
  readonly parties: Parties
  readonly subject: string
  readonly messageId: string | null
  readonly tags: Tag[]
  readonly recipients: Recipient[]
  readonly lastEvent: string
  readonly rawKey: string
  readonly size: number
  /** ms since 1970. */
  readonly scheduledAt: number
}

/** Waiting mail that is ours to release, and the account's sends for the day: how many in all and how many are left; null is no limit. */
export type Due = Waiting & { readonly sends: { readonly perDay: number; readonly left: number } | null }

/** What a waiting mail is to become; `due` null ends the wait. */
export type Turn = {
  readonly scheduledAt: number
  readonly due: number | null
  readonly lastEvent: string
  /** Where they change. */
  readonly recipients?: readonly Recipient[]
  readonly events: NewEvent[]
}

/** Claims mail whose time has come, the longest waiting first, of accounts that are open. The claim only keeps others from doing the same work. */
export async function claimDue(
  stores: Stores,
  mailDb: string,
  claim: { token: string; now: number; until: number; limit: number },
): Promise<Due[]> {
  const { token, now, until, limit } = claim
  const of = (column: SQL) => sql`(SELECT ${column} FROM counters WHERE counters.account = messages.account)`
  const today = sql`CASE WHEN day = ${Math.floor(now / 86_400_000)} THEN sent ELSE 0 END`
  const rows = await mailOf(stores, { mailDb }).all<Row>(
    sql`UPDATE messages SET claim = ${token}, claimed_until = ${until} WHERE (account, direction, id) IN
        (SELECT account, direction, id FROM messages INDEXED BY messages_due
          WHERE due <= ${now} AND scheduled_at IS NOT NULL AND (claimed_until IS NULL OR claimed_until < ${now})
            AND EXISTS (SELECT 1 FROM counters WHERE counters.account = messages.account AND state = 'active')
          ORDER BY due, account, direction, id LIMIT ${limit})
      RETURNING account, ${of(sql`account_id`)} AS account_id, id, created_at, parties, subject, message_id, tags,
        recipients, last_event, raw_key, size, scheduled_at, ${of(sql`sends_per_day`)} AS per_day, ${of(today)} AS sent`,
  )
  // RETURNING keeps no order, and what waited longest comes first for the day's sends.
  return rows.map((row) => asDue(row, mailDb)).sort((a, b) => a.scheduledAt - b.scheduledAt || (a.id < b.id ? -1 : 1))
}

/** Makes the turn, while the mail waits for the time that was read; undefined where it does not, and then nothing was written. */
export async function turnWaiting(
  stores: Stores,
  account: AccountRef,
  mail: Pick<Waiting, 'id' | 'scheduledAt'>,
  turn: Turn,
  stamp: { now: number; token: string },
): Promise<Changed | undefined> {
  const isMessage = sql`account = ${account.number} AND direction = ${SENT} AND id = ${mail.id}`
  const only = sql`EXISTS (SELECT 1 FROM messages WHERE ${isMessage} AND due IS NOT NULL AND scheduled_at = ${mail.scheduledAt})`
  const change: Change = { account: account.number, ...stamp, only, events: turn.events }
  const recipients = turn.recipients ? sql`, recipients = ${JSON.stringify(turn.recipients)}` : sql``
  const update = sql`UPDATE messages SET scheduled_at = ${turn.scheduledAt}, due = ${turn.due}, last_event = ${turn.lastEvent},
      modseq = ${newSeq(change)}, claim = NULL, claimed_until = NULL${recipients}
    WHERE ${isMessage} AND ${made(change)}`
  return makeChange(mailOf(stores, account), change, [update])
}

function asDue(row: Row, mailDb: string): Due {
  const perDay = row.per_day === null ? null : Number(row.per_day)
  return {
    account: { number: Number(row.account), id: String(row.account_id), mailDb },
    id: String(row.id),
    createdAt: Number(row.created_at),
    parties: fromColumn<Parties>(row.parties) ?? { from: [], to: [], cc: [], bcc: [], reply_to: [] },
    subject: String(row.subject),
    messageId: typeof row.message_id === 'string' ? row.message_id : null,
    tags: fromColumn<Tag[]>(row.tags) ?? [],
    recipients: fromColumn<Recipient[]>(row.recipients) ?? [],
    lastEvent: String(row.last_event),
    rawKey: String(row.raw_key),
    size: Number(row.size),
    scheduledAt: Number(row.scheduled_at),
    sends: perDay === null ? null : { perDay, left: perDay - Number(row.sent) },
  }
}
