/** A mail described in JSON: compose it, and submit what came of it. */

import { Problem } from '../base/problem.ts'
import { type Caller, newId, newToken } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { findSender } from '../directory/senders.ts'
import { formatMailbox } from '../mail/address.ts'
import { compose } from '../mail/compose.ts'
import { recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { mailOf } from '../store/stores.ts'
import { readAttachments } from './attachments.ts'
import { readParties } from './parties.ts'
import { asAnswer, submitMime } from './submit-mime.ts'

/**
 * Takes a mail for sending; it is stored when this returns, and relayed afterwards. With `once`, equal requests make one mail.
 * @throws Problem naming every field at fault, or why this account may not send it.
 */
export async function submit(ctx: Caller, body: SendEmailBody, once?: Once): Promise<{ id: string }> {
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (known) return asAnswer(known)
  refuseUnserved(body)
  const parties = readParties(body)
  const sender = await findSender(ctx, parties.from.address)
  const id = newId(ctx)
  const messageId = `<${id}@${parties.from.address.domain}>`
  const bytes = await compose({
    ...parties,
    subject: body.subject,
    ...(body.html === null || body.html === undefined ? {} : { html: body.html }),
    ...(body.text === null || body.text === undefined ? {} : { text: body.text }),
    headers: Object.entries(body.headers ?? {}),
    attachments: await readAttachments(ctx, body.attachments ?? []),
    date: ctx.now(),
    messageId,
    boundary: newToken(ctx),
  })
  return submitMime(ctx, {
    id,
    bytes,
    sender,
    reversePath: parties.from.address.address,
    recipients: parties.recipients,
    bcc: parties.bcc.map(formatMailbox),
    tags: body.tags ?? [],
    once,
  })
}

/** Nothing asked for is dropped in silence: what we do not do yet is refused by name. */
function refuseUnserved(body: SendEmailBody): void {
  const unserved = (['scheduled_at', 'topic_id', 'template'] as const).filter(
    (name) => body[name] !== undefined && body[name] !== null,
  )
  const fields = unserved.map((path) => ({ path, reason: 'is not served by this mail service' }))
  if (fields[0]) {
    throw new Problem('invalid_parameter', `\`${fields[0].path}\` is not served by this mail service.`, {
      fields,
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

function isMissing(value: string | null | undefined): boolean {
  return value === null || value === undefined
}
