/** Stored mail delivered anew: its bytes read by the present parser, asked the present rules, told of again. */
import * as z from 'zod'
import { Id, Time } from '../common.ts'
import { route } from '../route.ts'

const how = {
  tell: z.boolean().default(true).meta({ description: 'Whether `email.received` is told again.' }),
  rules: z.boolean().default(false).meta({
    description:
      'Whether the enabled rules are asked: they move, mark and drop. Nothing is refused, forwarded or answered.',
  }),
}

export const RedeliverBody = z.strictObject(how).meta({ id: 'Redeliver' })

export type RedeliverBody = z.output<typeof RedeliverBody>

export const Redelivered = z.object({
  object: z.literal('message'),
  id: Id,
  changed: z.boolean().meta({ description: 'Whether what is told of it differs from before, or a rule changed it.' }),
  matched: z.boolean().meta({ description: 'Whether a rule matched.' }),
})

export type Redelivered = z.output<typeof Redelivered>

export const RedeliverMany = z
  .strictObject({
    ...how,
    mailbox: z.string().max(100).optional().meta({ description: 'Only mail in it now: an id or a role.' }),
    after: z.iso.datetime({ offset: true }).optional().meta({ description: 'Only mail that came since.' }),
    before: z.iso.datetime({ offset: true }).optional().meta({ description: 'Only mail that came before.' }),
  })
  .meta({ id: 'RedeliverMany' })

export type RedeliverMany = z.output<typeof RedeliverMany>

export const Redelivery = z
  .object({
    object: z.literal('redelivery'),
    id: Id,
    status: z.enum(['running', 'done', 'failed']),
    checked: z.int().meta({ description: 'Messages read so far.' }),
    matched: z.int(),
    changed: z.int(),
    unread: z.int().meta({ description: 'Messages whose bytes are gone.' }),
    created_at: Time,
    finished_at: Time.nullable(),
  })
  .meta({ id: 'Redelivery' })

export type Redelivery = z.output<typeof Redelivery>

const tag = 'Messages'

export const Redeliver = route({
  method: 'POST',
  path: '/messages/:id/redeliver',
  tag,
  summary:
    'Deliver a received message anew: its bytes are read by the present parser. Its id, bytes, thread and verdicts stay.',
  scope: 'messages:write',
  body: RedeliverBody,
  answer: Redelivered,
  problems: ['not_found', 'service_unavailable'],
})

export const RedeliverRange = route({
  method: 'POST',
  path: '/messages/redeliver',
  tag,
  summary:
    'Deliver received mail of a time anew, oldest first, in steps. Where a step is repeated after a failure, some of it is told twice.',
  scope: 'messages:write',
  body: RedeliverMany,
  creates: true,
  status: 201,
  answer: Redelivery,
  problems: ['rate_limit_exceeded', 'service_unavailable'],
})

export const GetRedelivery = route({
  method: 'GET',
  path: '/messages/redeliveries/:id',
  tag,
  summary: 'How far a re-delivery is; told for seven days.',
  scope: 'messages:read',
  answer: Redelivery,
  problems: ['not_found'],
})
