/**
 * Every table of a main database, its lifetime, and what each row costs to write.
 * The same tables stand in every database: the directory part is used in DB alone, the mail part in the one that an account's row names.
 * WITHOUT ROWID is added by hand to the generated SQL (a table's row is then one row written, not two): see test/store/schema.test.ts.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

// ---- Directory: who exists. Times are ms since 1970 throughout.

/** Lives until DELETE has removed every byte of the account; its number is never given again. */
export const accounts = sqliteTable('accounts', {
  /** The small integer that leads every key of the account's rows. 0 stands for the instance itself. */
  number: integer('number').primaryKey({ autoIncrement: true }),
  id: text('id').notNull().unique(),
  name: text('name').notNull(),
  state: text('state', { enum: ['active', 'closing'] }).notNull(),
  /** Which binding holds its mail. */
  mailDb: text('mail_db').notNull(),
  /** How many addresses it may have; null is no limit. */
  addressLimit: integer('address_limit'),
  storageBytes: integer('storage_bytes'),
  sendsPerDay: integer('sends_per_day'),
  createdAt: integer('created_at').notNull(),
})

/** Lives until deleted. The key itself is never stored. WITHOUT ROWID. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    /** SHA-256 of the key, in hexadecimal. */
    hash: text('hash').primaryKey(),
    id: text('id').notNull(),
    /** 0 for an instance key. */
    account: integer('account').notNull(),
    name: text('name').notNull(),
    permission: text('permission').notNull(),
    /** JSON array of scopes. */
    scopes: text('scopes').notNull(),
    /** The id of the one domain it may send from, where it is bound to one. */
    domainId: text('domain_id'),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
  },
  (table) => [uniqueIndex('api_keys_account').on(table.account, table.id)],
)

/** Lives until deleted; past `expires_at` it takes no mail. WITHOUT ROWID. */
export const addresses = sqliteTable(
  'addresses',
  {
    /** `local@domain` in lower case, or the wildcard `*@domain`. Unique over all accounts. */
    address: text('address').primaryKey(),
    id: text('id').notNull(),
    account: integer('account').notNull(),
    domain: text('domain').notNull(),
    name: text('name'),
    /** JSON array. */
    forwardTo: text('forward_to').notNull(),
    expiresAt: integer('expires_at'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [uniqueIndex('addresses_account').on(table.account, table.id), index('addresses_domain').on(table.domain)],
)

/** Lives until deleted. Claims coexist; the name is held by one of them, from when it was proved on. WITHOUT ROWID. */
export const domains = sqliteTable(
  'domains',
  {
    account: integer('account').notNull(),
    id: text('id').notNull(),
    name: text('name').notNull(),
    status: text('status', {
      enum: ['not_started', 'pending', 'verified', 'failed', 'partially_verified', 'partially_failed'],
    }).notNull(),
    /** What a TXT record of the domain must say to prove this claim. */
    token: text('token').notNull(),
    dkimSelector: text('dkim_selector').notNull(),
    /** PKCS #8 PEM, sealed. */
    dkimPrivate: text('dkim_private').notNull(),
    /** Base64 SubjectPublicKeyInfo, as the DKIM record shows it. */
    dkimPublic: text('dkim_public').notNull(),
    returnPathLabel: text('return_path_label').notNull(),
    /** JSON object: region, tls, capabilities and tracking wishes, as Resend's clients set them. */
    settings: text('settings').notNull(),
    createdAt: integer('created_at').notNull(),
    /** Since when the account holds the name; it keeps it while the DNS is broken, so that its mail goes on coming in. */
    verifiedAt: integer('verified_at'),
    /** JSON object: when the DNS was last asked, and what each record was found to be. Null where it never was. */
    checks: text('checks'),
    /** JSON object: the key that is to follow the present one, or the one before it. Null where there is none. */
    otherKey: text('other_key'),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.id] }),
    uniqueIndex('domains_claim').on(table.account, table.name),
    uniqueIndex('domains_verified').on(table.name).where(sql`verified_at IS NOT NULL`),
  ],
)

