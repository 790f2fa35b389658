/** The versions of a template, shown: each is what was published once, and never changes. */
import type * as z from 'zod'
import { notFound } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { VersionView } from '../../contract/templates/shapes.ts'
import { isoTime } from '../../record/email-event.ts'
import { listOf, readPage } from '../../record/page.ts'
import * as rows from '../../store/sending/template-versions.ts'
import { findTemplate, nameKind, variablesView } from './show.ts'

/** A page of a template's versions, newest first. @throws Problem not_found, invalid_parameter. */
export async function listVersions(
  ctx: Caller,
  name: string,
  query: { limit: number; after?: string; before?: string },
) {
  const page = readPage(query)
  const { id, version } = await findTemplate(ctx, name)
  const { rows: found, more } = await rows.listVersions(ctx.stores, ctx.account, id, page)
  return listOf(
    found.map((row) => line(row, version)),
    more,
  )
}

/** One version with its content. @throws Problem not_found. */
export async function getVersion(ctx: Caller, name: string, number: string): Promise<z.output<typeof VersionView>> {
  const found = await findVersion(ctx, name, number)
  const { version: published } = await findTemplate(ctx, name)
  const { variables, ...texts } = found.content
  return {
    object: 'template_version',
    template_id: found.template,
    ...line(found.version, published),
    ...texts,
    variables: variablesView(variables),
  }
}

/** The version of this number as a path names it. @throws Problem not_found. */
export async function findVersion(ctx: Caller, name: string, number: string) {
  // Another spelling of a number is no other name of it.
  const version = /^[1-9]\d{0,8}$/.test(number) ? Number(number) : 0
  const found = await rows.findVersion(ctx.stores, ctx.account, { by: nameKind(name), name }, version)
  if (found === undefined) throw notFound('Template')
  if (found === null) throw notFound('Version of the template')
  return found
}

function line({ id, version, createdAt }: rows.TemplateVersion, published: number) {
  return { id, version, published_at: isoTime(createdAt), is_current: version === published }
}
