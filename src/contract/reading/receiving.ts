/** Received mail as Resend's clients read it. */
import * as z from 'zod'
import { Id, ListQuery, list, Time } from '../common.ts'
import { AttachmentData, AttachmentLine, Download, Marks } from '../messages.ts'
import { route } from '../route.ts'
import { ContentFields, ContentKinds, HtmlFormat, Images, Verdicts } from './content.ts'

export const ReceivedLine = z
  .object({
    id: Id,
    to: z.array(z.string()),
    from: z.string(),
    created_at: Time,
    subject: z.string(),
    bcc: z.array(z.string()),
    cc: z.array(z.string()),
    reply_to: z.array(z.string()),
    received_for: z.array(z.string()).meta({ description: 'The envelope recipient for whom it came.' }),
    message_id: z.string().meta({ description: 'Empty where its sender gave it none.' }),
    attachments: z.array(AttachmentLine),
    attachments_omitted: z
      .literal(true)
      .optional()
      .meta({ description: 'It has too many parts for a list: get the mail itself.' }),
  })
  .meta({ id: 'ReceivedEmailLine' })

export const ReceivedEmail = z
  .object({
    object: z.literal('email'),
    ...ReceivedLine.omit({ attachments_omitted: true }).shape,
    html: z.string().nullable(),
    text: z.string().nullable(),
    headers: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: 'By lower-case name; values of a repeated field are joined by commas.' }),
    raw: Download.nullable(),
    thread: Id,
    marks: Marks.nullable(),
    verdicts: Verdicts,
    safe_html: ContentFields.safe_html,
    blocked_images: ContentFields.blocked_images,
    reply_text: ContentFields.reply_text,
    invitation: ContentFields.invitation,
  })
  .meta({ id: 'ReceivedEmail' })

export const ListReceived = route({
  method: 'GET',
  path: '/emails/receiving',
  tag: 'Receiving',
  summary: 'List received mail, newest first, without bodies.',
  scope: 'messages:read',
  query: ListQuery,
  answer: list(ReceivedLine),
  problems: ['invalid_parameter'],
})

export const GetReceived = route({
  method: 'GET',
  path: '/emails/receiving/:id',
  tag: 'Receiving',
  summary: 'One received mail with its bodies, headers and a link to the raw message.',
  scope: 'messages:read',
  query: z.object({ body: ContentKinds, html_format: HtmlFormat, images: Images }),
  answer: ReceivedEmail,
  problems: ['not_found'],
})

export const ListReceivedAttachments = route({
  method: 'GET',
  path: '/emails/receiving/:id/attachments',
  tag: 'Receiving',
  summary: 'The attachments of a received mail, with links to their bytes.',
  scope: 'messages:read',
  query: ListQuery,
  answer: list(AttachmentData),
  problems: ['not_found', 'invalid_parameter'],
})

export const GetReceivedAttachment = route({
  method: 'GET',
  path: '/emails/receiving/:id/attachments/:aid',
  tag: 'Receiving',
  summary: 'One attachment of a received mail, with a link to its bytes.',
  scope: 'messages:read',
  answer: AttachmentData,
  problems: ['not_found'],
})
