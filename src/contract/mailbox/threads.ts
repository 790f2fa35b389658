/** Conversations. */
import * as z from 'zod'
import { Id } from '../common.ts'
import { MessageSummary } from '../messages.ts'
import { route } from '../route.ts'

export const GetThread = route({
  method: 'GET',
  path: '/threads/:id',
  tag: 'Messages',
  summary: 'A conversation: its newest 100 messages, oldest first. GET /messages?thread= pages through longer ones.',
  scope: 'messages:read',
  answer: z.object({
    object: z.literal('thread'),
    id: Id,
    has_more: z.boolean().meta({ description: 'There are older ones.' }),
    messages: z.array(MessageSummary),
  }),
  problems: ['not_found'],
})
