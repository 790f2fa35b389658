/** What a mail would be: every check, and its bytes; nothing is stored and nothing counted. */
import type { Caller } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { signDkim } from '../mail/dkim.ts'
import { makeReady } from '../mail/ready.ts'
import { wouldFit } from '../store/mail/filing.ts'
import { allowanceOf } from './attachments.ts'
import { composeMail } from './compose-mail.ts'
import { overQuota, refused, tooLarge } from './refusal.ts'
import { keySendsFor } from './take.ts'

/** The message as it would leave, signed; one that waits as it would leave at its time. @throws Problem as `submit` would. */
export async function preview(ctx: Caller, body: SendEmailBody): Promise<Uint8Array> {
  const { id, bytes, sender, recipients, scheduledAt } = await composeMail(ctx, body, allowanceOf(ctx))
  const at = scheduledAt ?? ctx.now()
  const dated = scheduledAt === undefined ? bytes : makeReady(bytes, { now: at, messageId: `<${id}>` }).bytes
  const sealed = await signDkim(dated, sender.dkim, at)
  if (sealed.length > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  const sends = scheduledAt === undefined ? recipients.length : 0
  const why = await wouldFit(ctx.stores, ctx.account, { bytes: sealed.length, sends, now: ctx.now() })
  const over = await overQuota(ctx, { sends, keySends: keySendsFor(ctx, recipients.length) })
  if (over) throw over
  if (why) throw refused(ctx, why)
  return sealed
}
