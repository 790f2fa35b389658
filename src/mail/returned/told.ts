/** What a mail service of others says of a delivery: the reply that it quotes is judged as every reply is, its own word counts where that says nothing. */
import { judgeReply } from './judge.ts'
import type { Returned } from './returned.ts'
import type { BounceSubType, ReplyLike, Verdict } from './verdict.ts'

/** The service's own word for a bounce. */
export type ToldClass = { type: Verdict['type']; subType: BounceSubType }

/** A bounce of which the service quotes the server's words (`said`) and perhaps its code; `spare` are its own, shown where there are none. */
export function judgeTold(bounce: { said: string; status?: string; spare?: string; known: ToldClass }): Returned {
  const { said, status, spare = '', known } = bounce
  const { reply, verdict } = judgeReply(said, status)
  const silent = verdict.subType === 'General' && !tells(reply)
  const { type, subType } = silent ? known : verdict
  return {
    kind: 'bounced',
    reply: reply.text === '' ? { ...reply, text: spare } : reply,
    verdict: silent ? { type, subType, suppress: type === 'Permanent' && DEAD.has(subType) } : verdict,
  }
}

/** A service that has seen an address bounce lately lets nothing through to it. Its customer's own list may hold the living. */
const DEAD: ReadonlySet<BounceSubType> = new Set(['NoEmail', 'Suppressed'])

/** The reply a service quotes for a delivery or a delay. */
export function toldReply(said: string, status: string): ReplyLike {
  return judgeReply(said, status).reply
}

/** A code that names a reason is a verdict, also where that is no reason of ours: policy is not a dead address, whatever the service calls it. */
function tells({ enhanced = '' }: ReplyLike): boolean {
  return enhanced !== '' && !/^[245]\.(?:\d{1,3}\.0|0\.0)$/.test(enhanced)
}
