/** Recipients leave lists, by the links in their mail; and what the sender sees of it. */
import { notFound } from '../base/problem.ts'
import { type Caller, type Context, newToken } from '../context.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import { addressKey, parseAddress } from '../mail/address.ts'
import { isoTime, sentMailEvent } from '../record/email-event.ts'
import { listOf } from '../record/page.ts'
import { type Leaving, readUnsubscribeToken } from '../record/unsubscribe-link.ts'
import type { NewEvent } from '../store/mail/change.ts'
import { findMessage } from '../store/mail/reading.ts'
import { SENT } from '../store/mail/shapes.ts'
import {
  addUnsubscribe,
  findUnsubscribed,
  listUnsubscribes as listRows,
  removeUnsubscribe as removeRow,
  type Unsubscribe,
} from '../store/sending/unsubscribes.ts'
import { nothingStored, settle } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'

/** Whom a link is about, and which list he would leave. Changes nothing. @throws Problem not_found. */
export async function readLeaving(ctx: Context, token: string): Promise<{ list: string; email: string }> {
  const { list, email } = (await find(ctx, token)).leaving
  return { list, email }
}

/** Notes that somebody leaves a list, once however often he says so. @throws Problem not_found. */
export async function leave(ctx: Context, token: string): Promise<{ list: string; email: string }> {
  const { leaving, account } = await find(ctx, token)
  const { list, email } = leaving
  const has = async () => (await findUnsubscribed(ctx.stores, account, [{ list, email }])).length > 0
  const event = await leftEvent(ctx, account, leaving)
  const left: Unsubscribe = { list, email, source: leaving.message, createdAt: ctx.now() }
  const changed = await settle<{ listeners: number } | undefined>(
    () => addUnsubscribe(ctx.stores, account, left, event, newToken(ctx)),
    async () => ((await has()) ? { listeners: 1 } : undefined),
  )
  if (changed && changed.listeners > 0) ctx.wake.webhooks(account)
  if (!changed && !(await has())) throw nothingStored()
  return { list, email }
}

/** Who has left a list. */
export async function listUnsubscribes(ctx: Caller, query: { list: string; after?: string; limit: number }) {
  const { list, after = '', limit } = query
  const rows = await listRows(ctx.stores, ctx.account, { list, after, limit: limit + 1 })
  return listOf(rows.slice(0, limit).map(show), rows.length > limit)
}

/** Lets an address be sent to again. @throws Problem not_found. */
export async function removeUnsubscribe(ctx: Caller, text: string, list: string) {
  const address = parseAddress(text)
  const email = address ? addressKey(address) : text
  if (!(await removeRow(ctx.stores, ctx.account, { list, email }))) throw notFound('Unsubscribe')
  return { object: 'unsubscribe' as const, list, email, deleted: true as const }
}

/** The same refusal for a token that is none and for an account that is closed. */
async function find(ctx: Context, token: string): Promise<{ leaving: Leaving; account: AccountRef }> {
  const leaving = await readUnsubscribeToken(ctx, token)
  const account = leaving && (await findAccountByNumber(ctx, leaving.account))
  if (!leaving || !account) throw notFound('The list that the link led to is')
  return { leaving, account }
}

/** With all that events about sent mail tell, where the mail is still there. */
async function leftEvent(ctx: Context, account: AccountRef, { message, list, email }: Leaving): Promise<NewEvent> {
  const mail = await findMessage(ctx.stores, account, message, SENT)
  const more = { recipients: [email], unsubscribed: { list } }
  if (mail) return sentMailEvent('email.unsubscribed', mail, more)
  return { type: 'email.unsubscribed', data: { email_id: message, ...more } }
}

function show({ list, email, source, createdAt }: Unsubscribe) {
  return { list, email, source_id: source, created_at: isoTime(createdAt) }
}
