import { describeError } from '../../../base/log.ts'
import type { Caller } from '../../../context.ts'
import { AnswerInvitation, Forward, Reply, ReplyAll } from '../../../contract/sending/answers.ts'
import { changeMessage } from '../../../mailbox/change.ts'
import { forward, reply, replyAll } from '../../../submission/answer/answer.ts'
import { answerInvitation } from '../../../submission/answer/invitation.ts'
import { type Bound, on, param } from '../../route.ts'

export const answers: Bound[] = [
  on(Reply, ({ ctx, params, body, once }) =>
    marking(ctx, param(params, 'id'), '$answered', (id) => reply(ctx, id, body, once)),
  ),
  on(ReplyAll, ({ ctx, params, body, once }) =>
    marking(ctx, param(params, 'id'), '$answered', (id) => replyAll(ctx, id, body, once)),
  ),
  on(Forward, ({ ctx, params, body, once }) =>
    marking(ctx, param(params, 'id'), '$forwarded', (id) => forward(ctx, id, body, once)),
  ),
  on(AnswerInvitation, ({ ctx, params, body, once }) =>
    marking(ctx, param(params, 'id'), '$answered', (id) => answerInvitation(ctx, id, body, once)),
  ),
]

/** Marks the message once it is answered. That may be repeated, and its failure undoes no answer: the mail is on its way. */
async function marking<T>(ctx: Caller, id: string, keyword: string, answer: (id: string) => Promise<T>): Promise<T> {
  const answered = await answer(id)
  try {
    await changeMessage(ctx, id, { keywords: { [keyword]: true } })
  } catch (error) {
    ctx.log('warn', 'answered message not marked', { message: id, keyword, error: describeError(error) })
  }
  return answered
}