/** Lives until deleted. WITHOUT ROWID. */
export const relays = sqliteTable(
  'relays',
  {
    /** 0 for a relay of the instance, which every account may use. */
    account: integer('account').notNull(),
    id: text('id').notNull(),
    /** The sender domain it is for; null is for all of the account's. */
    domain: text('domain'),
    name: text('name').notNull(),
    host: text('host').notNull(),
    port: integer('port').notNull(),
    security: text('security', { enum: ['implicit', 'starttls', 'none'] }).notNull(),
    user: text('user'),
    /** Sealed. */
    password: text('password'),
    /** Whether it takes our return paths as MAIL FROM. */
    verp: integer('verp', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.id] })],
)

// ---- Mail: what an account has.

/** One row an account, as long as the account. Whatever makes or changes mail takes its seq here, and needs `state` to be active. */
export const counters = sqliteTable('counters', {
  account: integer('account').primaryKey(),
  /** The account's public id, so that what is found by a sweep needs no directory. */
  accountId: text('account_id').notNull(),
  state: text('state', { enum: ['active', 'closing'] }).notNull(),
  /** The last step of the account's history: its modseq. */
  seq: integer('seq').notNull(),
  /** Octets of all raw messages. */
  bytes: integer('bytes').notNull(),
  messages: integer('messages').notNull(),
  /** JSON object: mailbox number → [messages, unread]. */
  boxes: text('boxes').notNull(),
  /** The number of the last mailbox made. */
  lastMailbox: integer('last_mailbox').notNull(),
  /** The UTC day that `sent` counts, as days since 1970. */
  day: integer('day').notNull(),
  /** Recipients sent to on that day. */
  sent: integer('sent').notNull(),
  storageBytes: integer('storage_bytes'),
  sendsPerDay: integer('sends_per_day'),
  /** Enabled webhook endpoints: whether a wake-up is worth its price. */
  listeners: integer('listeners').notNull(),
  /** The token of the change that was made last: the later statements of its batch hold to it (mail/change.ts). */
  change: text('change'),
})

/** Lives until deleted or with its account. WITHOUT ROWID. */
export const mailboxes = sqliteTable(
  'mailboxes',
  {
    account: integer('account').notNull(),
    /** 1 to 6 are Inbox, Sent, Drafts, Archive, Junk, Trash. */
    number: integer('number').notNull(),
    id: text('id').notNull(),
    name: text('name').notNull(),
    role: text('role'),
    uidvalidity: integer('uidvalidity').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.number] })],
)

