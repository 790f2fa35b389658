/** What a server's reply means for the recipient, and whether it is a verdict on the mail at all. */
import type { SmtpTarget } from '../../directory/relays/next-hop.ts'
import type { RecipientOutcome } from '../../smtp/envelope.ts'
import type { StoredReply } from '../../store/mail/shapes.ts'
import type { Judged } from '../judge.ts'

type Begun = Exclude<RecipientOutcome, { kind: 'not_begun' }>

/** Replies that speak of our login (RFC 4954 section 6, RFC 3207 section 4): a setting is wrong, and no mail is failed for that. */
const ABOUT_US = [530, 534, 535, 538]

/** What we found by ourselves that this server cannot take: too large for it, or in need of 8BITMIME or SMTPUTF8. */
const UNFIT = ['5.3.4', '5.6.3', '5.6.7']

/**
 * Whether another relay may take it within the same attempt. Only where this one has surely not taken it, and did not judge it:
 * the connection went before the message was complete, or the server was leaving (421), wants another login, or cannot take such mail.
 */
export function movesOn(outcome: Begun): 'left' | 'login' | 'unfit' | undefined {
  if (outcome.kind === 'unknown' || outcome.kind === 'sent') return undefined
  const { code, enhanced = '', local } = outcome.reply
  if (outcome.kind === 'deferred' && code === 421) return 'left'
  if (!local && ABOUT_US.includes(code)) return 'login'
  return local && outcome.kind === 'failed' && UNFIT.includes(enhanced) ? 'unfit' : undefined
}

/** What becomes of the recipient. */
export function judge(outcome: Begun, target: SmtpTarget): Judged {
  if (outcome.kind === 'unknown') return { kind: 'unknown', reason: outcome.reason }
  const { code, text, local } = outcome.reply
  const reply = kept(outcome.reply)
  if (outcome.kind === 'sent') return { kind: 'sent', reply, relay: target.id }
  if (outcome.kind === 'deferred' || ABOUT_US.includes(code)) return { kind: 'deferred', reply }
  return local ? { kind: 'failed', reason: text } : { kind: 'bounced', reply }
}

/** A reply as it is kept. */
export function kept({ code, enhanced, text }: StoredReply): StoredReply {
  return { code, ...(enhanced ? { enhanced } : {}), text }
}
