/** Templates shown, and rendered without being sent. */
import type * as z from 'zod'
import { isUuid } from '../../base/id.ts'
import { notFound } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { RenderBody, RenderedTemplate, TemplateLine, TemplateView } from '../../contract/templates/shapes.ts'
import { isoTime } from '../../record/email-event.ts'
import { listOf, readPage } from '../../record/page.ts'
import { findVersion } from '../../store/sending/template-versions.ts'
import * as rows from '../../store/templates.ts'
import { render } from './render.ts'

/** One template with its draft. @throws Problem not_found. */
export async function getTemplate(ctx: Caller, name: string): Promise<z.output<typeof TemplateView>> {
  const row = await findTemplate(ctx, name)
  const { variables, ...texts } = row.draft
  return {
    object: 'template',
    ...line(row),
    ...texts,
    variables: variablesView(variables),
    has_unpublished_versions: row.publishedVersion !== row.draftVersion,
    current_version_id: row.draftVersion,
    version: row.version,
  }
}

export function variablesView(variables: readonly rows.TemplateVariable[]) {
  return variables.map((variable) => ({
    ...variable,
    created_at: isoTime(variable.created_at),
    updated_at: isoTime(variable.updated_at),
  }))
}

/** A page of the account's templates, newest first. @throws Problem invalid_parameter. */
export async function listTemplates(ctx: Caller, query: { limit: number; after?: string; before?: string }) {
  const { rows: page, more } = await rows.listTemplates(ctx.stores, ctx.account, readPage(query))
  return listOf(page.map(line), more)
}

/** What it becomes with these variables. @throws Problem not_found; those of `render`. */
export async function renderTemplate(
  ctx: Caller,
  name: string,
  body: RenderBody,
): Promise<z.output<typeof RenderedTemplate>> {
  const { id, draft } = await findTemplate(ctx, name)
  const content = body.version === 'draft' ? draft : await findSent(ctx, id, body.version)
  return { object: 'template', id, version: body.version, ...render(content, body.variables ?? {}, 'variables') }
}

async function findSent(ctx: Caller, id: string, version: 'published' | number): Promise<rows.TemplateContent> {
  if (version === 'published') {
    const published = await rows.findPublished(ctx.stores, ctx.account, 'id', id)
    if (published) return published
    throw notFound('Published version of the template')
  }
  const found = await findVersion(ctx.stores, ctx.account, { by: 'id', name: id }, version)
  if (found) return found.content
  throw notFound('Version of the template')
}

/** The template of this id or alias, if it is the caller's. @throws Problem not_found. */
export async function findTemplate(ctx: Caller, name: string): Promise<rows.StoredTemplate> {
  const row = await rows.findTemplate(ctx.stores, ctx.account, nameKind(name), name)
  if (!row) throw notFound('Template')
  return row
}

/** An alias never looks like an id. */
export function nameKind(name: string): 'id' | 'alias' {
  return isUuid(name) ? 'id' : 'alias'
}

function line(row: rows.TemplateLine): z.output<typeof TemplateLine> {
  return {
    id: row.id,
    name: row.name,
    alias: row.alias,
    status: row.publishedVersion === null ? 'draft' : 'published',
    published_at: row.publishedAt === null ? null : isoTime(row.publishedAt),
    created_at: isoTime(row.createdAt),
    updated_at: isoTime(row.updatedAt),
  }
}
