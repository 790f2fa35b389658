/** What a report means for the recipient it is about, and for those who listen. Pure: decided on the row as it stands now. */
import type { Returned } from '../mail/returned/returned.ts'
import type { ReplyLike } from '../mail/returned/verdict.ts'
import { type SentMail, sentMailEvent } from '../record/email-event.ts'
import { lastEventOf } from '../store/mail/deliveries.ts'
import type { FeedbackChange } from '../store/mail/feedback.ts'
import { RANK, type Recipient, type RecipientState, type StoredReply } from '../store/mail/shapes.ts'

/** The change, and why the address is not to be sent to any more, where it is not: the same batch puts it on the list. */
export type Applied = FeedbackChange & { suppress?: 'bounce' | 'complaint' }

/** As much of a reply as a row keeps: a hundred recipients of it still leave the row small. */
const MAX_REPLY_TEXT = 500

/**
 * Applies a report to the one recipient that the return path proved. Undefined where it changes nothing: it says
 * nothing of the delivery, or the recipient is that far already. So a report that is read twice is told of once.
 */
export function applyReturned(
  mail: SentMail & { recipients: readonly Recipient[] },
  index: number,
  returned: Returned,
  now: number,
): Applied | undefined {
  const recipient = mail.recipients[index]
  if (!recipient) return undefined
  const step = stepOf(recipient, returned)
  if (!step) return undefined
  const { state, reply, type, more } = step
  const recipients = mail.recipients.with(index, moved(recipient, state, reply, now))
  const last = lastEventOf(recipients)
  const origin = whySuppress(returned)
  return {
    recipients,
    // A delay is news only of what has not come further anyway.
    lastEvent: returned.kind === 'delayed' && (last === 'sent' || last === 'queued') ? 'delivery_delayed' : last,
    due: nextDue(recipients, now),
    events: [sentMailEvent(type, mail, more)],
    ...(origin ? { suppress: origin } : {}),
  }
}

/** Only the dead and the unwilling are left alone: not a full mailbox, a policy, or a delay. */
function whySuppress(returned: Returned): 'bounce' | 'complaint' | undefined {
  if (returned.kind === 'complained') return 'complaint'
  return returned.kind === 'bounced' && returned.verdict.suppress ? 'bounce' : undefined
}

type Step = { state: RecipientState; reply?: StoredReply; type: string; more: Record<string, unknown> }

function stepOf(recipient: Recipient, returned: Returned): Step | undefined {
  const recipients = [recipient.address]
  const climbs = (state: RecipientState) => RANK[state] > RANK[recipient.state]
  switch (returned.kind) {
    case 'delivered':
      if (!climbs('delivered')) return undefined
      return { state: 'delivered', reply: kept(returned.reply, 250), type: 'email.delivered', more: { recipients } }
    case 'complained':
      return climbs('complained') ? { state: 'complained', type: 'email.complained', more: { recipients } } : undefined
    case 'bounced': {
      // A server that has taken mail may yet find that it cannot keep it; what it says besides, that somebody is away, is no more than an answer.
      const undone = recipient.state === 'delivered' && returned.verdict.type === 'Permanent'
      if (!climbs('bounced') && !undone) return undefined
      const reply = kept(returned.reply, 554)
      const { type, subType } = returned.verdict
      const bounce = { message: reply.text, type, subType, diagnosticCode: [`smtp; ${shown(reply)}`] }
      return { state: 'bounced', reply, type: 'email.bounced', more: { recipient: recipient.address, bounce } }
    }
    case 'delayed': {
      const reply = kept(returned.reply, 450)
      if (!climbs('delivered') || shown(reply) === shown(recipient.reply)) return undefined
      const delayed = { reason: shown(reply) }
      return { state: recipient.state, reply, type: 'email.delivery_delayed', more: { recipients, delayed } }
    }
    case 'nothing':
      return undefined
  }
}

/** A recipient of whom the outcome is known is not tried again, and no longer in doubt. */
function moved(recipient: Recipient, state: RecipientState, reply: StoredReply | undefined, now: number): Recipient {
  const next = { ...recipient, state, ...(reply ? { reply } : {}), updatedAt: now }
  if (state === recipient.state) return next
  const { due: _, unknown: __, ...rest } = next
  return rest
}

function nextDue(recipients: readonly Recipient[], now: number): number | null {
  const open = recipients.filter(({ state }) => state === 'queued' || state === 'deferred')
  return open.length === 0 ? null : Math.min(...open.map(({ due }) => due ?? now))
}

/** A reply as rows have it: its codes beside its words. `code` stands where a report gave none, with 5.0.0 and its like. */
function kept(reply: ReplyLike, code: number): StoredReply {
  const words = reply.text
    .slice(0, 2 * MAX_REPLY_TEXT)
    .replace(/[\0-\x1f\x7f]+/g, ' ')
    .replace(/^ *(?:[245]\d\d[ :-]+){0,2}#?(?:[245]\.\d{1,3}\.\d{1,3}(?![.\d])[ :-]*)?/, '')
  const text = words.trim().slice(0, MAX_REPLY_TEXT).toWellFormed()
  if (reply.code === 0) return { code, enhanced: `${Math.floor(code / 100)}.0.0`, text }
  return { code: reply.code, ...(reply.enhanced ? { enhanced: reply.enhanced } : {}), text }
}

function shown(reply: StoredReply | undefined): string {
  return reply ? [reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ') : ''
}
