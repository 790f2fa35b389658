/** Many messages at once: changed, moved, copied or deleted in one step. */
import * as z from 'zod'
import { Id, Time } from '../common.ts'
import { ChangeMessageBody, MessageSummary } from '../messages.ts'
import { route } from '../route.ts'

/** What one batch of the database and one event can name. */
export const MAX_BULK = 1000

/** Each is read from storage and written to it again. */
export const MAX_COPIES = 100

const { keywords, mailbox } = ChangeMessageBody.shape

const Filter = z
  .strictObject({
    mailbox: z.string().optional().meta({ description: 'A mailbox’s id, or a role such as inbox.' }),
    thread: z.string().optional(),
    direction: z.enum(['received', 'sent']).optional(),
    address: z.string().optional().meta({ description: 'As in GET /messages.' }),
    before: Time.optional().meta({ description: 'Only what was made here before then.' }),
    after: z
      .string()
      .optional()
      .meta({ description: 'Goes on behind this message: `next_after` of the answer before.' }),
  })
  .refine((filter) => Object.entries(filter).some(([name, value]) => name !== 'after' && value !== undefined), {
    error: 'needs at least one condition',
  })
  .meta({ id: 'BulkFilter', description: 'Oldest first, at most 1,000 at a time.' })

export const BulkBody = z
  .strictObject({
    ids: z.array(z.string().max(100)).min(1).max(MAX_BULK).optional(),
    filter: Filter.optional(),
    keywords,
    mailbox,
    copy_to: z
      .string()
      .optional()
      .meta({ description: `The id or role of the mailbox to copy them to, ${MAX_COPIES} at a time.` }),
    delete: z
      .literal(true)
      .optional()
      .meta({ description: 'Moves them to Trash; with `permanent`, deletes them for good.' }),
    permanent: z.boolean().optional(),
  })
  .refine((body) => (body.ids === undefined) !== (body.filter === undefined), {
    path: ['ids'],
    error: 'give either ids or a filter',
  })
  .refine((body) => kindsOf(body) === 1, {
    path: ['mailbox'],
    error: 'give one of: keywords or mailbox (or both), copy_to, delete',
  })
  .refine((body) => body.permanent === undefined || body.delete !== undefined, {
    path: ['permanent'],
    error: 'goes with delete',
  })
  .refine((body) => body.copy_to === undefined || body.ids === undefined || body.ids.length <= MAX_COPIES, {
    path: ['ids'],
    error: `at most ${MAX_COPIES} are copied at a time`,
  })
  .meta({ id: 'Bulk', example: { ids: ['01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90'], keywords: { $seen: true } } })

export type BulkBody = z.output<typeof BulkBody>

/** Changes, a copy and a deletion exclude one another. */
function kindsOf(body: { keywords?: unknown; mailbox?: unknown; copy_to?: unknown; delete?: unknown }): number {
  const changes = body.keywords !== undefined || body.mailbox !== undefined
  return Number(changes) + Number(body.copy_to !== undefined) + Number(body.delete !== undefined)
}

export const BulkOutcome = z.object({
  id: Id,
  status: z.enum(['done', 'not_found', 'refused']),
  reason: z.string().optional().meta({ description: 'Why it was refused.' }),
  copy: Id.optional().meta({ description: 'The id of its copy.' }),
})

export const BulkAnswer = z
  .object({
    object: z.literal('list'),
    has_more: z.boolean().meta({ description: 'With a filter: there are more that it finds.' }),
    next_after: z.string().nullable().meta({ description: 'Where the next request goes on, where there are more.' }),
    data: z.array(BulkOutcome).meta({ description: 'One for each id, in their order.' }),
  })
  .meta({ id: 'BulkAnswer' })

export const ChangeMany = route({
  method: 'POST',
  path: '/messages/batch',
  tag: 'Messages',
  summary: 'Change, move, copy or delete up to 1,000 messages in one step of the history.',
  scope: 'messages:write',
  body: BulkBody,
  answer: BulkAnswer,
  problems: ['not_found', 'validation_error', 'payload_too_large', 'service_unavailable'],
})

export const CopyMessage = route({
  method: 'POST',
  path: '/messages/:id/copy',
  tag: 'Messages',
  summary: 'Copy a message to a mailbox: another message with its own id and bytes, in the same thread.',
  scope: 'messages:write',
  creates: true,
  status: 201,
  body: z.strictObject({
    mailbox: z.string().meta({ description: 'The id or role of the mailbox.', example: 'archive' }),
  }),
  answer: MessageSummary,
  problems: ['not_found', 'validation_error', 'payload_too_large', 'service_unavailable'],
})
