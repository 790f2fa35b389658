/** Endpoints. `counters.listeners` is set by every batch that changes how many are enabled. */
import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { type Keeping, keepAnswer, notAnswered } from '../idempotency.ts'
import { webhooks } from '../schema/owed.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { type Changed, made, makeChange, type NewEvent, runBatch } from './change.ts'

export type WebhookRow = typeof webhooks.$inferSelect

export type NewWebhook = Pick<WebhookRow, 'id' | 'url' | 'payload' | 'secret' | 'createdAt'> & {
  types: readonly string[]
}

/** Makes an endpoint that is told what comes after this; false where the account has `most` already, is closed, or the answer is kept. */
export async function insertWebhook(
  stores: Stores,
  account: AccountRef,
  webhook: NewWebhook,
  most: number,
  keeping?: Keeping,
): Promise<boolean> {
  const { number } = account
  const unanswered = keeping ? sql` AND ${notAnswered(number, keeping.once, webhook.createdAt)}` : sql``
  const there = sql`EXISTS (SELECT 1 FROM webhooks WHERE account = ${number} AND id = ${webhook.id})`
  const [inserted] = await runBatch(mailOf(stores, account), [
    sql`INSERT INTO webhooks (account, id, url, types, payload, status, secret, cursor, claimed_to, created_at)
      SELECT account, ${webhook.id}, ${webhook.url}, ${JSON.stringify(webhook.types)}, ${webhook.payload}, 'enabled',
        ${webhook.secret}, seq, seq, ${webhook.createdAt}
      FROM counters WHERE account = ${number} AND state = 'active'
        AND (SELECT COUNT(*) FROM webhooks WHERE account = ${number}) < ${most}${unanswered}
      ON CONFLICT DO NOTHING RETURNING id`,
    countListeners(number, there),
    ...(keeping
      ? [
          keepAnswer(
            number,
            keeping.once,
            webhook.createdAt,
            keeping.status,
            keeping.answer,
            firstOf(there, keeping, number, webhook.createdAt),
          ),
        ]
      : []),
  ])
  return inserted !== undefined && inserted.length > 0
}

/** The endpoint, if it is this account's. */
export async function findWebhook(stores: Stores, account: AccountRef, id: string): Promise<WebhookRow | undefined> {
  const [row] = await mailOf(stores, account).select().from(webhooks).where(isIt(account, id))
  return row
}

/** All endpoints of the account, newest first: they are few. */
export async function listWebhooks(stores: Stores, account: AccountRef): Promise<WebhookRow[]> {
  return mailOf(stores, account)
    .select()
    .from(webhooks)
    .where(eq(webhooks.account, account.number))
    .orderBy(desc(webhooks.id))
}

export type WebhookUpdate = {
  url?: string
  types?: readonly string[]
  payload?: 'thin' | 'full'
  status?: 'enabled' | 'disabled'
}

/** Changes an endpoint; false where the account has none such. Enabled anew, it begins at the present and without blame. */
export async function updateWebhook(
  stores: Stores,
  account: AccountRef,
  id: string,
  update: WebhookUpdate,
): Promise<boolean> {
  const { number } = account
  const anew = sql`${update.status ?? null} = 'enabled' AND status = 'disabled'`
  const seq = sql`(SELECT seq FROM counters WHERE account = ${number})`
  const [updated] = await runBatch(mailOf(stores, account), [
    sql`UPDATE webhooks SET url = COALESCE(${update.url ?? null}, url),
        types = COALESCE(${update.types ? JSON.stringify(update.types) : null}, types),
        payload = COALESCE(${update.payload ?? null}, payload), status = COALESCE(${update.status ?? null}, status),
        cursor = CASE WHEN ${anew} THEN ${seq} ELSE cursor END,
        claimed_to = CASE WHEN ${anew} THEN ${seq} ELSE claimed_to END,
        claim = CASE WHEN ${anew} THEN NULL ELSE claim END,
        claimed_until = CASE WHEN ${anew} THEN NULL ELSE claimed_until END,
        failing_since = CASE WHEN ${anew} THEN NULL ELSE failing_since END
      WHERE account = ${number} AND id = ${id} RETURNING id`,
    ...(update.status ? [countListeners(number)] : []),
  ])
  return updated !== undefined && updated.length > 0
}

/** Deletes an endpoint; what it was told is removed with age. False where the account has none such. */
export async function deleteWebhook(stores: Stores, account: AccountRef, id: string): Promise<boolean> {
  const [gone] = await runBatch(mailOf(stores, account), [
    sql`DELETE FROM webhooks WHERE account = ${account.number} AND id = ${id} RETURNING id`,
    countListeners(account.number),
  ])
  return gone !== undefined && gone.length > 0
}

/** Puts a new secret in force, and lets the one before it sign until `previousUntil`; false where the secret is not `from` any more. */
export async function rotateSecret(
  stores: Stores,
  account: AccountRef,
  id: string,
  change: { from: string; to: string; previousUntil: number; now: number },
  keeping?: Keeping,
): Promise<boolean> {
  const { number } = account
  const unanswered = keeping ? sql` AND ${notAnswered(number, keeping.once, change.now)}` : sql``
  const there = sql`EXISTS (SELECT 1 FROM webhooks WHERE account = ${number} AND id = ${id} AND secret = ${change.to})`
  const [rotated] = await runBatch(mailOf(stores, account), [
    sql`UPDATE webhooks SET previous_secret = secret, previous_until = ${change.previousUntil}, secret = ${change.to}
      WHERE account = ${number} AND id = ${id} AND secret = ${change.from}${unanswered} RETURNING id`,
    ...(keeping
      ? [
          keepAnswer(
            number,
            keeping.once,
            change.now,
            keeping.status,
            keeping.answer,
            firstOf(there, keeping, number, change.now),
          ),
        ]
      : []),
  ])
  return rotated !== undefined && rotated.length > 0
}

/** Ends the calls to an endpoint by itself, with the event that says so; undefined where it is not enabled any more. */
export async function disableWebhook(
  stores: Stores,
  account: AccountRef,
  id: string,
  change: { token: string; now: number; event: NewEvent },
): Promise<Changed | undefined> {
  const { number } = account
  const whole = {
    account: number,
    now: change.now,
    token: change.token,
    only: sql`EXISTS (SELECT 1 FROM webhooks WHERE account = ${number} AND id = ${id} AND status = 'enabled')`,
    events: [change.event],
  }
  return makeChange(mailOf(stores, account), whole, [
    sql`UPDATE webhooks SET status = 'disabled' WHERE account = ${number} AND id = ${id} AND ${made(whole)}`,
    countListeners(number, made(whole)),
  ])
}

function countListeners(account: number, only: SQL = sql`1`): SQL {
  return sql`UPDATE counters
    SET listeners = (SELECT COUNT(*) FROM webhooks WHERE account = ${account} AND status = 'enabled')
    WHERE account = ${account} AND ${only}`
}

/** A repeated batch finds the answer kept, and must not keep it twice. */
function firstOf(there: SQL, keeping: Keeping, account: number, now: number): SQL {
  return sql`${there} AND ${notAnswered(account, keeping.once, now)}`
}

function isIt(account: AccountRef, id: string): SQL | undefined {
  return and(eq(webhooks.account, account.number), eq(webhooks.id, id))
}
