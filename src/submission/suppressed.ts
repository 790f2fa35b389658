/**
 * Nobody on the account's suppression list is sent to, and nobody who has left the list that a mail is for. The batch
 * that stores mail holds only while none of its recipients is such: so it costs no read, and no bounce can slip in
 * between. Where it does not hold, the lists are read, those on them are marked, and it is tried again. Mail that waits
 * is asked about when it is released.
 */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { sentMailEvent } from '../record/email-event.ts'
import { storedKey } from '../record/suppression.ts'
import type { Once } from '../store/idempotency.ts'
import type { NewEvent } from '../store/mail/change.ts'
import { lastEventOf } from '../store/mail/deliveries.ts'
import type { FilingTogether, NewMessage } from '../store/mail/filing.ts'
import type { Recipient } from '../store/mail/shapes.ts'
import { findUnsubscribed, type Member } from '../store/sending/unsubscribes.ts'
import { findSuppressions, type SuppressionOrigin } from '../store/suppressions.ts'

/** Mail about to be stored. */
export type Unfiled = Omit<FilingTogether, 'token' | 'keeping' | 'filed'> & { filed: readonly Entry[] }

/** `toListed`: those on the suppression list get it too. */
type Entry = FilingTogether['filed'][number] & { toListed?: boolean }

export type Reason = SuppressionOrigin | 'unsubscribed'

/** Why addresses are left out: by what `addressKey` makes of them, or by `memberKey`. */
export type Listed = ReadonlyMap<string, Reason>

/** Who was left out of which mail, by its id. */
export type LeftOut = ReadonlyMap<string, { address: string; reason: Reason }[]>

