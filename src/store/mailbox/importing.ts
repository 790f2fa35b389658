/** Messages that are brought in from elsewhere: what is there already, and many made to exist in one batch. */
import { sql } from 'drizzle-orm'
import { type Change, type Changed, makeChange, type Row } from '../mail/change.ts'
import { gained, insertMessage, type NewMessage } from '../mail/filing.ts'
import type { Stamp } from '../mail/keeping.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** A message as it may be known: by its hashes, or by the id that it had here. */
export type Known = Pick<NewMessage, 'msgidHash' | 'dedupe'> & { id?: string }

/** The places of those that the account has. */
export async function findKnown(stores: Stores, account: AccountRef, wanted: readonly Known[]): Promise<Set<number>> {
  const keys = JSON.stringify(wanted.map(({ msgidHash, dedupe, id }) => [msgidHash, dedupe, id ?? '']))
  const { number } = account
  const rows = await mailOf(stores, account).all<Row>(
    sql`SELECT k.key AS place FROM json_each(${keys}) AS k WHERE EXISTS (SELECT 1 FROM messages INDEXED BY messages_msgid
        WHERE account = ${number} AND msgid_hash = k.value ->> 0 AND dedupe = k.value ->> 1)
      OR EXISTS (SELECT 1 FROM messages WHERE account = ${number} AND direction IN (0, 1) AND id = k.value ->> 2)`,
  )
  return new Set(rows.map(({ place }) => Number(place)))
}

/** Files them, all or none, with one event that names all; undefined where one is there already, the mailbox is gone or the storage is full. */
export async function fileImported(
  stores: Stores,
  account: AccountRef,
  messages: readonly NewMessage[],
  mailbox: { number: number; id: string },
  stamp: Stamp,
): Promise<Changed | undefined> {
  const { number } = account
  const hashes = JSON.stringify(messages.map(({ msgidHash, dedupe }) => [msgidHash, dedupe]))
  const change: Change = {
    account: number,
    ...stamp,
    only: sql`EXISTS (SELECT 1 FROM mailboxes WHERE account = ${number} AND number = ${mailbox.number})
      AND NOT EXISTS (SELECT 1 FROM json_each(${hashes}) AS h CROSS JOIN messages AS m
        ON m.account = ${number} AND m.msgid_hash = h.value ->> 0 AND m.dedupe = h.value ->> 1)`,
    boxes: gained([...messages]),
    bytes: messages.reduce((sum, { size }) => sum + size, 0),
    messages: messages.length,
    events: [],
    steps: messages.length,
  }
  const told = JSON.stringify({ messages: messages.map(({ id }) => ({ id, mailbox: mailbox.id, imported: true })) })
  return makeChange(mailOf(stores, account), change, [
    sql`INSERT INTO events (account, seq, type, message, data, created_at)
      SELECT account, seq, 'message.created', NULL, ${told}, ${stamp.now}
      FROM counters WHERE account = ${number} AND change = ${stamp.token}`,
    ...messages.map((message, at) => insertMessage(message, change, messages.length - 1 - at)),
  ])
}
