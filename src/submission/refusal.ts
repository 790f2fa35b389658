/** Why mail that is well made is not taken. */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import { type NewMessage, whyNotFiled } from '../store/mail/filing.ts'

/** Why these were not stored: asked after the batch that did not hold. */
export async function refusal(
  ctx: Caller,
  messages: readonly Pick<NewMessage, 'msgidHash' | 'dedupe' | 'size'>[],
): Promise<Problem> {
  const [first] = messages
  const size = messages.reduce((sum, message) => sum + message.size, 0)
  const why = first ? await whyNotFiled(ctx.stores, ctx.account, { ...first, size }) : { kind: 'closed' as const }
  return refused(ctx, why.kind === 'exists' || why.kind === 'no mailbox' ? 'closed' : why.kind)
}

/** The refusal of an account that takes no more. */
export function refused(ctx: Caller, why: 'closed' | 'full' | 'quota'): Problem {
  if (why === 'full') {
    return new Problem('payload_too_large', 'The account’s storage is full.', {
      fix: 'Delete mail, or raise its quota.',
    })
  }
  if (why === 'quota') {
    return new Problem('daily_quota_exceeded', 'The account’s sends for today are used up.', {
      retryAfter: 86_400 - (Math.floor(ctx.now() / 1000) % 86_400),
    })
  }
  return new Problem('not_found', 'The account is closed.')
}

export function tooLarge(ctx: Caller): Problem {
  return new Problem('payload_too_large', `The message is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`)
}
