/** A draft is written anew: other bytes under the same id. */
import { sql } from 'drizzle-orm'
import { type Change, type Changed, made, makeChange, newSeq } from '../mail/change.ts'
import type { NewMessage } from '../mail/filing.ts'
import type { Stamp } from '../mail/keeping.ts'
import type { StoredMessage } from '../mail/rows.ts'
import { MAX_JSON } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** What of a draft changes with its bytes. */
export type Rewritten = Pick<
  NewMessage,
  | 'msgidHash'
  | 'messageId'
  | 'sender'
  | 'parties'
  | 'subject'
  | 'preview'
  | 'dated'
  | 'size'
  | 'hasAttachment'
  | 'parts'
  | 'problems'
  | 'marks'
  | 'tags'
  | 'rawKey'
>

/** Puts other bytes in a draft's place. The bytes under a uid never change, so it enters its mailbox anew. Undefined where it has changed since, or the storage is full. */
export async function replaceDraft(
  stores: Stores,
  account: AccountRef,
  draft: StoredMessage,
  written: Rewritten,
  stamp: Stamp,
): Promise<Changed | undefined> {
  const { number } = account
  const key = sql`account = ${number} AND direction = ${draft.direction} AND id = ${draft.id}`
  const change: Change = {
    account: number,
    ...stamp,
    only: sql`EXISTS (SELECT 1 FROM messages WHERE ${key} AND modseq = ${draft.modseq})`,
    bytes: written.size - draft.size,
    events: [],
  }
  const from = { mailbox: draft.mailbox.id, uid: draft.uid }
  const told = JSON.stringify({ messages: [{ id: draft.id, mailbox: draft.mailbox.id, from }] })
  const tree = written.parts === null ? null : JSON.stringify(written.parts)
  return makeChange(mailOf(stores, account), change, [
    sql`INSERT INTO events (account, seq, type, message, data, created_at)
      SELECT account, seq, 'message.replaced', ${draft.id}, json_set(${told}, '$.messages[0].uid', seq), ${stamp.now}
      FROM counters WHERE account = ${number} AND change = ${stamp.token}`,
    sql`UPDATE messages SET uid = ${newSeq(change)}, modseq = ${newSeq(change)}, msgid_hash = ${written.msgidHash},
        message_id = ${written.messageId}, sender = ${written.sender}, parties = ${JSON.stringify(written.parties)},
        subject = ${written.subject}, preview = ${written.preview}, dated = ${written.dated}, size = ${written.size},
        has_attachment = ${written.hasAttachment ? 1 : 0}, parts = ${tree !== null && tree.length > MAX_JSON ? null : tree},
        problems = ${written.problems.length > 0 ? JSON.stringify(written.problems) : null},
        marks = ${written.marks === null ? null : JSON.stringify(written.marks)},
        tags = ${written.tags.length > 0 ? JSON.stringify(written.tags) : null}, raw_key = ${written.rawKey}
      WHERE ${key} AND ${made(change)}`,
  ])
}
