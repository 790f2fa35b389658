/** The tables of an account's mail, their lifetime, and what each row costs to write: they are used in the database that the account's row names. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** One row an account, as long as the account. Whatever makes or changes mail takes its seq here, and needs `state` to be active. */
export const counters = sqliteTable('counters', {
  account: integer('account').primaryKey(),
  /** The account's public id, so that what is found by a sweep needs no directory. */
  accountId: text('account_id').notNull(),
  state: text('state', { enum: ['active', 'draining', 'moving', 'closing'] }).notNull(),
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
  /** JSON object: key id → recipients it sent to on `day`, for keys whose sends are limited. Null where none is. */
  keySent: text('key_sent'),
  /** Whether the account was told that its storage is nearly full; taken back once there is room again. */
  storageTold: integer('storage_told', { mode: 'boolean' }).notNull().default(false),
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
    /** The seq at which it was filed, for ever the same: its place in the search index. Null for older rows: then it is their uid. */
    filed: integer('filed'),
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
    /** JSON object of what kind of mail it is: from a list, automatic, signed, encrypted, an invitation. Null where it is none of these. */
    marks: text('marks'),

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

/** What a template said each time it was published. Lives with its template. WITHOUT ROWID. */
export const templateVersions = sqliteTable(
  'template_versions',
  {
    account: integer('account').notNull(),
    template: text('template').notNull(),
    /** 1 for what was published first. */
    version: integer('version').notNull(),
    id: text('id').notNull(),
    createdAt: integer('created_at').notNull(),
    /** JSON object, as a template's `published`. */
    content: text('content').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.template, table.version] })],
)

/** Who has left which list of the account's by List-Unsubscribe. Lives until taken back or with its account. WITHOUT ROWID. */
export const unsubscribes = sqliteTable(
  'unsubscribes',
  {
    account: integer('account').notNull(),
    /** What the sender calls the list; empty for its one list. */
    list: text('list').notNull(),
    /** As `addressKey` writes it. */
    email: text('email').notNull(),
    /** The sent message whose link was followed. */
    source: text('source'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.list, table.email] })],
)

/** Who was answered automatically, so that nobody is answered twice soon. Lives as long as the interval. WITHOUT ROWID. */
export const autoReplies = sqliteTable(
  'auto_replies',
  {
    account: integer('account').notNull(),
    address: text('address').notNull(),
    /** Whom it answered, as `addressKey` writes it. */
    sender: text('sender').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.address, table.sender] })],
)
