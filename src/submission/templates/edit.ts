/** Templates made, changed, published, copied and deleted. */
import { utf8 } from '../../base/bytes.ts'
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, newId } from '../../context.ts'
import type { CreateTemplateBody, UpdateTemplateBody } from '../../contract/templates/shapes.ts'
import { keeping, recall } from '../../record/once.ts'
import type { Once } from '../../store/idempotency.ts'
import { deleteTemplate as deleteRow, publishTemplate as publishRow } from '../../store/sending/template-versions.ts'
import { settle } from '../../store/settle.ts'
import { mailOf } from '../../store/stores.ts'
import * as rows from '../../store/templates.ts'
import { findTemplate } from './show.ts'
import { findVersion } from './versions.ts'

/** Templates are written by hand; so many fill no database. */
const MOST_TEMPLATES = 1000

/** Edits at once of one draft: who loses so often is told. */
const MAX_TRIES = 5

type Reference = { object: 'template'; id: string }

/** Makes a draft. @throws Problem validation_error (alias taken, too many), payload_too_large, service_unavailable. */
export async function createTemplate(ctx: Caller, body: CreateTemplateBody, once?: Once): Promise<Reference> {
  const draft = { ...EMPTY, ...changesOf(body, [], ctx.now()) }
  return insertOnce(ctx, once, async () => ({ name: body.name, alias: body.alias ?? null, draft }))
}

/** Makes a draft of another's content. @throws Problem not_found, validation_error, service_unavailable. */
export async function duplicateTemplate(ctx: Caller, name: string, once?: Once): Promise<Reference> {
  return insertOnce(ctx, once, async () => {
    const original = await findTemplate(ctx, name)
    return { name: `${original.name.slice(0, MAX_NAME - COPY.length)}${COPY}`, alias: null, draft: original.draft }
  })
}

const MAX_NAME = 255
const COPY = ' (copy)'

/** Changes the draft; what is published stays. @throws Problem not_found, validation_error (alias taken), payload_too_large. */
export async function updateTemplate(ctx: Caller, name: string, body: UpdateTemplateBody): Promise<Reference> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const read = await findTemplate(ctx, name)
    const changes = changesOf(body, read.draft.variables, ctx.now())
    const changed = Object.keys(changes).length > 0
    const draft = { ...read.draft, ...changes }
    checkSize(draft)
    const alias = body.alias === undefined ? read.alias : body.alias
    const to = {
      name: body.name ?? read.name,
      alias,
      draft,
      draftVersion: changed ? newId(ctx) : read.draftVersion,
      updatedAt: ctx.now(),
    }
    if (await rows.replaceTemplate(ctx.stores, ctx.account, read, to)) return { object: 'template', id: read.id }
    await refuseTaken(ctx, alias, read.id)
  }
  throw busy()
}

function busy(): Problem {
  return new Problem('service_unavailable', 'The template cannot be changed just now.', { retryAfter: 1 })
}

/** Makes the draft what a version was; what is published stays. Harmless when repeated. @throws Problem not_found, service_unavailable. */
export async function restoreTemplate(ctx: Caller, name: string, version: string): Promise<Reference> {
  const { content } = await findVersion(ctx, name, version)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const read = await findTemplate(ctx, name)
    const { id, alias } = read
    if (JSON.stringify(read.draft) === JSON.stringify(content)) return { object: 'template', id }
    const to = { name: read.name, alias, draft: content, draftVersion: newId(ctx), updatedAt: ctx.now() }
    if (await rows.replaceTemplate(ctx.stores, ctx.account, read, to)) return { object: 'template', id }
  }
  throw busy()
}

/** Makes the draft what is sent; harmless when repeated. @throws Problem not_found. */
export async function publishTemplate(ctx: Caller, name: string): Promise<Reference> {
  const { id } = await findTemplate(ctx, name)
  if (!(await publishRow(ctx.stores, ctx.account, id, ctx.now()))) throw notFound('Template')
  return { object: 'template', id }
}

