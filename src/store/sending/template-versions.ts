/** What templates were when they were published: each version with its content, the last hundred. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { newestFirst, type Page, pageBy } from '../directory/page.ts'
import { type Row, runBatch } from '../mail/change.ts'
import { templateVersions } from '../schema/mail.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'
import { asContent, isOpen, type TemplateContent } from '../templates.ts'

/** A program that publishes at every deploy keeps some months of them, and half a megabyte each fills no database. */
export const MOST_VERSIONS = 100

export type TemplateVersion = Omit<typeof templateVersions.$inferSelect, 'account' | 'template' | 'content'>

/** Makes the draft what is sent, and a version; published again unchanged, it stays the version that it is. False where there is none such. */
export async function publishTemplate(stores: Stores, account: AccountRef, id: string, now: number): Promise<boolean> {
  const { number } = account
  const isTemplate = sql`account = ${number} AND id = ${id}`
  const [published] = await runBatch(mailOf(stores, account), [
    sql`UPDATE templates SET published = draft, published_version = draft_version,
        version = CAST(version + (published_version IS NOT draft_version) AS INTEGER),
        published_at = ${now}, updated_at = ${now}
      WHERE ${isTemplate} AND ${isOpen(account)} RETURNING 1`,
    sql`INSERT INTO template_versions (account, template, version, id, created_at, content)
      SELECT account, id, version, published_version, published_at, published FROM templates
      WHERE ${isTemplate} AND published IS NOT NULL ON CONFLICT DO NOTHING`,
    sql`DELETE FROM template_versions WHERE ${ofTemplate(number, id)}
      AND version <= (SELECT version FROM templates WHERE ${isTemplate}) - ${MOST_VERSIONS}`,
  ])
  return published !== undefined && published.length > 0
}

/** Deletes a template with its versions; false where the account has none of this id. */
export async function deleteTemplate(stores: Stores, account: AccountRef, id: string): Promise<boolean> {
  const [gone] = await runBatch(mailOf(stores, account), [
    sql`DELETE FROM templates WHERE account = ${account.number} AND id = ${id} RETURNING 1`,
    sql`DELETE FROM template_versions WHERE ${ofTemplate(account.number, id)}`,
  ])
  return gone !== undefined && gone.length > 0
}

/** A page of a template's versions without their contents, newest first. */
export async function listVersions(
  stores: Stores,
  account: AccountRef,
  template: string,
  page: Page,
): Promise<{ rows: TemplateVersion[]; more: boolean }> {
  const { id, version, createdAt } = templateVersions
  const { where, orderBy, limit } = pageBy(id, page)
  const rows = await mailOf(stores, account)
    .select({ id, version, createdAt })
    .from(templateVersions)
    .where(and(eq(templateVersions.account, account.number), eq(templateVersions.template, template), ...where))
    .orderBy(orderBy)
    .limit(limit)
  return newestFirst(rows, page)
}

/** One version of the template of this id or alias: null where there is none of that number (any more), undefined where there is no such template. */
export async function findVersion(
  stores: Stores,
  account: AccountRef,
  template: { by: 'id' | 'alias'; name: string },
  version: number,
): Promise<{ template: string; version: TemplateVersion; content: TemplateContent } | null | undefined> {
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT t.id AS template, v.id, v.created_at, v.content FROM templates AS t
      LEFT JOIN template_versions AS v ON v.account = t.account AND v.template = t.id AND v.version = ${version}
      WHERE t.account = ${account.number} AND t.${sql.raw(template.by)} = ${template.name}`,
  )
  if (!row) return undefined
  if (row.content === null) return null
  return {
    template: String(row.template),
    version: { id: String(row.id), version, createdAt: Number(row.created_at) },
    content: asContent(String(row.content)),
  }
}

function ofTemplate(account: number, id: string): SQL {
  return sql`account = ${account} AND template = ${id}`
}
