/** Why mail that is well made is not taken. */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { KeySends } from '../store/mail/change.ts'
import { type NewMessage, whyNotFiled } from '../store/mail/filing.ts'
import { findSendsLeft } from '../store/sending/quota.ts'

/** What was to be counted: the recipients towards the account's quota, and towards the key's. */
export type Counting = { sends?: number | undefined; keySends?: KeySends | undefined }

/** Why these were not stored: asked after the batch that did not hold. */
export async function refusal(
  ctx: Caller,
  messages: readonly Pick<NewMessage, 'msgidHash' | 'dedupe' | 'size'>[],
  counting: Counting = {},
): Promise<Problem> {
  const [first] = messages
  const size = messages.reduce((sum, message) => sum + message.size, 0)
  const why = first ? await whyNotFiled(ctx.stores, ctx.account, { ...first, size }) : { kind: 'closed' as const }
  if (why.kind === 'quota') return (await overQuota(ctx, counting)) ?? refused(ctx, 'quota')
  return refused(ctx, why.kind === 'exists' || why.kind === 'no mailbox' ? 'closed' : why.kind)
}

/** Whose sends for today do not hold these; undefined where they do. Notes what is left. */
export async function overQuota(ctx: Caller, { sends = 0, keySends }: Counting): Promise<Problem | undefined> {
  const left = await findSendsLeft(ctx.stores, ctx.account, { now: ctx.now(), keySends })
  const key = left.key && keySends && keySends.sends > left.key.left ? left.key : undefined
  const account = left.account && sends > left.account.left ? left.account : undefined
  const over = key ?? account
  if (!over) return undefined
  if (ctx.notes) ctx.notes.sends = over
  const whose = key ? 'this API key' : 'the account'
  const most = `${over.limit} ${over.limit === 1 ? 'recipient' : 'recipients'} a day`
  return new Problem(
    'daily_quota_exceeded',
    `The sends of ${whose} for today are used up: ${over.left} left of ${most}.`,
    {
      fix: `They begin anew at 00:00 UTC. ${key ? 'Or use another key, or raise `limits.sends_per_day` of this one.' : 'Or have the operator raise the quota.'}`,
      retryAfter: secondsToMidnight(ctx),
    },
  )
}

function secondsToMidnight(ctx: Caller): number {
  return 86_400 - (Math.floor(ctx.now() / 1000) % 86_400)
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
      retryAfter: secondsToMidnight(ctx),
    })
  }
  return new Problem('not_found', 'The account is closed.')
}

export function tooLarge(ctx: Caller): Problem {
  return new Problem('payload_too_large', `The message is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`)
}