/** Whether a request may ask to be sent to those on the list too. @throws Problem restricted_api_key, invalid_parameter. */
export function checkOverride(ctx: Caller, { scheduled_at }: Pick<SendEmailBody, 'scheduled_at'> = {}): void {
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

/** To send to them too is another request than not to. */
export function onceListed(once: Once | undefined, toListed: boolean): Once | undefined {
  return once && toListed ? { ...once, body: `${once.body} to listed` } : once
}

/** Files mail without those who are on the lists; undefined where `file` failed for another reason. */
export async function leavingOut<Filed extends { listeners: number }>(
  ctx: Caller,
  filing: Unfiled,
  file: (filing: Unfiled, leftOut: LeftOut) => Promise<Filed | undefined>,
): Promise<Filed | undefined> {
  const listed = new Map<string, Reason>()
  for (;;) {
    const left = withoutListed(filing, listed)
    const changed = await file(left, leftOutOf(left, listed))
    if (changed) {
      if (listed.size > 0 && changed.listeners > 0) ctx.wake.webhooks(ctx.account)
      return changed
    }
    const known = listed.size
    await findListed(ctx, listed, left)
    // Each round finds more of them or is the last.
    if (listed.size === known) return undefined
  }
}

/** Adds those of these who are on the suppression list, or have left theirs. */
export async function findListed(
  ctx: Caller,
  listed: Map<string, Reason>,
  { clear, members }: { clear: readonly string[]; members: readonly Member[] },
): Promise<void> {
  for (const { email, origin } of await findSuppressions(ctx.stores, ctx.account, 'email', clear)) {
    listed.set(email, origin)
  }
  for (const left of await findUnsubscribed(ctx.stores, ctx.account, members)) {
    listed.set(memberKey(left), 'unsubscribed')
  }
}

/** Those of the recipients whom a mail goes to because they are on a list. */
export function membersOf(recipients: readonly Recipient[]): Member[] {
  return recipients.flatMap(({ list, address }) => (list === undefined ? [] : [{ list, email: storedKey(address) }]))
}

/** The name of a list has no blank in it. */
function memberKey({ list, email }: Member): string {
  return `${list} ${email}`
}

function reasonFor({ address, list }: Recipient, listed: Listed): Reason | undefined {
  const email = storedKey(address)
  const left = list === undefined ? undefined : listed.get(memberKey({ list, email }))
  return left ?? listed.get(email)
}

type Left = Unfiled & { clear: string[]; members: Member[] }

/** The mail with those on the lists marked, told of and not counted; all others must be clear of them when it is stored. */
function withoutListed(filing: Unfiled, listed: Listed): Left {
  const marked = filing.filed.map((entry) => ({ ...entry, ...markListed(entry, listed, filing.now) }))
  const leftOut = marked.reduce((sum, { count }) => sum + count, 0)
  const { keySends } = filing
  const ofKey = keySends && { ...keySends, sends: keySends.sends - leftOut }
  return {
    ...filing,
    filed: marked.map(({ message, event, toListed }) => ({ message, event, ...(toListed ? { toListed } : {}) })),
    told: [...(filing.told ?? []), ...marked.flatMap(({ told }) => told)],
    clear: [...new Set(marked.flatMap(({ clear }) => clear))],
    members: marked.flatMap(({ members }) => members),
    ...(filing.sends === undefined ? {} : { sends: filing.sends - leftOut }),
    ...(ofKey ? { keySends: ofKey } : {}),
  }
}

type Marked = { message: NewMessage; told: NewEvent[]; clear: string[]; members: Member[]; count: number }

/** One message; `clear` are those of its recipients that it may go to. */
function markListed({ message, toListed }: Entry, listed: Listed, now: number): Marked {
  if (message.scheduledAt !== undefined) return { message, told: [], clear: [], members: [], count: 0 }
  // Another mail of the batch may have asked about them; this one does not.
  const asked = toListed ? new Map([...listed].filter(([, reason]) => reason === 'unsubscribed')) : listed
  const { recipients, told } = leaveOut(message, message.recipients ?? [], asked, now)
  const open = recipients.filter(({ state }) => state !== 'suppressed')
  const clear = toListed ? [] : open.map(({ address }) => storedKey(address))
  const members = membersOf(open)
  if (told.length === 0) return { message, told, clear, members, count: 0 }
  const due = open.length > 0 ? message.due : null
  const left = { ...message, recipients, lastEvent: lastEventOf(recipients), due }
  return { message: left, told, clear, members, count: recipients.length - open.length }
}

function leftOutOf({ filed }: Left, listed: Listed): LeftOut {
  const each = filed.map(({ message }) => {
    const left = (message.recipients ?? []).filter(({ state }) => state === 'suppressed')
    const told = left.map((recipient) => ({
      address: recipient.address,
      reason: reasonFor(recipient, listed) ?? 'manual',
    }))
    return [message.id, told] as const
  })
  return new Map(each.filter(([, told]) => told.length > 0))
}

/** Marks recipients that are on a list; an event for each reason, for a hundred dead addresses are not a hundred events. */
export function leaveOut(
  mail: Parameters<typeof sentMailEvent>[1],
  recipients: readonly Recipient[],
  listed: Listed,
  now: number,
): { recipients: Recipient[]; told: NewEvent[] } {
  const told = [...Map.groupBy(recipients, (recipient) => reasonFor(recipient, listed))].flatMap(([reason, some]) => {
    if (!reason) return []
    const type = reason === 'unsubscribed' ? 'Unsubscribed' : 'OnAccountSuppressionList'
    const suppressed = { type, reason, message: MESSAGES[reason] }
    return [sentMailEvent('email.suppressed', mail, { recipients: some.map(({ address }) => address), suppressed })]
  })
  const marked = recipients.map((recipient): Recipient => {
    if (!reasonFor(recipient, listed)) return recipient
    const { due: _, ...rest } = recipient
    return { ...rest, state: 'suppressed', updatedAt: now }
  })
  return { recipients: marked, told }
}

const MESSAGES: Record<Reason, string> = {
  bounce: 'Not sent: mail to this address bounced for good before. Remove its suppression to send to it again.',
  complaint: 'Not sent: this recipient called earlier mail spam. Remove the suppression to send to it again.',
  manual: 'Not sent: this address was put on the suppression list. Remove it from there to send to it again.',
  unsubscribed: 'Not sent: this recipient has left the list that the mail is for.',
}
