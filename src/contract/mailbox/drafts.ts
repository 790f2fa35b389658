/** Drafts: mail that is written and not sent yet. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from '../common.ts'
import { NoQuery, SendEmailBody, Suppressed } from '../emails.ts'
import { AttachmentLine, MessageSummary } from '../messages.ts'
import { route } from '../route.ts'

const { to, cc, bcc, reply_to, html, headers, tags, attachments } = SendEmailBody.shape

const fields = {
  from: z.string().nullish().meta({ example: 'Me <hello@demo.test>' }),
  to: to.nullish(),
  cc,
  bcc,
  reply_to,
  subject: z.string().nullish().meta({ example: 'Hello' }),
  html,
  text: z.string().nullish().meta({ example: 'It is not done yet.' }),
  headers,
  tags,
  attachments,
}

export const DraftBody = z
  .strictObject({
    ...fields,
    in_reply_to: z.string().nullish().meta({
      description: 'The id of the message that it answers: gives thread, subject and addresses not given here.',
    }),
  })
  .meta({ id: 'DraftBody' })

export type DraftBody = z.output<typeof DraftBody>

export const DraftPatch = z
  .strictObject({
    ...fields,
    keep_attachments: z
      .array(z.string().max(100))
      .max(100)
      .optional()
      .meta({ description: 'Ids of attachments that stay. By default all do, or none where `attachments` are given.' }),
    modseq: z.int().optional().meta({
      description: 'The draft’s modseq as it was read: where it has changed since, 409 and nothing is written.',
    }),
  })
  .meta({ id: 'DraftPatch' })

export type DraftPatch = z.output<typeof DraftPatch>

export const DraftView = z
  .object({
    object: z.literal('draft'),
    id: Id,
    uid: z.int(),
    modseq: z.int(),
    thread: Id,
    from: z.string().nullable(),
    to: z.array(z.string()),
    cc: z.array(z.string()),
    bcc: z.array(z.string()),
    reply_to: z.array(z.string()),
    subject: z.string(),
    html: z.string().nullable(),
    text: z.string().nullable(),
    headers: z.record(z.string(), z.string()),
    tags: z.array(z.object({ name: z.string(), value: z.string() })),
    attachments: z.array(AttachmentLine),
    created_at: Time,
    size: z.int(),
  })
  .meta({ id: 'Draft' })

export type SendDraftBody = z.output<(typeof SendDraft)['body']>

const shared = { tag: 'Drafts', scope: 'messages:write' } as const

const writing = ['validation_error', 'invalid_attachment', 'payload_too_large', 'service_unavailable'] as const

export const CreateDraft = route({
  ...shared,
  method: 'POST',
  path: '/drafts',
  summary: 'Keep a mail that is not done yet: the fields of POST /emails, none of them required.',
  creates: true,
  status: 201,
  body: DraftBody,
  answer: DraftView,
  problems: ['not_found', ...writing],
})

export const ListDrafts = route({
  ...shared,
  method: 'GET',
  path: '/drafts',
  scope: 'messages:read',
  summary: 'All drafts, the one written last first.',
  query: ListQuery,
  answer: list(MessageSummary),
  problems: ['invalid_parameter'],
})

export const GetDraft = route({
  ...shared,
  method: 'GET',
  path: '/drafts/:id',
  scope: 'messages:read',
  summary: 'One draft with all that was written.',
  answer: DraftView,
  problems: ['not_found'],
})

export const UpdateDraft = route({
  ...shared,
  method: 'PATCH',
  path: '/drafts/:id',
  summary:
    'Write a draft anew: what is not given stays, null takes it away. The last one to write wins, unless modseq is given.',
  body: DraftPatch,
  answer: DraftView,
  problems: ['not_found', 'conflict', ...writing],
})

export const DeleteDraft = route({
  ...shared,
  method: 'DELETE',
  path: '/drafts/:id',
  summary: 'Delete a draft for good.',
  answer: deleted('draft'),
  problems: ['not_found', 'service_unavailable'],
})

export const SendDraft = route({
  ...shared,
  method: 'POST',
  path: '/drafts/:id/send',
  scope: 'emails:send',
  summary: 'Send a draft: it becomes the sent mail, under its id. A draft that was sent already is not sent again.',
  creates: true,
  query: NoQuery,
  body: z.strictObject({
    scheduled_at: SendEmailBody.shape.scheduled_at,
    unsubscribe: SendEmailBody.shape.unsubscribe,
  }),
  answer: z.object({ id: z.string(), suppressed: Suppressed }),
  problems: [
    'not_found',
    'conflict',
    'missing_required_field',
    'invalid_from_address',
    'domain_not_verified',
    'daily_quota_exceeded',
    'payload_too_large',
  ],
})
