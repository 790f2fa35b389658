/** What an outcome means for a recipient's state, for the next attempt, and for those who listen. Pure: decided on the row as it stands now. */
import { relayRetryDelay } from '../base/schedule.ts'
import { classifyReply } from '../mail/returned/verdict.ts'
import { sentMailEvent } from '../record/email-event.ts'
import type { NewEvent } from '../store/mail/change.ts'
import { type Held, lastEventOf } from '../store/mail/deliveries.ts'
import type { Recipient, StoredReply } from '../store/mail/shapes.ts'

/** What became of one recipient in one attempt. */
export type Judged =
  /** The relay took it. */
  | { kind: 'sent'; reply: StoredReply; relay: string }
  /** Not now: it is tried again until it is too old. */
  | { kind: 'deferred'; reply: StoredReply }
  /** It may have been taken, and is tried again with the same Message-ID. */
  | { kind: 'unknown'; reason: string }
  /** A server refused it for good. */
  | { kind: 'bounced'; reply: StoredReply }
  /** We cannot send it, whatever a server might say. */
  | { kind: 'failed'; reason: string }
  /** Its turn did not come: no attempt. */
  | { kind: 'released' }
  /** Its turn comes at `due`, and that was no attempt; a `reply` tells of trouble that its sender should know of. */
  | { kind: 'postponed'; due: number; reply?: StoredReply }
  /** A test recipient. */
  | { kind: 'simulated'; as: 'delivered' | 'bounced' | 'complained' | 'suppressed' }

/** Outcomes by the recipient's place in the message. */
export type Outcomes = ReadonlyMap<number, Judged>

/** How long is tried, and what moves a retry by up to a fifth. */
export type Patience = { readonly now: number; readonly giveUpMs: number; randomUnit(): number }

export type Settled = {
  recipients: Recipient[]
  events: NewEvent[]
  /** Addresses that a server said are dead: no more mail may go to them. */
  dead: string[]
  lastEvent: string
  relay?: string
  /** Present once no recipient is left under this claim. */
  release?: { due: number | null }
  /** Whether anything happened that an owner could see. */
  visible: boolean
}

/** As much of a reply as a row keeps: a hundred recipients of it still leave the row small. */
const MAX_REPLY_TEXT = 500

/**
 * Applies outcomes to the recipients as they stand. One that another path has brought further meanwhile stays where it is;
 * one whose mark is not of this claim was settled before: so an outcome that is applied twice changes nothing.
 */
export function settleRecipients(held: Held, outcomes: Outcomes, patience: Patience): Settled {
  const told = new Telling(held)
  let relay: string | undefined
  let visible = false
  const recipients = held.recipients.map((recipient, index): Recipient => {
    const judged = outcomes.get(index)
    if (!judged || recipient.begun !== held.claim.now) return recipient
    const { begun: _, ...rest } = recipient
    const untried = { ...rest, attempts: Math.max(0, rest.attempts - 1) }
    if (judged.kind === 'released') return untried
    if (judged.kind === 'postponed' && !judged.reply && !isTooLate(rest, held, judged.due, patience)) {
      return isOpen(rest) ? { ...untried, due: judged.due } : rest
    }
    visible = true
    if (judged.kind === 'sent') {
      relay = judged.relay
      told.sent.push(recipient.address)
    }
    if (!isOpen(recipient)) return rest
    return climb(rest, judged, held, patience, told)
  })
  const left = recipients.some((recipient) => recipient.begun === held.claim.now)
  return {
    recipients,
    events: told.events(),
    dead: told.bounced.flatMap(({ address, reply }) => (classifyReply(reply).suppress ? [address] : [])),
    lastEvent: lastEventOf(recipients),
    visible,
    ...(relay === undefined ? {} : { relay }),
    ...(left ? {} : { release: { due: nextDue(recipients, patience.now) } }),
  }
}

/** Whether there is still something to try for it. */
export function isOpen({ state }: Recipient): boolean {
  return state === 'queued' || state === 'deferred'
}

function climb(
  recipient: Recipient,
  judged: Exclude<Judged, { kind: 'released' }>,
  held: Held,
  patience: Patience,
  told: Telling,
): Recipient {
  const { due: _, ...rest } = { ...recipient, updatedAt: patience.now }
  switch (judged.kind) {
    case 'sent':
      return { ...rest, state: 'sent', reply: kept(judged.reply) }
    case 'bounced':
      told.bounced.push({ address: rest.address, reply: kept(judged.reply) })
      return { ...rest, state: 'bounced', reply: kept(judged.reply) }
    case 'failed':
      told.fail(rest.address, judged.reason)
      return { ...rest, state: 'failed', reply: kept({ code: 554, enhanced: '5.0.0', text: judged.reason }) }
    case 'simulated':
      told.simulate(rest.address, judged.as)
      return { ...rest, state: judged.as }
    case 'deferred':
      return defer({ ...rest, reply: kept(judged.reply) }, held, patience, told)
    case 'postponed': {
      const reply = judged.reply ? { reply: kept(judged.reply) } : {}
      return wait({ ...rest, ...reply, attempts: Math.max(0, rest.attempts - 1) }, held, judged.due, patience, told)
    }
    case 'unknown': {
      const reply = { code: 451, enhanced: '4.4.2', text: `it may have arrived: ${judged.reason}` }
      return defer({ ...rest, reply: kept(reply), unknown: true }, held, patience, told)
    }
  }
}

