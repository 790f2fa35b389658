/** Sent mail as Resend's clients read it. */
import * as z from 'zod'
import { Id, ListQuery, list, Time } from './common.ts'
import { AttachmentData, LastEvent, RecipientView } from './messages.ts'
import { route } from './route.ts'

const Addresses = z.array(z.string()).nullable()

export const EmailLine = z
  .object({
    id: Id,
    message_id: z.string(),
    to: z.array(z.string()),
    from: z.string(),
    created_at: Time,
    subject: z.string(),
    bcc: Addresses,
    cc: Addresses,
    reply_to: Addresses,
    last_event: LastEvent,
    scheduled_at: Time.nullable(),
  })
  .meta({ id: 'EmailLine' })

export const Email = z
  .object({
    object: z.literal('email'),
    ...EmailLine.shape,
    html: z.string().nullable(),
    text: z.string().nullable(),
    tags: z.array(z.object({ name: z.string(), value: z.string() })),
    topic_id: z.null(),
    recipients: z.array(RecipientView).meta({ description: 'What became of each envelope recipient.' }),
    relay: z.string().nullable().meta({ description: 'The relay that took it last.' }),
  })
  .meta({ id: 'Email' })

export const ListEmails = route({
  method: 'GET',
  path: '/emails',
  tag: 'Sending',
  summary: 'List sent mail, newest first, without bodies.',
  scope: 'messages:read',
  query: ListQuery,
  answer: list(EmailLine),
  problems: ['invalid_parameter'],
})

export const GetEmail = route({
  method: 'GET',
  path: '/emails/:id',
  tag: 'Sending',
  summary: 'One sent mail with its bodies, and what became of each recipient.',
  scope: 'messages:read',
  answer: Email,
  problems: ['not_found'],
})

export const ListEmailAttachments = route({
  method: 'GET',
  path: '/emails/:id/attachments',
  tag: 'Sending',
  summary: 'The attachments of a sent mail, with links to their bytes.',
  scope: 'messages:read',
  query: ListQuery,
  answer: list(AttachmentData),
  problems: ['not_found', 'invalid_parameter'],
})

export const GetEmailAttachment = route({
  method: 'GET',
  path: '/emails/:id/attachments/:aid',
  tag: 'Sending',
  summary: 'One attachment of a sent mail, with a link to its bytes.',
  scope: 'messages:read',
  answer: AttachmentData,
  problems: ['not_found'],
})
