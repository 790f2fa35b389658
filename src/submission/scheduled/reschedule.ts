/** Mail that waits is given another time, or called off. Each holds only while it waits: whoever comes first, the caller or the clock, has it. */
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, newToken } from '../../context.ts'
import { isoTime, sentMailEvent } from '../../record/email-event.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { SENT } from '../../store/mail/shapes.ts'
import { type Turn, turnWaiting } from '../../store/sending/waiting.ts'
import { settle } from '../../store/settle.ts'
import { readSchedule } from './when.ts'

/** How often it is tried anew because another change came first. */
const RACES = 5

type Changed = { object: 'email'; id: string }

/** Gives a waiting mail another time. @throws Problem not_found, invalid_parameter, validation_error where it waits no more. */
export async function reschedule(ctx: Caller, id: string, when: string): Promise<Changed> {
  const at = readSchedule(when, ctx.now())
  return turn(ctx, id, {
    isDone: (mail) => waits(mail) && mail.scheduledAt === at,
    turn: (mail) => {
      const event = sentMailEvent('email.scheduled', mail, { scheduled_at: isoTime(at) })
      return { scheduledAt: at, due: at, lastEvent: 'scheduled', events: [event] }
    },
  })
}

/** Calls a waiting mail off; one that was called off before stays so. @throws Problem not_found, validation_error where it waits no more. */
export async function cancel(ctx: Caller, id: string): Promise<Changed> {
  return turn(ctx, id, {
    isDone: (mail) => mail.lastEvent === 'canceled',
    turn: (mail, scheduledAt) => {
      const recipients = mail.recipients.map(({ due: _, ...rest }) => {
        return { ...rest, state: 'canceled' as const, updatedAt: ctx.now() }
      })
      const event = sentMailEvent('email.canceled', mail, { scheduled_at: isoTime(scheduledAt) })
      return { scheduledAt, due: null, lastEvent: 'canceled', recipients, events: [event] }
    },
  })
}

type Wish = {
  /** Whether it is as it was wished for already. */
  isDone: (mail: StoredMessage) => boolean
  turn: (mail: StoredMessage, scheduledAt: number) => Turn
}

async function turn(ctx: Caller, id: string, wish: Wish): Promise<Changed> {
  const { stores, account } = ctx
  const find = async () => (await findMessage(stores, account, id, SENT)) ?? Promise.reject(notFound('Email'))
  const attempt = async () => {
    const mail = await find()
    if (wish.isDone(mail)) return 'done'
    if (!waits(mail)) throw tooLate(mail)
    const { scheduledAt } = mail
    const stamp = { now: ctx.now(), token: newToken(ctx) }
    const changed = await turnWaiting(stores, account, { id, scheduledAt }, wish.turn(mail, scheduledAt), stamp)
    if (!changed) return 'raced'
    if (changed.listeners > 0) ctx.wake.webhooks(account)
    return 'done'
  }
  for (let races = 0; races < RACES; races++) {
    const outcome = await settle<'done' | 'raced'>(attempt, async () =>
      wish.isDone(await find()) ? 'done' : undefined,
    )
    if (outcome === 'done') return { object: 'email', id }
  }
  throw new Problem('service_unavailable', 'The email is being changed by others; nothing was done.', { retryAfter: 1 })
}

function waits(mail: StoredMessage): mail is StoredMessage & { scheduledAt: number } {
  return mail.scheduledAt !== null && mail.due !== null
}

function tooLate({ lastEvent }: StoredMessage): Problem {
  const reason = lastEvent === 'canceled' ? 'was canceled' : `is on its way or settled (${lastEvent})`
  return new Problem('validation_error', `The email is not scheduled any more, or never was: it ${reason}.`, {
    fields: [{ path: 'id', reason: 'is not of a scheduled email' }],
  })
}