function defer(recipient: Recipient, held: Held, patience: Patience, told: Telling): Recipient {
  // The schedule's own end is of 48 hours; ours is a setting, so it is told an age of nothing.
  const delay = relayRetryDelay(recipient.attempts, 0, patience.randomUnit()) ?? patience.giveUpMs
  return wait(recipient, held, patience.now + delay, patience, told)
}

function wait(recipient: Recipient, held: Held, due: number, patience: Patience, told: Telling): Recipient {
  const reason = showReply(recipient.reply) || 'its turn did not come within what the relay allows'
  if (isTooLate(recipient, held, due, patience)) {
    told.fail(recipient.address, `given up after ${recipient.attempts} attempts: ${reason}`)
    return { ...recipient, state: 'failed' }
  }
  if (recipient.state === 'queued') told.delay(recipient.address, reason)
  return { ...recipient, state: 'deferred', due }
}

function isTooLate({ since }: Recipient, held: Held, due: number, { giveUpMs }: Patience): boolean {
  return due - (since ?? held.createdAt) > giveUpMs
}

function nextDue(recipients: Recipient[], now: number): number | null {
  const open = recipients.filter(isOpen)
  return open.length === 0 ? null : Math.min(...open.map(({ due }) => due ?? now))
}

function kept({ code, enhanced, text }: StoredReply): StoredReply {
  return { code, ...(enhanced ? { enhanced } : {}), text: text.slice(0, MAX_REPLY_TEXT).toWellFormed() }
}

function showReply(reply: StoredReply | undefined): string {
  return reply ? [reply.code, reply.enhanced, reply.text.replaceAll('\n', ' ')].filter(Boolean).join(' ') : ''
}

/** The events of one write, in the order of the states they tell of. */
class Telling {
  readonly sent: string[] = []
  readonly bounced: { address: string; reply: StoredReply }[] = []
  private readonly pretended: string[] = []
  private readonly delivered: string[] = []
  private readonly complained: string[] = []
  private readonly suppressed: string[] = []
  private readonly delayed = new Map<string, string[]>()
  private readonly failed = new Map<string, string[]>()
  private readonly held: Held

  constructor(held: Held) {
    this.held = held
  }

  delay(address: string, reason: string): void {
    gather(this.delayed, reason, address)
  }

  fail(address: string, reason: string): void {
    gather(this.failed, reason, address)
  }

  simulate(address: string, as: 'delivered' | 'bounced' | 'complained' | 'suppressed'): void {
    if (as === 'delivered') this.sent.push(address)
    if (as === 'delivered' || as === 'complained') this.delivered.push(address)
    if (as === 'complained') this.complained.push(address)
    if (as === 'suppressed') this.suppressed.push(address)
    if (as === 'bounced') this.pretended.push(address)
  }

  events(): NewEvent[] {
    const named = (type: string, addresses: string[], more: Record<string, unknown> = {}) =>
      addresses.length > 0 ? [sentMailEvent(type, this.held, { recipients: addresses, ...more })] : []
    return [
      ...named('email.sent', this.sent),
      ...named('email.delivered', this.delivered),
      ...named('email.complained', this.complained),
      ...[...this.delayed].flatMap(([reason, addresses]) =>
        named('email.delivery_delayed', addresses, { delayed: { reason } }),
      ),
      // A test recipient is to bounce each time, so that it is not taken for dead.
      ...[...this.bounced, ...this.pretended.map((address) => ({ address, reply: SIMULATED_BOUNCE }))].map(
        ({ address, reply }) =>
          sentMailEvent('email.bounced', this.held, { recipient: address, bounce: describeBounce(reply) }),
      ),
      ...[...this.failed].flatMap(([reason, addresses]) => named('email.failed', addresses, { failed: { reason } })),
      ...named('email.suppressed', this.suppressed, {
        suppressed: { type: 'OnAccountSuppressionList', message: 'A test recipient that is always suppressed.' },
      }),
    ]
  }
}

const SIMULATED_BOUNCE: StoredReply = { code: 550, enhanced: '5.1.1', text: 'user unknown (a test recipient)' }

function describeBounce(reply: StoredReply) {
  const { type, subType } = classifyReply(reply)
  return { message: reply.text, type, subType, diagnosticCode: [`smtp; ${showReply(reply)}`] }
}

function gather(groups: Map<string, string[]>, key: string, address: string): void {
  groups.set(key, [...(groups.get(key) ?? []), address])
}
