/** Copies of messages: rows of their own that name bytes of their own, made out of the rows they copy. */
import { sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { type Change, type Changed, made, makeChange, newSeq } from '../mail/change.ts'
import type { Stamp } from '../mail/keeping.ts'
import type { HeldMessage } from '../mail/rows.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** What is to exist: the copy's id and the key of its bytes, which are stored already. */
export type Copy = { of: HeldMessage; id: string; rawKey: string }

/** Makes the copies, all or none; undefined where a message has changed since, the mailbox is gone or the storage is full. Nothing of a copy is ever delivered. */
export async function fileCopies(
  stores: Stores,
  account: AccountRef,
  copies: readonly Copy[],
  mailbox: { number: number; id: string },
  stamp: Stamp,
  keeping?: Keeping,
): Promise<Changed | undefined> {
  const { number } = account
  const rows = JSON.stringify(
    copies.map(({ of, id, rawKey }, at) => [of.direction, of.id, id, rawKey, copies.length - 1 - at, of.modseq]),
  )
  const there = sql`(SELECT COUNT(*) FROM json_each(${rows}) AS r CROSS JOIN messages AS m ON m.account = ${number}
      AND m.direction = r.value ->> 0 AND m.id = r.value ->> 1 WHERE m.modseq = r.value ->> 5) = ${copies.length}
    AND EXISTS (SELECT 1 FROM mailboxes WHERE account = ${number} AND number = ${mailbox.number})`
  const change: Change = {
    account: number,
    ...stamp,
    only: keeping ? sql`${there} AND ${notAnswered(number, keeping.once, stamp.now)}` : there,
    boxes: [
      {
        mailbox: mailbox.number,
        messages: copies.length,
        unread: copies.filter(({ of }) => !of.keywords.includes('$seen')).length,
      },
    ],
    bytes: copies.reduce((sum, { of }) => sum + of.size, 0),
    messages: copies.length,
    events: [],
    steps: copies.length,
  }
  const told = copies.map(({ of, id }) => ({ id, mailbox: mailbox.id, copy_of: of.id }))
  const only = copies.length === 1 ? (copies[0]?.id ?? null) : null
  return makeChange(mailOf(stores, account), change, [
    ...(keeping ? [keepAnswer(number, keeping.once, stamp.now, keeping.status, keeping.answer, made(change))] : []),
    sql`INSERT INTO events (account, seq, type, message, data, created_at)
      SELECT account, seq, 'message.created', ${only}, ${JSON.stringify({ messages: told })}, ${stamp.now}
      FROM counters WHERE account = ${number} AND change = ${stamp.token}`,
    sql`INSERT INTO messages (account, direction, id, created_at, mailbox, uid, filed, modseq, keywords, thread, msgid_hash,
        dedupe, message_id, sender, recipient, address, tag, parties, subject, preview, dated, size, has_attachment, parts,
        raw_key, verdicts, problems, marks, tags)
      SELECT m.account, m.direction, r.value ->> 2, m.created_at, ${mailbox.number}, ${newSeq(change)} - (r.value ->> 4),
        ${newSeq(change)} - (r.value ->> 4), ${newSeq(change)}, m.keywords, m.thread, m.msgid_hash, r.value ->> 2,
        m.message_id, m.sender, m.recipient, m.address, m.tag, m.parties, m.subject, m.preview, m.dated, m.size,
        m.has_attachment, m.parts, r.value ->> 3, m.verdicts, m.problems, m.marks, m.tags
      FROM json_each(${rows}) AS r CROSS JOIN messages AS m ON m.account = ${number} AND m.direction = r.value ->> 0
        AND m.id = r.value ->> 1 WHERE ${made(change)}`,
  ])
}
