/**
 * Nobody on the account's suppression list is sent to. The batch that stores mail holds only while none of its
 * recipients is on the list: so it costs no read, and no bounce can slip in between. Where it does not hold, the list
 * is read, those on it are marked, and it is tried again. Mail that waits is asked about when it is released.
 */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { sentMailEvent } from '../record/email-event.ts'
import { storedKey } from '../record/suppression.ts'
import type { NewEvent } from '../store/mail/change.ts'
import { lastEventOf } from '../store/mail/deliveries.ts'
import type { FilingTogether, NewMessage } from '../store/mail/filing.ts'
import type { Recipient } from '../store/mail/shapes.ts'
import { findSuppressions, type SuppressionOrigin } from '../store/suppressions.ts'

/** Mail about to be stored. */
export type Unfiled = Omit<FilingTogether, 'token'>

/** Why addresses are on the list, by what `addressKey` makes of them. */
type Listed = ReadonlyMap<string, SuppressionOrigin>

/** Whether a request may ask to be sent to those on the list too. @throws Problem restricted_api_key, invalid_parameter. */
export function checkOverride(ctx: Caller, { scheduled_at }: Pick<SendEmailBody, 'scheduled_at'>): void {
  if (!ctx.access.scopes.has('suppressions:override')) {
    throw new Problem('restricted_api_key', 'This API key lacks the scope suppressions:override', {
      fix: 'Leave `ignore_suppressions` out, or use a key with the scope suppressions:override.',
    })
  }
  if (scheduled_at === null || scheduled_at === undefined) return
  const reason = 'does not go with scheduled_at: the list is asked when the mail is released'
  throw new Problem('invalid_parameter', `\`ignore_suppressions\` ${reason}.`, {
    fields: [{ path: 'ignore_suppressions', reason }],
  })
}

/** Files mail without those who are on the list; undefined where `file` failed for another reason. */
export async function leavingOut(
  ctx: Caller,
  filing: Unfiled,
  file: (filing: Unfiled) => Promise<{ listeners: number } | undefined>,
): Promise<{ listeners: number } | undefined> {
  const listed = new Map<string, SuppressionOrigin>()
  for (;;) {
    const left = withoutListed(filing, listed)
    const changed = await file(left)
    if (changed) {
      if (listed.size > 0 && changed.listeners > 0) ctx.wake.webhooks(ctx.account)
      return changed
    }
    const found = await findSuppressions(ctx.stores, ctx.account, 'email', left.clear)
    const known = listed.size
    for (const { email, origin } of found) listed.set(email, origin)
    // Each round finds more of them or is the last.
    if (listed.size === known) return undefined
  }
}

/** The mail with those on the list marked, told of and not counted; all others must be clear of the list when it is stored. */
function withoutListed(filing: Unfiled, listed: Listed): Unfiled & { clear: string[] } {
  const marked = filing.filed.map(({ message, event }) => ({ event, ...markListed(message, listed, filing.now) }))
  const leftOut = marked.reduce((sum, { count }) => sum + count, 0)
  return {
    ...filing,
    filed: marked.map(({ message, event }) => ({ message, event })),
    told: marked.flatMap(({ told }) => told),
    clear: [...new Set(marked.flatMap(({ clear }) => clear))],
    ...(filing.sends === undefined ? {} : { sends: filing.sends - leftOut }),
  }
}

type Marked = { message: NewMessage; told: NewEvent[]; clear: string[]; count: number }

/** One message; `clear` are those of its recipients that it may go to. */
function markListed(message: NewMessage, listed: Listed, now: number): Marked {
  if (message.scheduledAt !== undefined) return { message, told: [], clear: [], count: 0 }
  const { recipients, told } = leaveOut(message, message.recipients ?? [], listed, now)
  const open = recipients.filter(({ state }) => state !== 'suppressed')
  const clear = open.map(({ address }) => storedKey(address))
  if (told.length === 0) return { message, told, clear, count: 0 }
  const due = open.length > 0 ? message.due : null
  const left = { ...message, recipients, lastEvent: lastEventOf(recipients), due }
  return { message: left, told, clear, count: recipients.length - open.length }
}

/** Marks recipients that are on the list; an event for each reason, for a hundred dead addresses are not a hundred events. */
export function leaveOut(
  mail: Parameters<typeof sentMailEvent>[1],
  recipients: readonly Recipient[],
  listed: Listed,
  now: number,
): { recipients: Recipient[]; told: NewEvent[] } {
  const originOf = ({ address }: Recipient) => listed.get(storedKey(address))
  const told = [...Map.groupBy(recipients, originOf)].flatMap(([reason, some]) => {
    if (!reason) return []
    const suppressed = { type: 'OnAccountSuppressionList', reason, message: MESSAGES[reason] }
    return [sentMailEvent('email.suppressed', mail, { recipients: some.map(({ address }) => address), suppressed })]
  })
  const marked = recipients.map((recipient): Recipient => {
    if (!originOf(recipient)) return recipient
    const { due: _, ...rest } = recipient
    return { ...rest, state: 'suppressed', updatedAt: now }
  })
  return { recipients: marked, told }
}

const MESSAGES: Record<SuppressionOrigin, string> = {
  bounce: 'Not sent: mail to this address bounced for good before. Remove its suppression to send to it again.',
  complaint: 'Not sent: this recipient called earlier mail spam. Remove the suppression to send to it again.',
  manual: 'Not sent: this address was put on the suppression list. Remove it from there to send to it again.',
}
