/** Sent messages as submission leaves them: raw bytes, a row that is due. And what became of them. */
import { sql } from 'drizzle-orm'
import { utf8 } from '../../src/base/bytes.ts'
import { type Context, newId } from '../../src/context.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { fileMessage } from '../../src/store/mail/filing.ts'
import { type Recipient, SENT, SENT_BOX } from '../../src/store/mail/shapes.ts'
import { putRaw, rawKey } from '../../src/store/objects.ts'
import type { AccountRef } from '../../src/store/stores.ts'

type Given = { from?: string; sender?: string; raw?: string | Uint8Array; due?: number; bcc?: string[] }

/** Stores a message to these recipients; answers its id. */
export async function putOutbox(ctx: Context, account: AccountRef, to: string[], given: Given = {}): Promise<string> {
  const id = newId(ctx)
  const from = given.from ?? 'hello@sender.test'
  const text = given.raw ?? `From: ${from}\r\nMessage-ID: <${id}@sender.test>\r\n\r\nHello.\r\n.dot\r\n`
  const bytes = typeof text === 'string' ? utf8(text) : text
  const key = rawKey(account.number, id, 1, 'x')
  await putRaw(ctx.stores, key, bytes, bytes.length)
  const now = ctx.now()
  const due = given.due ?? now
  const filed = await fileMessage(ctx.stores, account, {
    now,
    token: `file ${id}`,
    events: [{ type: 'email.queued', message: id, data: {} }],
    message: {
      id,
      direction: SENT,
      createdAt: now,
      mailbox: SENT_BOX,
      keywords: ['$seen'],
      msgidHash: id,
      dedupe: id,
      messageId: `${id}@sender.test`,
      references: [],
      thread: id,
      sender: given.sender ?? from,
      recipient: null,
      address: null,
      tag: null,
      parties: { from: [from], to, cc: [], bcc: given.bcc ?? [], reply_to: [] },
      subject: 'Hello',
      preview: '',
      dated: now,
      size: bytes.length,
      hasAttachment: false,
      parts: null,
      rawKey: key,
      verdicts: null,
      problems: [],
      marks: null,
      tags: [{ name: 'kind', value: 'test' }],
      recipients: to.map((address) => ({ address, state: 'queued', attempts: 0, due, updatedAt: now })),
      lastEvent: 'queued',
      due,
    },
  })
  if (!filed) throw new Error('the message was not filed')
  return id
}

export type Stored = {
  recipients: Recipient[]
  last_event: string
  due: number | null
  claim: string | null
  claimed_until: number | null
  relay: string | null
  modseq: number
}

export async function readOutbox(ctx: Context, account: AccountRef, id: string): Promise<Stored> {
  const [row] = await ctx.stores.directory.all<Stored & { recipients: string }>(
    sql`SELECT recipients, last_event, due, claim, claimed_until, relay, modseq FROM messages
      WHERE account = ${account.number} AND direction = ${SENT} AND id = ${id}`,
  )
  if (!row) throw new Error('no such message')
  return { ...row, recipients: JSON.parse(row.recipients) }
}

/** What the account's history says after the filing: type and data of each event. */
export async function eventsOf(
  ctx: Context,
  account: AccountRef,
): Promise<{ seq: number; type: string; data: Record<string, unknown> }[]> {
  const rows = await ctx.stores.directory.all<{ seq: number; type: string; data: string }>(
    sql`SELECT seq, type, data FROM events WHERE account = ${account.number} AND type <> 'email.queued' ORDER BY seq`,
  )
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) }))
}

export async function run(ctx: Context, statement: ReturnType<typeof sql>): Promise<void> {
  await runBatch(ctx.stores.directory, [statement])
}
