/**
 * What Cloudflare's mail service tells of mail that it took from us, by a queue that it alone writes to: one event for
 * each recipient, found by the id under which the mail was taken.
 * https://developers.cloudflare.com/email-service/platform/event-subscriptions/
 */
import { textAt } from '../base/json.ts'
import type { Context } from '../context.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import type { ProviderEvent } from '../directory/providers/adapter.ts'
import { isComplaint } from '../mail/returned/arf.ts'
import type { Returned } from '../mail/returned/returned.ts'
import { judgeTold, type ToldClass, toldReply } from '../mail/returned/told.ts'
import { findHanded } from '../store/relays/handed.ts'
import { takeEvent } from './told.ts'

/** Takes the events of a batch, in any order and as often as they come. Throws where one can be neither applied nor kept now: then the batch comes again. */
export async function takeCloudflareEvents(ctx: Context, events: readonly unknown[]): Promise<void> {
  for (const content of events) {
    const event = readCloudflareEvent(content)
    if (!event) {
      ctx.log('warn', 'an event of the mail service was not understood', {
        type: textAt(content, 'type').slice(0, 100),
      })
      continue
    }
    const handed = await findHanded(ctx.stores, event.id, ctx.now())
    const owner = handed && (await findAccountByNumber(ctx, handed.account))
    if (handed && owner) await takeEvent(ctx, owner, handed, event)
    else ctx.log('info', 'the mail service told of no mail of ours', { kind: event.returned.kind })
  }
}

type Told = Pick<ProviderEvent, 'recipient' | 'returned'> & { id: string }

/** Reads one event; undefined where it is none that we know. */
export function readCloudflareEvent(content: unknown): Told | undefined {
  const type = textAt(content, 'type')
  const reader = type.startsWith(PREFIX) ? READERS.get(type.slice(PREFIX.length)) : undefined
  const id = textAt(content, 'payload', 'messageId')
  const recipient = textAt(content, 'payload', 'recipient')
  return reader && id !== '' && recipient !== '' ? { id, recipient, returned: reader(content) } : undefined
}

const PREFIX = 'cf.email.sending.message.'

const READERS = new Map<string, (content: unknown) => Returned>([
  ['delivered', (content) => ({ kind: 'delivered', reply: toldReply(saidIn(content), statusIn(content) || '2.0.0') })],
  ['deferred', (content) => ({ kind: 'delayed', reply: toldReply(saidIn(content), statusIn(content) || '4.0.0') })],
  ['bounced', readBounce],
  [
    'failed',
    (content) => judgeTold({ said: '', spare: textAt(content, 'payload', 'failure', 'reason'), known: UNKNOWN }),
  ],
  ['rejected', readRejection],
  ['complained', readComplaint],
])

const UNKNOWN: ToldClass = { type: 'Undetermined', subType: 'General' }

/** It calls hard whatever a server refused for good, and what it could not find a server for: the words say which. */
function readBounce(content: unknown): Returned {
  const hard = textAt(content, 'payload', 'bounce', 'type') === 'hard'
  const status = statusIn(content)
  return judgeTold({
    said: saidIn(content),
    ...(status ? { status } : {}),
    known: { type: hard ? 'Permanent' : 'Transient', subType: 'General' },
  })
}

/** It did not try: the recipient is on its list, or it does not like the mail. */
function readRejection(content: unknown): Returned {
  const reason = textAt(content, 'payload', 'rejection', 'reason').toLowerCase()
  const subType =
    reason === 'suppressed' ? 'OnAccountSuppressionList' : reason.includes('spam') ? 'ContentRejected' : 'General'
  const spare = textAt(content, 'payload', 'rejection', 'detail') || reason
  return judgeTold({ said: '', spare, known: { type: 'Permanent', subType } })
}

function readComplaint(content: unknown): Returned {
  const type = textAt(content, 'payload', 'complaint', 'type').toLowerCase()
  return isComplaint(type) ? { kind: 'complained', type: type || 'abuse' } : { kind: 'nothing', why: 'not-a-complaint' }
}

/** The server's reply; where none was reached, what the service says of that. */
function saidIn(content: unknown): string {
  const said = textAt(content, 'payload', 'delivery', 'smtpResponse') || textAt(content, 'payload', 'bounce', 'reason')
  const code = textAt(content, 'payload', 'delivery', 'smtpStatusCode')
  return /^\d{3}/.test(said) || !/^\d{3}$/.test(code) ? said : `${code} ${said}`
}

function statusIn(content: unknown): string {
  const status = textAt(content, 'payload', 'delivery', 'smtpEnhancedStatusCode')
  return /^[245]\.\d{1,3}\.\d{1,3}$/.test(status) ? status : ''
}
