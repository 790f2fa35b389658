/** The tables of what is owed and told: answers to keep, webhooks and their tries, tasks. They lie beside the mail of their account. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Answers to keep for repeated requests. Lives 24 to 48 hours: removed by whole days. WITHOUT ROWID. */
export const idempotency = sqliteTable(
  'idempotency',
  {
    /** Days since 1970, so that old ones go by key range. */
    day: integer('day').notNull(),
    account: integer('account').notNull(),
    /** SHA-256 of method, path and key. */
    key: text('key').notNull(),
    /** SHA-256 of the request's canonical JSON. */
    body: text('body').notNull(),
    status: integer('status').notNull(),
    /** The JSON answer, sealed. */
    answer: text('answer').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.account, table.key] })],
)

/** Endpoints. Lives until deleted. WITHOUT ROWID. */
export const webhooks = sqliteTable(
  'webhooks',
  {
    account: integer('account').notNull(),
    id: text('id').notNull(),
    url: text('url').notNull(),
    /** JSON array of event types. */
    types: text('types').notNull(),
    payload: text('payload', { enum: ['thin', 'full'] }).notNull(),
    status: text('status', { enum: ['enabled', 'disabled'] }).notNull(),
    /** whsec_…, sealed. */
    secret: text('secret').notNull(),
    previousSecret: text('previous_secret'),
    previousUntil: integer('previous_until'),
    /** Every event up to this seq has been told or has a dispatch row of its own. */
    cursor: integer('cursor').notNull(),
    /** The last seq claimed for telling. Once its dispatch row exists the claim is over, and this is the cursor: so an end costs no write. */
    claimedTo: integer('claimed_to').notNull(),
    claim: text('claim'),
    claimedUntil: integer('claimed_until'),
    /** Since when nothing but failures came; null after a success. */
    failingSince: integer('failing_since'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.id] })],
)

/** One event for one endpoint, with every try. Lives 30 days. WITHOUT ROWID. */
export const dispatches = sqliteTable(
  'dispatches',
  {
    account: integer('account').notNull(),
    webhook: text('webhook').notNull(),
    seq: integer('seq').notNull(),
    status: text('status', { enum: ['success', 'pending', 'failed'] }).notNull(),
    type: text('type').notNull(),
    /** JSON array of {id, at, status, response}; the last two are missing until the outcome is known. The last twenty. */
    attempts: text('attempts').notNull(),
    /** How many steps of the schedule are used up: counted when claimed, so that a crash counts too. */
    tries: integer('tries').notNull(),
    /** When the next try is due; while one is being made, when it counts as lost. Null once it is over. */
    due: integer('due'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.webhook, table.seq] }),
    index('dispatches_due').on(table.account, table.webhook, table.due).where(sql`due IS NOT NULL`),
  ],
)

/** Work that one stage owes another, or that goes on in steps. Lives until done. WITHOUT ROWID. */
export const tasks = sqliteTable(
  'tasks',
  {
    kind: text('kind').notNull(),
    account: integer('account').notNull(),
    ref: text('ref').notNull(),
    due: integer('due').notNull(),
    claim: text('claim'),
    claimedUntil: integer('claimed_until'),
    attempts: integer('attempts').notNull(),
    /** JSON: where a task of many steps stands. */
    state: text('state').notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.account, table.ref] }), index('tasks_due').on(table.due)],
)

/** By which id a service took mail that it gave an id of its own, and no word of ours goes with: its events name nothing else. Lives ten days. WITHOUT ROWID. */
export const handed = sqliteTable(
  'handed',
  {
    /** Days since 1970, first in the key, so that what is old goes by range. */
    day: integer('day').notNull(),
    id: text('id').notNull(),
    account: integer('account').notNull(),
    message: text('message').notNull(),
    /** The recipient's place in the message. */
    recipient: integer('recipient').notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.id] }), index('handed_account').on(table.account)],
)
