/** What could not be done for days is let go, and the account is told. */
import type { Caller } from '../../context.ts'
import { findMessage } from '../../store/mail/reading.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import type { Task } from '../../store/mail/tasks.ts'
import { asForward, FORWARD } from '../../store/sending/owed.ts'
import { notAnswered } from './auto-reply.ts'
import { endTask } from './end.ts'
import { notForwarded } from './forward.ts'

/** Ends the task without its mail. */
export async function giveUp(ctx: Caller, task: Task): Promise<void> {
  ctx.log('error', 'what is owed for a mail was given up', { kind: task.kind, ref: task.ref, account: task.account })
  const message = await findMessage(ctx.stores, ctx.account, task.ref, RECEIVED)
  // A question is about no message; its target goes on being shown as not asked.
  if (!message) return endTask(ctx, task)
  const forward = task.kind === FORWARD
  const told = forward ? notForwarded(message, asForward(task.state).to, 'given_up') : notAnswered(message)
  await endTask(ctx, task, [told])
}