/** Lives until deleted for good or with its account. One row and three index entries each. WITHOUT ROWID. */
export const messages = sqliteTable(
  'messages',
  {
    account: integer('account').notNull(),
    /** 0 received, 1 sent. */
    direction: integer('direction').notNull(),
    id: text('id').notNull(),
    createdAt: integer('created_at').notNull(),

    mailbox: integer('mailbox').notNull(),
    /** The seq at which it entered its mailbox: ascending, never given twice. */
    uid: integer('uid').notNull(),
    /** The seq of its last change. */
    modseq: integer('modseq').notNull(),
    /** JSON object: keyword → true. */
    keywords: text('keywords').notNull(),
    thread: text('thread').notNull(),

    /** 64 bits of SHA-256 of the Message-ID, in hexadecimal. */
    msgidHash: text('msgid_hash').notNull(),
    /** 64 bits over what no delivery attempt changes (received), or over the id (sent). */
    dedupe: text('dedupe').notNull(),
    /** As the sender wrote it, without angle brackets; null where there was none. */
    messageId: text('message_id'),

    /** Envelope: reverse path, and the one recipient for whom it came (received). */
    sender: text('sender').notNull(),
    recipient: text('recipient'),
    /** The address that took it, and the +tag it was written with. */
    address: text('address'),
    tag: text('tag'),

    /** JSON object of header parties: from, to, cc, bcc, reply_to, as arrays of texts. Capped. */
    parties: text('parties').notNull(),
    subject: text('subject').notNull(),
    preview: text('preview').notNull(),
    /** The Date header. */
    dated: integer('dated'),
    size: integer('size').notNull(),
    hasAttachment: integer('has_attachment', { mode: 'boolean' }).notNull(),
    /** JSON: the part tree with byte ranges. Capped: null where it was too large, and then it is read from the raw bytes. */
    parts: text('parts'),
    rawKey: text('raw_key').notNull(),
    /** JSON object {spf, dkim, dmarc}, or null where no door of ours judged. */
    verdicts: text('verdicts'),
    /** JSON array of what was wrong with it; null where nothing was. */
    problems: text('problems'),

    /** Sent mail: JSON array of {name, value}. */
    tags: text('tags'),
    /** Sent mail: JSON array of recipients with state, attempts and last reply each. */
    recipients: text('recipients'),
    /** Sent mail: the last event's name, as lists show it. */
    lastEvent: text('last_event'),
    /** Sent mail: when it is to be released, where it waits for that. */
    scheduledAt: integer('scheduled_at'),
    /** Sent mail: the relay that took it last. */
    relay: text('relay'),
    /** When the next delivery attempt is due; null once every recipient is settled. */
    due: integer('due'),
    /** Who is delivering it now, and until when he may. */
    claim: text('claim'),
    claimedUntil: integer('claimed_until'),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.direction, table.id] }),
    uniqueIndex('messages_msgid').on(table.account, table.msgidHash, table.dedupe),
    index('messages_mailbox').on(table.account, table.mailbox, table.uid),
    index('messages_thread').on(table.account, table.thread),
    index('messages_due').on(table.due).where(sql`due IS NOT NULL`),
  ],
)

/** The history: feed, change log and the source of webhooks. Lives as long as its account. WITHOUT ROWID. */
export const events = sqliteTable(
  'events',
  {
    account: integer('account').notNull(),
    seq: integer('seq').notNull(),
    type: text('type').notNull(),
    /** The message it is about, where it is about one. */
    message: text('message'),
    /** JSON object: what a webhook tells, complete, so that it can be told after the message is gone. */
    data: text('data').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.seq] })],
)

/** Addresses that the account does not send to any more. Lives until removed or with its account. One row and an index entry each. WITHOUT ROWID. */
export const suppressions = sqliteTable(
  'suppressions',
  {
    account: integer('account').notNull(),
    /** As `addressKey` writes it, so that no spelling of a dead address slips through. */
    email: text('email').notNull(),
    id: text('id').notNull(),
    origin: text('origin', { enum: ['bounce', 'complaint', 'manual'] }).notNull(),
    /** The sent message that came back; null where somebody asked for it. */
    source: text('source'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.email] }),
    uniqueIndex('suppressions_id').on(table.account, table.id),
  ],
)

/** Mail with places for variables. Lives until deleted or with its account. One row, and an index entry where it has an alias. WITHOUT ROWID. */
export const templates = sqliteTable(
  'templates',
  {
    account: integer('account').notNull(),
    id: text('id').notNull(),
    name: text('name').notNull(),
    alias: text('alias'),
    /** How often it was published anew: the number of the version that is sent, 0 before the first. */
    version: integer('version').notNull(),
    /** The id of the draft's content: a new one with every change of it. */
    draftVersion: text('draft_version').notNull(),
    /** The id of the content that is sent; null before it is first published. */
    publishedVersion: text('published_version'),
    publishedAt: integer('published_at'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** JSON object: subject, from, reply_to, html, text, variables. Capped; last in the row, so that lists need not read it. */
    draft: text('draft').notNull(),
    published: text('published'),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.id] }),
    uniqueIndex('templates_alias').on(table.account, table.alias).where(sql`alias IS NOT NULL`),
  ],
)

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
