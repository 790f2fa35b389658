/** From a mail described in JSON to MIME that lacks only its signature: every rule of what may be sent is checked here. */
import { Problem } from '../base/problem.ts'
import { type Caller, newId, newToken } from '../context.ts'
import type { Mail, SendEmailBody } from '../contract/emails.ts'
import { findSender } from '../directory/senders.ts'
import { formatMailbox } from '../mail/address.ts'
import { type Attachment, compose } from '../mail/compose.ts'
import { type Allowance, readAttachments } from './attachments.ts'
import { listFields, listOf } from './list.ts'
import { readParties } from './parties.ts'
import { withoutDate } from './scheduled/undated.ts'
import { readSchedule } from './scheduled/when.ts'
import type { Submission } from './take.ts'
import { fillIn, type Published } from './templates/send.ts'

/** Composes it; nothing is stored. `allowance` is what attachments may yet come to in this request, `held` the templates it has read. @throws Problem naming every field at fault, or why this account may not send it. */
export async function composeMail(
  ctx: Caller,
  asked: SendEmailBody,
  allowance: Allowance,
  held: Published = new Map(),
): Promise<Submission> {
  const body = await fillIn(ctx, asked, held)
  return composeWhole(ctx, body, newId(ctx), () => readAttachments(ctx, body.attachments ?? [], allowance))
}

/** The same of a mail that needs no template and whose attachments are at hand, under an id that it may have already. */
export async function composeWhole(
  ctx: Caller,
  body: Mail,
  id: string,
  attachments: () => Promise<Attachment[]>,
): Promise<Submission> {
  refuseUnserved(body)
  refuseTwins(body)
  const parties = readParties(body)
  const scheduledAt = body.scheduled_at ? readSchedule(body.scheduled_at, ctx.now()) : undefined
  const sender = await findSender(ctx, parties.from.address)
  const list = listOf(body)
  const { headers } = body
  const fields = list === undefined ? [] : await listFields(ctx, { id, list, recipients: parties.recipients, headers })
  const bytes = await compose({
    ...parties,
    subject: body.subject,
    ...(body.html === null || body.html === undefined ? {} : { html: body.html }),
    ...(body.text === null || body.text === undefined ? {} : { text: body.text }),
    headers: [...Object.entries(headers ?? {}), ...fields],
    attachments: await attachments(),
    date: ctx.now(),
    messageId: `<${id}@${parties.from.address.domain}>`,
    boundary: newToken(ctx),
  })
  return {
    id,
    bytes: scheduledAt === undefined ? bytes : withoutDate(bytes),
    sender,
    reversePath: parties.from.address.address,
    recipients: parties.recipients,
    bcc: parties.bcc.map(formatMailbox),
    tags: body.tags ?? [],
    ...(list === undefined ? {} : { list }),
    ...(scheduledAt === undefined ? {} : { scheduledAt }),
  }
}

/** Nothing asked for is dropped in silence: what we do not do is refused by name. */
function refuseUnserved(body: Mail): void {
  if (!isMissing(body.topic_id)) {
    throw new Problem('invalid_parameter', '`topic_id` is not served by this mail service.', {
      fields: [{ path: 'topic_id', reason: 'is not served by this mail service' }],
      fix: 'Leave it out.',
    })
  }
  if (isMissing(body.html) && isMissing(body.text)) {
    const reason = 'one of html and text is required'
    throw new Problem('missing_required_field', 'Missing `html` or `text` field.', {
      fields: [
        { path: 'html', reason },
        { path: 'text', reason },
      ],
    })
  }
}

/** Header names differ in case alone for JSON; to who reads the mail they are the same field, and most may stand once. */
function refuseTwins({ headers }: Mail): void {
  const seen = new Set<string>()
  const fields = Object.keys(headers ?? {}).flatMap((name) => {
    const twice = seen.has(name.toLowerCase())
    seen.add(name.toLowerCase())
    return twice ? [{ path: `headers.${JSON.stringify(name.slice(0, 76))}`, reason: 'stands twice' }] : []
  })
  const [first] = fields
  if (first) throw new Problem('validation_error', `\`${first.path}\` ${first.reason}`, { fields })
}

function isMissing(value: string | null | undefined): boolean {
  return value === null || value === undefined
}
