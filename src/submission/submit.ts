/** A mail described in JSON: compose it, and take it. */
import type { Caller } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { mailOf } from '../store/stores.ts'
import { allowanceOf } from './attachments.ts'
import { composeMail } from './compose-mail.ts'
import { checkOverride, onceListed } from './suppressed.ts'
import { asAnswer, type Taken, take, tellOne } from './take.ts'

/**
 * Takes a mail for sending; it is stored when this returns, and relayed afterwards, or at its time. With `once`, equal requests make one mail.
 * `toListed`: those on the suppression list get it too.
 * @throws Problem naming every field at fault, or why this account may not send it.
 */
export async function submit(ctx: Caller, body: SendEmailBody, once?: Once, toListed = false): Promise<Taken> {
  if (toListed) checkOverride(ctx, body)
  const asked = onceListed(once, toListed)
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, asked)
  if (known) return asAnswer(known)
  const submission = await composeMail(ctx, body, allowanceOf(ctx))
  return take<Taken>(ctx, [{ ...submission, toListed }], { id: submission.id }, asked, tellOne)
}
