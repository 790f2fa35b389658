/** Conversations. */
import * as z from 'zod'
import { Id, list } from '../common.ts'
import { ChangeMessageBody, MessageSummary } from '../messages.ts'
import { route } from '../route.ts'
import { BulkAnswer } from './bulk.ts'

const participants = z.array(z.string()).meta({ description: 'Who wrote in it, in the order in which they came in.' })

export const ThreadLine = z
  .object({
    object: z.literal('thread'),
    id: Id,
    messages: z.int().meta({ description: 'How many it has: at most 100 of each direction are counted.' }),
    more: z.boolean().meta({ description: 'It has more than are counted.' }),
    unread: z.int().meta({ description: 'Those that were counted and are without the keyword $seen.' }),
    has_attachment: z.boolean(),
    participants,
    latest: MessageSummary,
  })
  .meta({ id: 'ThreadLine' })

export const Thread = z
  .object({
    object: z.literal('thread'),
    id: Id,
    has_more: z.boolean().meta({ description: 'There are older ones.' }),
    unread: z.int().meta({ description: 'Of the messages that are shown.' }),
    participants,
    messages: z.array(MessageSummary),
  })
  .meta({ id: 'Thread' })

export const ListThreads = route({
  method: 'GET',
  path: '/threads',
  tag: 'Messages',
  summary:
    'Conversations, the one with the newest message first. A page looks through 400 messages at most: it may be short and yet have more behind it.',
  scope: 'messages:read',
  query: z.object({
    limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'How many, 1 to 100.' }),
    after: z
      .string()
      .max(100)
      .optional()
      .meta({ description: 'Where the page begins: `next_after` of the one before.' }),
    mailbox: z.string().optional().meta({
      description: 'A mailbox’s id or role: only threads with a message in it, by the one that entered last.',
    }),
  }),
  answer: list(ThreadLine).extend({ next_after: z.string().nullable() }),
  problems: ['not_found'],
})

export const GetThread = route({
  method: 'GET',
  path: '/threads/:id',
  tag: 'Messages',
  summary: 'A conversation: its newest 100 messages, oldest first. GET /messages?thread= pages through longer ones.',
  scope: 'messages:read',
  answer: Thread,
  problems: ['not_found'],
})

const after = z
  .string()
  .max(100)
  .optional()
  .meta({ description: 'In a thread of more than 1,000 messages: goes on behind `next_after` of the answer before.' })

export const ChangeThread = route({
  method: 'PATCH',
  path: '/threads/:id',
  tag: 'Messages',
  summary: 'Set keywords of all messages of a conversation, move them, or both in one step.',
  scope: 'messages:write',
  query: z.object({ after }),
  body: ChangeMessageBody,
  answer: BulkAnswer,
  problems: ['not_found', 'validation_error', 'service_unavailable'],
})

export const DeleteThread = route({
  method: 'DELETE',
  path: '/threads/:id',
  tag: 'Messages',
  summary: 'Move all messages of a conversation to Trash; with `permanent=true` delete them for good.',
  scope: 'messages:write',
  query: z.object({ after, permanent: z.enum(['true', 'false']).default('false') }),
  answer: BulkAnswer,
  problems: ['not_found', 'service_unavailable'],
})
