/** An account with mail that waits, and what became of it. */
import { sql } from 'drizzle-orm'
import type { Caller } from '../../../src/context.ts'
import { SendEmailBody } from '../../../src/contract/emails.ts'
import type { Row } from '../../../src/store/mail/change.ts'
import { submit } from '../../../src/submission/submit.ts'

export const HOUR = 3_600_000

/** Schedules a mail; answers its id. */
export async function schedule(
  ctx: Caller & { address: string },
  when = 'in 1 hour',
  more: Record<string, unknown> = {},
): Promise<string> {
  const mail = { from: ctx.address, to: 'you@y.test', subject: 'Salom', text: 'Hi', scheduled_at: when, ...more }
  return (await submit(ctx, SendEmailBody.parse(mail))).id
}

/** The row, with its bytes as text and its recipients read; '' where the object is gone. */
export async function rowOf(ctx: Caller, id: string) {
  const [row] = await ctx.stores.directory.all<Row>(
    sql`SELECT * FROM messages WHERE account = ${ctx.account.number} AND id = ${id}`,
  )
  if (!row) throw new Error('there is no such message')
  const object = await ctx.stores.raw.get(String(row.raw_key))
  const recipients: { address: string; state: string; since?: number; reply?: { text: string } }[] = JSON.parse(
    String(row.recipients),
  )
  return { ...row, raw_key: String(row.raw_key), recipients, mime: (await object?.text()) ?? '' } as Row & {
    raw_key: string
    recipients: typeof recipients
    mime: string
  }
}

/** Types of the account's events, in order, with what they are particular in. */
export async function eventsOf(ctx: Caller) {
  const rows = await ctx.stores.directory.all<Row>(
    sql`SELECT type, data FROM events WHERE account = ${ctx.account.number} ORDER BY seq`,
  )
  return rows.map((row) => ({ type: String(row.type), data: JSON.parse(String(row.data)) }))
}

export const typesOf = async (ctx: Caller) => (await eventsOf(ctx)).map(({ type }) => type)

/** The keys of all raw mail of the account. */
export const objectsOf = async (ctx: Caller) =>
  (await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects.map(({ key }) => key)

export async function countersOf(ctx: Caller): Promise<Row> {
  const [row] = await ctx.stores.directory.all<Row>(sql`SELECT * FROM counters WHERE account = ${ctx.account.number}`)
  if (!row) throw new Error('there is no such account')
  return row
}
