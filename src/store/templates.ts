/** Templates: the draft that is edited, and the content that is sent. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { newestFirst, type Page, pageBy } from './directory/page.ts'
import { type Keeping, keepAnswer, notAnswered } from './idempotency.ts'
import { type Row, runBatch } from './mail/change.ts'
import { templates } from './schema/mail.ts'
import { type AccountRef, mailOf, type Stores } from './stores.ts'

/** A variable with its times in ms since 1970. */
export type TemplateVariable = {
  key: string
  type: 'string' | 'number'
  fallback_value: string | number | null
  created_at: number
  updated_at: number
}

/** The JSON of `draft` and `published`. */
export type TemplateContent = {
  subject: string | null
  from: string | null
  reply_to: string[] | null
  html: string
  text: string | null
  variables: TemplateVariable[]
}

export type TemplateLine = Omit<typeof templates.$inferSelect, 'account' | 'draft' | 'published'>

export type StoredTemplate = TemplateLine & { draft: TemplateContent }

/** Octets of one content: two of them and the rest stay within 1 MiB, half of what a row may have. */
export const MAX_CONTENT_BYTES = 500_000

/** Makes a template that is not published; false where its alias is taken, the account has `most` already, is closed, or the answer is kept. */
export async function insertTemplate(
  stores: Stores,
  account: AccountRef,
  template: Pick<StoredTemplate, 'id' | 'name' | 'alias' | 'draftVersion' | 'createdAt' | 'draft'>,
  most: number,
  keeping?: Keeping,
): Promise<boolean> {
  const { number } = account
  const { id, createdAt: now } = template
  const unanswered = keeping ? sql` AND ${notAnswered(number, keeping.once, now)}` : sql``
  const there = sql`EXISTS (SELECT 1 FROM templates WHERE account = ${number} AND id = ${id})${unanswered}`
  const [inserted] = await runBatch(mailOf(stores, account), [
    sql`INSERT INTO templates (account, id, name, alias, version, draft_version, created_at, updated_at, draft)
      SELECT account, ${id}, ${template.name}, ${template.alias}, 0, ${template.draftVersion}, ${now}, ${now},
        ${JSON.stringify(template.draft)}
      FROM counters WHERE account = ${number} AND state = 'active'
        AND (SELECT COUNT(*) FROM templates WHERE account = ${number}) < ${most}${unanswered}
      ON CONFLICT DO NOTHING RETURNING 1`,
    ...(keeping ? [keepAnswer(number, keeping.once, now, keeping.status, keeping.answer, there)] : []),
  ])
  return hasRow(inserted)
}

/** The template of this id or alias, with its draft. */
export async function findTemplate(
  stores: Stores,
  account: AccountRef,
  by: 'id' | 'alias',
  name: string,
): Promise<StoredTemplate | undefined> {
  const [row] = await mailOf(stores, account)
    .select({ ...LINE, draft: templates.draft })
    .from(templates)
    .where(and(eq(templates.account, account.number), eq(templates[by], name)))
  return row && { ...row, draft: asContent(row.draft) }
}

/** What is sent by a template of this id or alias: null where it was never published, undefined where there is none. */
export async function findPublished(
  stores: Stores,
  account: AccountRef,
  by: 'id' | 'alias',
  name: string,
): Promise<TemplateContent | null | undefined> {
  const [row] = await mailOf(stores, account)
    .select({ published: templates.published })
    .from(templates)
    .where(and(eq(templates.account, account.number), eq(templates[by], name)))
  return row && (row.published === null ? null : asContent(row.published))
}

/** A page of them without their contents, newest first. */
export async function listTemplates(
  stores: Stores,
  account: AccountRef,
  page: Page,
): Promise<{ rows: TemplateLine[]; more: boolean }> {
  const { where, orderBy, limit } = pageBy(templates.id, page)
  const rows = await mailOf(stores, account)
    .select(LINE)
    .from(templates)
    .where(and(eq(templates.account, account.number), ...where))
    .orderBy(orderBy)
    .limit(limit)
  return newestFirst(rows, page)
}

/** How many the account has. */
export async function countTemplates(stores: Stores, account: AccountRef): Promise<number> {
  return mailOf(stores, account).$count(templates, eq(templates.account, account.number))
}

/** Puts the template in place of what was read; false where its draft has changed since, or its alias is taken. */
export async function replaceTemplate(
  stores: Stores,
  account: AccountRef,
  read: Pick<StoredTemplate, 'id' | 'draftVersion'>,
  to: Pick<StoredTemplate, 'name' | 'alias' | 'draftVersion' | 'updatedAt' | 'draft'>,
): Promise<boolean> {
  // OR IGNORE leaves the row as it is where the alias is another's.
  const [replaced] = await runBatch(mailOf(stores, account), [
    sql`UPDATE OR IGNORE templates SET name = ${to.name}, alias = ${to.alias}, draft_version = ${to.draftVersion},
        updated_at = ${to.updatedAt}, draft = ${JSON.stringify(to.draft)}
      WHERE account = ${account.number} AND id = ${read.id} AND draft_version = ${read.draftVersion}
        AND ${isOpen(account)} RETURNING 1`,
  ])
  return hasRow(replaced)
}

const LINE = {
  id: templates.id,
  name: templates.name,
  alias: templates.alias,
  version: templates.version,
  draftVersion: templates.draftVersion,
  publishedVersion: templates.publishedVersion,
  publishedAt: templates.publishedAt,
  createdAt: templates.createdAt,
  updatedAt: templates.updatedAt,
}

/** The condition that the account takes changes. */
export function isOpen(account: AccountRef): SQL {
  return sql`EXISTS (SELECT 1 FROM counters WHERE account = ${account.number} AND state = 'active')`
}

function hasRow(rows: Row[] | undefined): boolean {
  return rows !== undefined && rows.length > 0
}

/** The columns hold what was written there as a template’s content. */
export function asContent(json: string): TemplateContent {
  return JSON.parse(json) as TemplateContent
}
