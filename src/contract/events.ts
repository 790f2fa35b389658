/** Events: what there is to be told of, and the feed of all of it in order. */
import * as z from 'zod'
import { Time } from './common.ts'
import { route } from './route.ts'

/** Every type of event, with what it says. A webhook can ask for each; the feed has them all. */
export const EVENT_TYPES = {
  'email.sent': 'The relay took a sent mail.',
  'email.scheduled': 'A mail was stored to be sent later.',
  'email.delivered': 'A sent mail is known to have reached its recipient.',
  'email.delivery_delayed': 'A sent mail could not be handed over yet and is tried again.',
  'email.bounced': 'A recipient of a sent mail refused it for good.',
  'email.complained': 'A recipient of a sent mail called it spam, or told his own mail service that he wants no more.',
  'email.failed': 'A sent mail was given up.',
  'email.suppressed': 'A recipient of a sent mail was left out, because the address is known to be dead or to object.',
  'email.unsubscribed': 'A recipient of a sent mail left its list, by the link in it.',
  'email.received': 'A mail came in.',
  'email.matched': 'A mail came in that a rule asks to tell of.',
  'email.forward_failed': 'A mail that came could not be forwarded to all it should go to.',
  'email.reply_failed': 'A mail that came could not be answered automatically.',
  'email.opened': 'A sent mail was opened. Told only where tracking is on.',
  'email.clicked': 'A link in a sent mail was followed. Told only where tracking is on.',
  'email.queued': 'A mail was taken for sending.',
  'email.canceled': 'A scheduled mail was called off.',
  'domain.created': 'A domain was added.',
  'domain.updated': 'A domain or its state changed.',
  'domain.deleted': 'A domain was removed.',
  'suppression.added': 'An address is not sent to any more.',
  'suppression.removed': 'An address is sent to again.',
  'message.created': 'Messages were made that were neither sent nor received: drafts, copies, imported mail.',
  'message.replaced': 'A draft was written anew; it has a new uid.',
  'message.updated': 'Keywords of messages changed.',
  'message.moved': 'Messages went to another mailbox.',
  'message.deleted': 'Messages were removed for good.',
  'mailbox.created': 'A mailbox was made.',
  'mailbox.updated': 'A mailbox changed.',
  'mailbox.deleted': 'A mailbox was removed.',
  'account.storage_warning':
    'The account’s mail takes nine tenths of its storage. Told once, until there is room again.',
  'webhook.disabled': 'An endpoint is not called any more, because it failed for days or asked for it.',
} as const satisfies Record<`${string}.${string}`, string>

export type EventType = keyof typeof EVENT_TYPES

export const EVENT_TYPE_NAMES = Object.keys(EVENT_TYPES) as readonly EventType[]

/** Whether there are events of this type. */
export function isEventType(name: string): name is EventType {
  return Object.hasOwn(EVENT_TYPES, name)
}

export const Event = z
  .object({
    object: z.literal('event'),
    seq: z
      .int()
      .meta({ description: 'Ascending within the account, in the order in which things were stored. Has gaps.' }),
    type: z.string(),
    created_at: Time,
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })

export const ListEvents = route({
  method: 'GET',
  path: '/events',
  tag: 'Events',
  summary: 'Every event of the account in order, oldest first. Nothing ever appears before a seq that was read.',
  scope: 'events:read',
  query: z.object({
    after: z.coerce
      .number()
      .int()
      .min(0)
      .default(0)
      .meta({ description: 'The seq after which to begin: `next_after` of the page before.' }),
    types: z.string().max(2000).optional().meta({ description: 'Only these types, separated by commas.' }),
    limit: z.coerce.number().int().min(1).max(100).default(100).meta({ description: 'How many, 1 to 100.' }),
    wait: z.coerce.number().int().min(0).max(30).default(0).meta({
      description: 'Where there is nothing yet: how many seconds to wait for it before an empty page is answered.',
    }),
  }),
  answer: z.object({
    object: z.literal('list'),
    has_more: z.boolean(),
    next_after: z
      .int()
      .meta({ description: 'Where the next page begins; a page may be empty and yet have more after it.' }),
    data: z.array(Event),
  }),
})
