/** Waiting mail that cannot go at its time: it waits for the next day's sends, or is given up. */
import { type Caller, newToken } from '../../context.ts'
import { sentMailEvent } from '../../record/email-event.ts'
import { turnWaiting, type Waiting } from '../../store/sending/waiting.ts'

const DAY = 86_400_000

const QUOTA = 'the account’s sends for the day are used up'

/** Lets it wait until the next UTC day, when sends are counted anew; what has waited too long is given up. */
export async function postpone(ctx: Caller, mail: Waiting): Promise<void> {
  if (isTooOld(ctx, mail)) return giveUp(ctx, mail, QUOTA)
  const recipients = mail.recipients.map(({ address }) => address)
  const delayed = sentMailEvent('email.delivery_delayed', mail, { recipients, delayed: { reason: QUOTA } })
  await turn(ctx, mail, {
    due: (Math.floor(ctx.now() / DAY) + 1) * DAY,
    lastEvent: 'delivery_delayed',
    // Told once, not every day.
    events: mail.lastEvent === 'delivery_delayed' ? [] : [delayed],
  })
}

/** Ends its wait with a failure, for a reason that its owner is told. */
export async function giveUp(ctx: Caller, mail: Waiting, reason: string): Promise<void> {
  const recipients = mail.recipients.map(({ due: _, ...rest }) => {
    const reply = { code: 554, enhanced: '5.0.0', text: reason }
    return { ...rest, state: 'failed' as const, reply, updatedAt: ctx.now() }
  })
  const addresses = recipients.map(({ address }) => address)
  const event = sentMailEvent('email.failed', mail, { recipients: addresses, failed: { reason } })
  await turn(ctx, mail, { due: null, lastEvent: 'failed', recipients, events: [event] })
}

/** As long past its time as a delivery is retried. */
export function isTooOld(ctx: Caller, mail: Waiting): boolean {
  return ctx.now() - mail.scheduledAt > ctx.config.GIVE_UP_HOURS * 3_600_000
}

/** Holds only while it waits for the time that was read: else it was called off, put off or released, and all is well. */
async function turn(
  ctx: Caller,
  mail: Waiting,
  to: Omit<Parameters<typeof turnWaiting>[3], 'scheduledAt'>,
): Promise<void> {
  const stamp = { now: ctx.now(), token: newToken(ctx) }
  const changed = await turnWaiting(ctx.stores, ctx.account, mail, { scheduledAt: mail.scheduledAt, ...to }, stamp)
  if (changed && changed.listeners > 0) ctx.wake.webhooks(ctx.account)
}
