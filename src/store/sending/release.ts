/** Waiting mail becomes mail that is due: new bytes under a new key, in one guarded batch for many of an account. */
import { type SQL, sql } from 'drizzle-orm'
import type { Part } from '../../mail/mime/parts.ts'
import { type Change, type Changed, made, makeChange, type NewEvent, newSeq, type Row } from '../mail/change.ts'
import { MAX_JSON, type Recipient, SENT } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { noneSuppressed } from '../suppressions.ts'
import { type Member, noneUnsubscribed } from './unsubscribes.ts'
import type { Waiting } from './waiting.ts'

/** A mail to be released, with what its signed bytes say of themselves. */
export type Release = {
  readonly mail: Waiting
  readonly rawKey: string
  readonly size: number
  readonly dated: number | null
  readonly parts: Part | null
  readonly recipients: readonly Recipient[]
  readonly lastEvent: string
  /** When the first delivery is due; null where nobody is left to send to. */
  readonly due: number | null
  readonly event: NewEvent
  /** What else is told. */
  readonly told: readonly NewEvent[]
  /** Addresses, as `addressKey` writes them, none of which may be on the suppression list. */
  readonly clear: readonly string[]
  /** None of these may have left their list. */
  readonly members: readonly Member[]
}

/**
 * Releases all of them or none: undefined where one no longer waits as it was read, a recipient is on the suppression list or has left the mail's list,
 * or the day's sends do not hold them. Octets gained by the signature are let pass, because the mail was taken long ago.
 */
export async function releaseTogether(
  stores: Stores,
  account: AccountRef,
  releases: readonly Release[],
  stamp: { now: number; token: string },
): Promise<Changed | undefined> {
  const { number } = account
  const asRead = JSON.stringify(releases.map(({ mail }) => [mail.id, mail.scheduledAt, mail.rawKey]))
  const wait = sql`(SELECT COUNT(*) FROM json_each(${asRead}) AS r CROSS JOIN messages AS m
    ON m.account = ${number} AND m.direction = ${SENT} AND m.id = r.value ->> 0
    WHERE m.due IS NOT NULL AND m.scheduled_at = r.value ->> 1 AND m.raw_key = r.value ->> 2) = ${releases.length}`
  const clear = releases.flatMap((release) => release.clear)
  const events = [...releases.map(({ event }) => event), ...releases.flatMap(({ told }) => told)]
  const members = releases.flatMap((release) => release.members)
  const only = sql`${wait} AND ${noneSuppressed(number, clear)} AND ${noneUnsubscribed(number, members)}`
  const change: Change = { account: number, ...stamp, only, sends: clear.length, events }
  const gained = releases.reduce((sum, { size, mail }) => sum + size - mail.size, 0)
  return makeChange(mailOf(stores, account), change, [
    sql`UPDATE counters SET bytes = bytes + ${gained} WHERE account = ${number} AND ${made(change)}`,
    ...releases.map((release, at) => update(change, release, events.length - 1 - at)),
  ])
}

/** Which of the messages a row names by these raw keys, and which still wait. */
export async function findReleased(
  stores: Stores,
  account: AccountRef,
  ids: readonly string[],
): Promise<Map<string, { rawKey: string; scheduledAt: number | null; waits: boolean }>> {
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT m.id, m.raw_key, m.scheduled_at, m.due FROM json_each(${JSON.stringify(ids)}) AS r CROSS JOIN messages AS m
      ON m.account = ${account.number} AND m.direction = ${SENT} AND m.id = r.value`,
  )
  return new Map(
    rows.map((row) => {
      const scheduledAt = row.scheduled_at === null ? null : Number(row.scheduled_at)
      const waits = scheduledAt !== null && row.due !== null
      return [String(row.id), { rawKey: String(row.raw_key), scheduledAt, waits }]
    }),
  )
}

/** `later` is how many of the change's steps come after its own. The bytes under a uid must never change, so it enters its mailbox anew. */
function update(change: Change, release: Release, later: number): SQL {
  const { mail, parts } = release
  const seq = sql`${newSeq(change)} - ${later}`
  const tree = JSON.stringify(parts)
  // A part tree too large for a row is left out, and read from the raw bytes when it is wanted.
  const kept = parts === null || tree.length > MAX_JSON ? null : tree
  return sql`UPDATE messages SET scheduled_at = NULL, claim = NULL, claimed_until = NULL, due = ${release.due},
      last_event = ${release.lastEvent}, recipients = ${JSON.stringify(release.recipients)},
      raw_key = ${release.rawKey}, size = ${release.size}, dated = ${release.dated}, parts = ${kept},
      uid = ${seq}, modseq = ${seq}
    WHERE account = ${change.account} AND direction = ${SENT} AND id = ${mail.id} AND ${made(change)}`
}
