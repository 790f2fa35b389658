/** A draft is sent: it becomes the mail, under its id, in the batch that takes that for sending. Never both, and never neither. */
import type { Caller } from '../../context.ts'
import type { SendDraftBody } from '../../contract/mailbox/drafts.ts'
import { recall } from '../../record/once.ts'
import type { Once } from '../../store/idempotency.ts'
import { findMessage } from '../../store/mail/reading.ts'
import { mailOf } from '../../store/stores.ts'
import { composeWhole } from '../compose-mail.ts'
import { asAnswer, type Taken, take, tellOne } from '../take.ts'
import { attachedTo, readDraft, wasSent } from './fields.ts'

/**
 * Sends a draft, with every check of a mail that is sent at once; one that was sent already is not sent again.
 * @throws Problem not_found, conflict (it was changed as it was being sent), naming every field at fault, or why this account may not send it.
 */
export async function sendDraft(ctx: Caller, id: string, body: SendDraftBody, once?: Once): Promise<Taken> {
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (known) return asAnswer(known)
  const draft = await readDraft(ctx, id).catch(async (error) => {
    const message = await findMessage(ctx.stores, ctx.account, id)
    if (message && wasSent(message)) return undefined
    throw error
  })
  if (!draft) return { id }
  const { original, written } = draft
  const { from, ...rest } = written
  const mail = { ...rest, ...body, from: from ?? '' }
  const submission = await composeWhole(ctx, mail, id, () => attachedTo(ctx, original))
  return take<Taken>(ctx, [{ ...submission, draft: original.stored }], { id }, once, tellOne)
}
