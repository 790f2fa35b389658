/** Mail at rest, for tests: filed as reception and submission file it, without their doors. */
import { type SQL, sql } from 'drizzle-orm'
import { utf8 } from '../../src/base/bytes.ts'
import { type Caller, newId, newToken } from '../../src/context.ts'
import { describeMime } from '../../src/record/described.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { fileMessage, type NewMessage } from '../../src/store/mail/filing.ts'
import { INBOX, RECEIVED, SENT, SENT_BOX } from '../../src/store/mail/shapes.ts'
import { putRaw, rawKey } from '../../src/store/objects.ts'
import { mailOf } from '../../src/store/stores.ts'

/** A plain mail; header lines may be added in front. */
export function plain(subject: string, ...headers: string[]): string {
  return [
    ...headers,
    'From: Ann <ann@far.test>',
    'To: hello@near.test',
    `Subject: ${subject}`,
    'Date: Mon, 23 Nov 2026 10:00:00 +0000',
    '',
    `This is ${subject}.`,
    '',
  ].join('\r\n')
}

/** Files a message and answers its id. */
export async function file(
  ctx: Caller,
  mime: string | Uint8Array,
  more: Partial<NewMessage> & { sent?: boolean } = {},
): Promise<string> {
  const { sent = false, ...given } = more
  const bytes = typeof mime === 'string' ? utf8(mime) : mime
  const id = newId(ctx)
  const key = rawKey(ctx.account.number, id, 0, newToken(ctx))
  await putRaw(ctx.stores, key, bytes, bytes.length)
  const message: NewMessage = {
    ...(await describeMime(bytes, { account: ctx.account.number, id })),
    id,
    direction: sent ? SENT : RECEIVED,
    createdAt: ctx.now(),
    mailbox: sent ? SENT_BOX : INBOX,
    keywords: sent ? ['$seen'] : [],
    dedupe: id,
    sender: sent ? 'hello@near.test' : 'ann@far.test',
    recipient: sent ? null : 'hello+news@near.test',
    address: sent ? null : 'hello@near.test',
    tag: sent ? null : 'news',
    rawKey: key,
    verdicts: null,
    tags: [],
    recipients: sent ? [] : null,
    lastEvent: sent ? 'queued' : null,
    due: null,
    ...given,
  }
  const filed = await fileMessage(ctx.stores, ctx.account, {
    message,
    now: ctx.now(),
    token: newToken(ctx),
    events: [],
  })
  if (!filed) throw new Error('the message was not filed')
  return id
}

/** What the counters say of a mailbox, and what its rows say: the two must be the same. */
export async function countsOf(ctx: Caller, mailbox: number) {
  const [row] = await mailOf(ctx.stores, ctx.account).all<Record<string, number | null>>(
    sql`SELECT c.boxes ->> ${`$."${mailbox}"[0]`} AS messages, c.boxes ->> ${`$."${mailbox}"[1]`} AS unread,
        (SELECT COUNT(*) FROM messages m WHERE m.account = c.account AND m.mailbox = ${mailbox}) AS rows,
        (SELECT COUNT(*) FROM messages m WHERE m.account = c.account AND m.mailbox = ${mailbox}
          AND m.keywords ->> '$."$seen"' IS NULL) AS unseen
      FROM counters c WHERE c.account = ${ctx.account.number}`,
  )
  return { messages: row?.messages ?? 0, unread: row?.unread ?? 0, rows: row?.rows, unseen: row?.unseen }
}

/** The account's history from a step on. */
export async function eventsOf(ctx: Caller, type: string): Promise<{ seq: number; data: Record<string, unknown> }[]> {
  const rows = await mailOf(ctx.stores, ctx.account).all<{ seq: number; data: string }>(
    sql`SELECT seq, data FROM events WHERE account = ${ctx.account.number} AND type = ${type} ORDER BY seq`,
  )
  return rows.map(({ seq, data }) => ({ seq, data: JSON.parse(data) }))
}

/** Rows without bytes, so that many are there quickly; counted as if they had been filed. Answers their ids, oldest first. */
export async function fillMailbox(ctx: Caller, mailbox: number, count: number, keywords = '{}'): Promise<string[]> {
  const { number } = ctx.account
  const db = mailOf(ctx.stores, ctx.account)
  const at = (n: SQL) => sql`printf('%012x', ${ctx.now()} + ${n})`
  await runBatch(db, [
    sql`WITH RECURSIVE mail(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM mail WHERE n < ${count})
      INSERT INTO messages (account, direction, id, created_at, mailbox, uid, modseq, keywords, thread, msgid_hash, dedupe,
        sender, recipient, address, parties, subject, preview, size, has_attachment, parts, raw_key)
      SELECT ${number}, 0, substr(${at(sql`n`)}, 1, 8) || '-' || substr(${at(sql`n`)}, 9, 4) || '-7000-8000-' || printf('%012d', ${number}),
        ${ctx.now()} + n, ${mailbox}, n, n, ${keywords}, 'thread-' || (n / 10), 'hash' || n, 'd', 'a@b.test', 'x@y.test', 'x@y.test',
        '{"from":["Ann <a@b.test>"],"to":[],"cc":[],"bcc":[],"reply_to":[]}', 'subject', 'preview', 1, 0, NULL, 'key' || n
      FROM mail`,
    sql`UPDATE counters SET seq = seq + ${count}, bytes = bytes + ${count}, messages = messages + ${count},
      boxes = json_set(boxes, ${`$."${mailbox}"`}, json_array(CAST(${count} AS INTEGER), CAST(${count} AS INTEGER)))
      WHERE account = ${number}`,
    sql`INSERT INTO events (account, seq, type, data, created_at)
      SELECT account, seq, 'message.created', '{"messages":[]}', ${ctx.now()} FROM counters WHERE account = ${number}`,
  ])
  const rows = await db.all<{ id: string }>(sql`SELECT id FROM messages WHERE account = ${number} ORDER BY id`)
  return rows.map(({ id }) => id)
}
