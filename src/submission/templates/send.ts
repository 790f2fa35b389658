/** A mail that names a template, made whole: what the template gives stands in it, what the request gives goes before. */
import { Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { Mail, SendEmailBody } from '../../contract/emails.ts'
import { findVersion } from '../../store/sending/template-versions.ts'
import { findPublished, type TemplateContent } from '../../store/templates.ts'
import { render } from './render.ts'
import { nameKind } from './show.ts'

/** What is published under the names that one request uses: the mails of a batch share it, and none is read again for each. */
export type Published = Map<string, TemplateContent | null | undefined>

/** A batch that uses more of them reads some again, and holds no hundred of half a megabyte. */
const MOST_HELD = 8

/**
 * The mail with its template's texts, or as it is where it names none.
 * @throws Problem not_found (no such template), validation_error (not published, or html and text beside it), missing_required_field; those of `render`.
 */
export async function fillIn(ctx: Caller, body: SendEmailBody, held: Published): Promise<Mail> {
  const { template, ...mail } = body
  if (!template) return complete(mail)
  refuseTwoBodies(mail)
  const content = await findContent(ctx, template, held)
  // What the request gives itself asks for no variables.
  const wanted = {
    ...content,
    from: mail.from ? null : content.from,
    subject: mail.subject ? null : content.subject,
    reply_to: mail.reply_to ? null : content.reply_to,
  }
  const { from, subject, reply_to, html, text } = render(wanted, template.variables ?? {}, 'template.variables')
  return complete({
    ...mail,
    from: mail.from || from,
    subject: mail.subject || subject,
    reply_to: mail.reply_to ?? reply_to,
    html,
    text,
  })
}

async function findContent(
  ctx: Caller,
  { id: name, version }: { id: string; version?: number | null | undefined },
  held: Published,
): Promise<TemplateContent> {
  // No name has a blank in it.
  const key = typeof version === 'number' ? `${name} ${version}` : name
  if (!held.has(key)) {
    const found = typeof version === 'number' ? await findOld(ctx, name, version) : await findNow(ctx, name)
    if (held.size >= MOST_HELD) held.clear()
    held.set(key, found)
  }
  const content = held.get(key)
  if (content) return content
  const path = 'template.id'
  if (content === null && typeof version === 'number') {
    throw new Problem('not_found', `The template ${JSON.stringify(name)} has no version ${version}.`, {
      fields: [{ path: 'template.version', reason: 'was never published, or is not kept any more' }],
      fix: 'See GET /templates/:id/versions, or leave the version out.',
    })
  }
  if (content === null) {
    throw new Problem('validation_error', `The template ${JSON.stringify(name)} is not published.`, {
      fields: [{ path, reason: 'is a template that was never published' }],
      fix: 'Publish it with POST /templates/:id/publish.',
    })
  }
  throw new Problem('not_found', `The template ${JSON.stringify(name)} is not found.`, {
    fields: [{ path, reason: 'is neither the id nor the alias of a template' }],
  })
}

function findNow(ctx: Caller, name: string): Promise<TemplateContent | null | undefined> {
  return findPublished(ctx.stores, ctx.account, nameKind(name), name)
}

async function findOld(ctx: Caller, name: string, version: number): Promise<TemplateContent | null | undefined> {
  const found = await findVersion(ctx.stores, ctx.account, { by: nameKind(name), name }, version)
  return found === null ? null : found?.content
}

function refuseTwoBodies(mail: Pick<SendEmailBody, 'html' | 'text'>): void {
  const fields = (['html', 'text'] as const)
    .filter((name) => mail[name])
    .map((path) => ({ path, reason: 'cannot be given beside `template`' }))
  const [first] = fields
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields })
}

type Unchecked = Omit<SendEmailBody, 'template'>

/** An empty subject is one; where a template is named, it is none, because some clients cannot leave it out. */
function complete(mail: Unchecked): Mail {
  const { from, subject } = mail
  if (isText(from) && isText(subject)) return { ...mail, from, subject }
  const fields = [
    ...(isText(from) ? [] : [{ path: 'from', reason: 'is required' }]),
    ...(isText(subject) ? [] : [{ path: 'subject', reason: 'is required' }]),
  ]
  throw new Problem('missing_required_field', `Missing \`${fields[0]?.path}\` field.`, { fields })
}

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string'
}
