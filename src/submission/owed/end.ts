/** The end of a task by which no mail was made. */
import { type Caller, newToken } from '../../context.ts'
import type { NewEvent } from '../../store/mail/change.ts'
import type { Task } from '../../store/mail/tasks.ts'
import { endTold } from '../../store/sending/owed.ts'
import { nothingStored } from '../../store/settle.ts'

/** Ends it and tells of it. @throws Problem where the account takes nothing just now, or the task is not ours any more. */
export async function endTask(ctx: Caller, task: Task, events: NewEvent[] = []): Promise<void> {
  const given = { now: ctx.now(), token: newToken(ctx), events }
  const ended = await endTold(ctx.stores, ctx.account, task, given)
  // Whoever holds it now, or the next try, sees to it.
  if (!ended) throw nothingStored()
  if (events.length > 0 && ended.listeners > 0) ctx.wake.webhooks(ctx.account)
}