/** @throws Problem not_found. */
export async function deleteTemplate(ctx: Caller, name: string): Promise<Reference & { deleted: true }> {
  const { id } = await findTemplate(ctx, name)
  if (!(await deleteRow(ctx.stores, ctx.account, id))) throw notFound('Template')
  return { object: 'template', id, deleted: true }
}

type NewTemplate = { name: string; alias: string | null; draft: rows.TemplateContent }

/** Equal requests under one key make one template, and all are answered its id. */
async function insertOnce(ctx: Caller, once: Once | undefined, make: () => Promise<NewTemplate>): Promise<Reference> {
  const { stores, account } = ctx
  const known = await recall(ctx, mailOf(stores, account), account.number, once)
  if (known !== undefined) return asReference(known)
  const made = await make()
  checkSize(made.draft)
  const answer: Reference = { object: 'template', id: newId(ctx) }
  const row = { ...made, id: answer.id, draftVersion: newId(ctx), createdAt: ctx.now() }
  const kept = await keeping(ctx, account.number, once, 201, answer)
  const inserted = await settle(
    () => rows.insertTemplate(stores, account, row, MOST_TEMPLATES, kept),
    async () => (await rows.findTemplate(stores, account, 'id', row.id)) !== undefined || undefined,
  )
  if (inserted) return answer
  const winner = await recall(ctx, mailOf(stores, account), account.number, once)
  if (winner !== undefined) return asReference(winner)
  await refuseTaken(ctx, row.alias, row.id)
  if ((await rows.countTemplates(stores, account)) < MOST_TEMPLATES) throw notFound('Account')
  throw new Problem('validation_error', `An account has at most ${MOST_TEMPLATES} templates.`, {
    fix: 'Delete one that is not needed.',
  })
}

const EMPTY: rows.TemplateContent = { subject: null, from: null, reply_to: null, html: '', text: null, variables: [] }

/** What a request changes of the content: only what it names. */
function changesOf(
  body: UpdateTemplateBody,
  variables: readonly rows.TemplateVariable[],
  now: number,
): Partial<rows.TemplateContent> {
  const { subject, from, reply_to, html, text } = body
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(from === undefined ? {} : { from }),
    ...(reply_to === undefined ? {} : { reply_to: asList(reply_to) }),
    ...(html === undefined ? {} : { html }),
    ...(text === undefined ? {} : { text }),
    ...(body.variables === undefined ? {} : { variables: timed(body.variables ?? [], variables, now) }),
  }
}

function asList(value: string | string[] | null): string[] | null {
  return typeof value === 'string' ? [value] : value
}

/** A variable that was there keeps the time at which it was made, and of its last change. */
function timed(
  variables: NonNullable<UpdateTemplateBody['variables']>,
  before: readonly rows.TemplateVariable[],
  now: number,
): rows.TemplateVariable[] {
  return variables.map(({ key, type, fallback_value = null }) => {
    const old = before.find((variable) => variable.key === key)
    const same = old?.type === type && old.fallback_value === fallback_value
    return { key, type, fallback_value, created_at: old?.created_at ?? now, updated_at: same ? old.updated_at : now }
  })
}

function checkSize(content: rows.TemplateContent): void {
  if (utf8(JSON.stringify(content)).length <= rows.MAX_CONTENT_BYTES) return
  throw new Problem('payload_too_large', `A template’s content has at most ${rows.MAX_CONTENT_BYTES} bytes.`, {
    fix: 'Link images instead of holding them in the HTML, or send the mail without a template.',
  })
}

async function refuseTaken(ctx: Caller, alias: string | null, id: string): Promise<void> {
  if (alias === null) return
  const holder = await rows.findTemplate(ctx.stores, ctx.account, 'alias', alias)
  if (!holder || holder.id === id) return
  const reason = 'another template has this alias'
  throw new Problem('validation_error', `Invalid \`alias\`: ${reason}`, { fields: [{ path: 'alias', reason }] })
}

/** What was kept under this method and path is what the same verb answered. */
function asReference(kept: unknown): Reference {
  return kept as Reference
}
