/**
 * The tables of the directory: who exists. They stand in every database of ours and are used in DB alone. Times are ms since 1970 throughout.
 * WITHOUT ROWID is added by hand to the generated SQL (a table's row is then one row written, not two): see test/store/schema.test.ts.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Lives until DELETE has removed every byte of the account; its number is never given again. */
export const accounts = sqliteTable('accounts', {
  /** The small integer that leads every key of the account's rows. 0 stands for the instance itself. */
  number: integer('number').primaryKey({ autoIncrement: true }),
  id: text('id').notNull().unique(),
  name: text('name').notNull(),
  state: text('state', { enum: ['opening', 'active', 'moving', 'closing'] }).notNull(),
  /** Which binding holds its mail. */
  mailDb: text('mail_db').notNull(),
  /** How many addresses it may have; null is no limit. */
  addressLimit: integer('address_limit'),
  storageBytes: integer('storage_bytes'),
  sendsPerDay: integer('sends_per_day'),
  createdAt: integer('created_at').notNull(),
  /** JSON object of further settings. Null where all are as by default. */
  settings: text('settings'),
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
    /** JSON object: which senders it may use, how much it may send a day and ask a second. Null where nothing is limited. */
    limits: text('limits'),
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
    /** JSON object: pause, size limit, allow and block lists, further addresses it delivers to, automatic reply. Null where nothing is set. */
    settings: text('settings'),
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
    /** `smtp`, or `cloudflare` for the binding of the Worker. */
    kind: text('kind', { enum: ['smtp', 'cloudflare'] })
      .notNull()
      .default('smtp'),
    /** Lower is tried first. */
    priority: integer('priority').notNull().default(10),
    /** JSON object: how many connections and messages at once, whose service it is, whether it is switched off. Null where all is as by default. */
    settings: text('settings'),
    /** JSON object: since when it fails, and with what; and how much it took lately where that is limited. Null where there is nothing to tell. */
    health: text('health'),
  },
  (table) => [primaryKey({ columns: [table.account, table.id] })],
)

/** Where an account's mail may be forwarded to, once who lives there has agreed. Lives until deleted. WITHOUT ROWID. */
export const forwardTargets = sqliteTable(
  'forward_targets',
  {
    account: integer('account').notNull(),
    /** As `addressKey` writes it. */
    email: text('email').notNull(),
    id: text('id').notNull(),
    /** Null until the link in the question was followed. */
    verifiedAt: integer('verified_at'),
    /** When the question was last sent: not oftener than we would like to be asked ourselves. */
    askedAt: integer('asked_at').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.email] })],
)

/** What an account wants done with mail that comes, in order. In the directory, so that who looks up a recipient reads them too. WITHOUT ROWID. */
export const rules = sqliteTable(
  'rules',
  {
    account: integer('account').notNull(),
    id: text('id').notNull(),
    /** Lower is asked first. */
    position: integer('position').notNull(),
    name: text('name').notNull(),
    enabled: integer('enabled', { mode: 'boolean' }).notNull(),
    /** JSON object: match, conditions, actions, stop. Capped. */
    rule: text('rule').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.id] })],
)

/** Mail services of others that tell us things: what became of mail they relayed, or mail that came to them. WITHOUT ROWID. */
export const providers = sqliteTable(
  'providers',
  {
    /** 0 for one of the instance. */
    account: integer('account').notNull(),
    id: text('id').notNull(),
    /** `postmark`, `ses`, `mailgun`, `sendgrid`. */
    kind: text('kind').notNull(),
    name: text('name').notNull(),
    /** JSON object, sealed: what its calls prove themselves by. */
    secrets: text('secrets').notNull(),
    /** JSON object: what is no secret, such as the topic it speaks for. */
    settings: text('settings'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.id] }), uniqueIndex('providers_id').on(table.id)],
)
