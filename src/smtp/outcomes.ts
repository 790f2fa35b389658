/** What a reply, or the lack of one, means for a recipient (RFC 5321 section 4.2.1). */
import type { Attempt, RecipientOutcome } from './envelope.ts'
import { Broken } from './errors.ts'
import { isPositive, localReply, type Reply } from './reply.ts'

/** Gives the outcome to every recipient that has none yet. */
export function settle(attempt: Attempt, outcome: RecipientOutcome): void {
  for (let index = 0; index < attempt.outcomes.length; index++) attempt.outcomes[index] ??= outcome
}

/** The reply to the final dot. Throws Broken where it is none. */
export function judgeDot(reply: Reply): RecipientOutcome {
  return isPositive(reply) ? { kind: 'sent', reply } : judgeRefusal(reply)
}

/** A reply that is not positive. Throws Broken where it is no refusal either: then we and the server are out of step. */
export function judgeRefusal(reply: Reply): RecipientOutcome {
  if (reply.code < 400) throw new Broken(`the server answered ${reply.code} where that means nothing`)
  return { kind: reply.code < 500 ? 'deferred' : 'failed', reply }
}

/** RFC 5321 section 4.5.3.1.10 has 552 for too many recipients, too; unless it says that the message is too large, it passes. */
export function judgeRecipient(reply: Reply): RecipientOutcome {
  const tooLarge = reply.enhanced === '5.3.4' || reply.enhanced === '5.2.3'
  return reply.code === 552 && !tooLarge ? { kind: 'deferred', reply } : judgeRefusal(reply)
}

/** The dialogue broke at a stage. Only once the dot may have gone is it open whether the server has the message. */
export function judgeBreak(broken: Broken, stage: Attempt['stage'], first: boolean): RecipientOutcome {
  const { message: reason, reply } = broken
  if (stage === 'waiting' && !first) return { kind: 'not_begun', reason, ...(reply && { reply }) }
  if (stage === 'dot' && !reply) return { kind: 'unknown', reason }
  if (stage === 'dot' && reply && isPositive(reply)) return { kind: 'sent', reply }
  if (reply && reply.code >= 400) return judgeRefusal(reply)
  return { kind: 'deferred', reply: localReply(421, '4.4.2', `the connection broke: ${reason}`) }
}
