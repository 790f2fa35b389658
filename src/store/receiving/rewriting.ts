/** What a row says of a received message's bytes, written anew after they were read anew. */
import { type SQL, sql } from 'drizzle-orm'
import { type Change, type Changed, made, makeChange, type NewEvent, newSeq } from '../mail/change.ts'
import { capped, type NewMessage, orNull } from '../mail/filing.ts'
import type { Stamp } from '../mail/keeping.ts'
import type { StoredMessage } from '../mail/rows.ts'
import { RECEIVED } from '../mail/shapes.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** What is read out of the bytes, and neither names nor threads the message: by those it is known. */
export type Reading = Pick<
  NewMessage,
  'parties' | 'subject' | 'preview' | 'dated' | 'hasAttachment' | 'parts' | 'problems' | 'marks'
>

/**
 * Writes what was read and tells of it, in one change; id, bytes, mailbox, uid and keywords stay. Undefined where the
 * message has changed since it was read. `reading` is absent where nothing differs.
 */
export async function rewriteMessage(
  stores: Stores,
  account: AccountRef,
  message: StoredMessage,
  to: { reading?: Reading; events: readonly NewEvent[] },
  stamp: Stamp,
): Promise<Changed | undefined> {
  const { id, modseq, mailbox, uid } = message
  const keywords = Object.fromEntries(message.keywords.map((keyword) => [keyword, true]))
  const updated = { messages: [{ id, mailbox: mailbox.id, uid, keywords }] }
  const change: Change = {
    account: account.number,
    ...stamp,
    only: sql`EXISTS (SELECT 1 FROM messages WHERE ${keyOf(account, id)} AND modseq = ${modseq})`,
    events: [...(to.reading ? [{ type: 'message.updated', message: id, data: updated }] : []), ...to.events],
  }
  const writing = to.reading ? [rewrite(change, account, id, to.reading)] : []
  return makeChange(mailOf(stores, account), change, writing)
}

function rewrite(change: Change, account: AccountRef, id: string, reading: Reading): SQL {
  const { parties, subject, preview, dated, hasAttachment, parts, problems, marks } = reading
  return sql`UPDATE messages SET modseq = ${newSeq(change)}, parties = ${JSON.stringify(parties)}, subject = ${subject},
    preview = ${preview}, dated = ${dated}, has_attachment = ${hasAttachment ? 1 : 0}, parts = ${capped(parts)},
    problems = ${problems.length > 0 ? JSON.stringify(problems) : null}, marks = ${orNull(marks)}
    WHERE ${keyOf(account, id)} AND ${made(change)}`
}

function keyOf({ number }: AccountRef, id: string): SQL {
  return sql`account = ${number} AND direction = ${RECEIVED} AND id = ${id}`
}
