/** Mail at rest, sent and received alike: lists without bodies, one message, changes. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from './common.ts'
import { ContentFields, ContentKinds, HtmlFormat, Images, Problems, Verdicts } from './reading/content.ts'
import { route } from './route.ts'

/** A link that needs no key. */
export const Download = z.object({
  download_url: z.string().meta({ description: 'Signed; needs no key and must not be shared further than the file.' }),
  expires_at: Time,
})

/** The bytes of one attachment are behind its link. */
export const AttachmentData = z
  .object({
    object: z.literal('attachment'),
    id: Id,
    part: z.string().meta({ description: 'The part’s path in the message.', example: '1.2' }),
    filename: z.string().optional(),
    size: z.int().meta({ description: 'Octets once decoded.' }),
    content_type: z.string(),
    content_disposition: z.enum(['inline', 'attachment']),
    content_id: z.string().optional(),
    ...Download.shape,
  })
  .meta({ id: 'AttachmentData' })

/** An attachment as a message names it. */
export const AttachmentLine = z.object({
  id: Id,
  part: z.string().meta({ description: 'The part’s path in the message.', example: '1.2' }),
  filename: z.string().nullable(),
  size: z.int(),
  content_type: z.string(),
  content_id: z.string().nullable(),
  content_disposition: z.string().nullable(),
})

export const LastEvent = z.enum([
  'bounced',
  'canceled',
  'clicked',
  'complained',
  'delivered',
  'delivery_delayed',
  'failed',
  'opened',
  'queued',
  'scheduled',
  'sent',
  'suppressed',
])

const Reply = z.object({ code: z.int(), enhanced: z.string().nullable(), text: z.string() })

/** One envelope recipient of a sent message. */
export const RecipientView = z
  .object({
    address: z.string(),
    state: z.enum([
      'queued',
      'deferred',
      'sent',
      'delivered',
      'bounced',
      'failed',
      'complained',
      'suppressed',
      'canceled',
    ]),
    reply: Reply.nullable().meta({ description: 'The last word of a mail server on it.' }),
    attempts: z.int(),
    outcome_unknown: z.boolean().meta({ description: 'An attempt ended without an answer: it may have arrived.' }),
    updated_at: Time,
  })
  .meta({ id: 'Recipient' })

const Keyword = z.string().regex(/^[$A-Za-z0-9_.-]{1,64}$/, { error: 'a keyword has 1 to 64 of A-Z a-z 0-9 $ _ . -' })

/** What kind of mail it is. */
export const Marks = z
  .object({
    list: z
      .object({
        id: z.string().optional(),
        post: z.string().optional().meta({ description: 'The address to post to.' }),
        unsubscribe: z.array(z.string()).optional().meta({ description: 'https, http and mailto URIs.' }),
        one_click: z.literal(true).optional().meta({ description: 'One POST unsubscribes (RFC 8058).' }),
      })
      .optional()
      .meta({ description: 'It came from a mailing list, or can be unsubscribed from.' }),
    auto: z
      .enum(['auto-replied', 'auto-generated', 'bulk'])
      .optional()
      .meta({ description: 'A program wrote it (RFC 3834); `bulk` where only its Precedence says so.' }),
    signed: z.enum(['smime', 'pgp']).optional().meta({ description: 'It is signed; the signature is not checked.' }),
    encrypted: z.enum(['smime', 'pgp']).optional(),
    invitation: z.literal(true).optional().meta({ description: 'It holds a calendar object.' }),
    tnef: z.literal(true).optional().meta({ description: 'It holds a winmail.dat, which is left as it is.' }),
  })
  .meta({ id: 'Marks', description: 'What kind of mail it is; null where nothing of these is true.' })

export const MessageSummary = z
  .object({
    object: z.literal('message'),
    id: Id,
    direction: z.enum(['received', 'sent']),
    mailbox: Id,
    uid: z.int().meta({ description: 'Ascending within a mailbox, never given twice.' }),
    modseq: z.int().meta({ description: 'The step of the account’s history at which it changed last.' }),
    keywords: z.record(z.string(), z.literal(true)).meta({ example: { $seen: true } }),
    thread: Id,
    message_id: z.string().nullable(),
    from: z.string(),
    to: z.array(z.string()),
    cc: z.array(z.string()),
    bcc: z.array(z.string()),
    reply_to: z.array(z.string()),
    subject: z.string(),
    preview: z.string(),
    created_at: Time,
    date: Time.nullable().meta({ description: 'What the Date header says.' }),
    size: z.int().meta({ description: 'Octets of the raw message.' }),
    has_attachment: z.boolean(),
    marks: Marks.nullable(),
    envelope_from: z.string().meta({ description: 'The reverse path; empty for the null path.' }),
    received_for: z.array(z.string()),
    address: z.string().nullable().meta({ description: 'Which of the account’s addresses took it.' }),
    tag: z.string().nullable().meta({ description: 'What was written after the + of that address.' }),
    last_event: LastEvent.nullable(),
  })
  .meta({ id: 'MessageSummary' })

export const Message = MessageSummary.extend({
  attachments: z.array(AttachmentLine),
  recipients: z.array(RecipientView),
  tags: z.array(z.object({ name: z.string(), value: z.string() })),
  verdicts: Verdicts,
  problems: Problems,
  raw: Download,
  ...ContentFields,
}).meta({ id: 'Message' })

/** A message as a list shows it; with `q`, where in its preview the words stand. */
const ListedMessage = MessageSummary.extend({
  snippet: z
    .object({
      text: z.string(),
      matches: z.array(z.tuple([z.int(), z.int()])).meta({
        description: 'Start and end of each match in `text`, in UTF-16 units. The text is plain: escape it for HTML.',
      }),
    })
    .optional()
    .meta({ description: 'Only with `q`.' }),
}).meta({ id: 'ListedMessage' })

export const ListMessages = route({
  method: 'GET',
  path: '/messages',
  tag: 'Messages',
  summary: 'List messages of both directions, newest first; a mailbox lists by when they entered it.',
  scope: 'messages:read',
  query: ListQuery.extend({
    mailbox: z.string().optional().meta({ description: 'A mailbox’s id, or a role such as inbox.' }),
    thread: z.string().optional(),
    direction: z.enum(['received', 'sent']).optional(),
    address: z
      .string()
      .optional()
      .meta({ description: 'An address of the account: what it received, and what was sent from it.' }),
    q: z.string().optional().meta({
      description:
        'Words to look for, newest mail first: all of them must be there. "A phrase", the beginning* of a word, -not; from: to: cc: subject: filename: body: has:attachment is:unread|read|flagged|answered|draft|received|sent in:mailbox before:2026-01-31 after: larger:10M smaller:.',
      example: 'invoice from:ann has:attachment after:2026-01-01',
    }),
  }),
  answer: z.object({
    object: z.literal('list'),
    has_more: z.boolean(),
    data: z.array(ListedMessage),
    next: Id.optional().meta({
      description:
        'Only with `q`, and where there is more: what to give as `after` (or `before`) for the next page. A page may be short, even empty, where many messages have the words but not the rest.',
    }),
  }),
  problems: ['invalid_parameter', 'not_found', 'service_unavailable'],
})

export const RebuildSearch = route({
  method: 'POST',
  path: '/search/rebuild',
  tag: 'Messages',
  summary:
    'Make the search index of an account anew out of its mail, the newest first. Mail is not touched; searches find less until it is done.',
  scope: 'operator',
  body: z.strictObject({ account: Id }).meta({ id: 'RebuildSearch' }),
  answer: z.object({ object: z.literal('search_rebuild'), account: Id, started: z.literal(true) }),
  problems: ['not_found', 'service_unavailable'],
})

export const GetMessage = route({
  method: 'GET',
  path: '/messages/:id',
  tag: 'Messages',
  summary: 'One message; with what it says where that is asked for.',
  scope: 'messages:read',
  query: z.object({
    body: ContentKinds,
    html_format: HtmlFormat,
    images: Images,
  }),
  answer: Message,
  problems: ['not_found'],
})

export const ChangeMessageBody = z
  .strictObject({
    keywords: z
      .record(Keyword, z.boolean())
      .optional()
      .meta({
        description: 'Those named are set (true) or taken away (false); the case of letters does not matter.',
        example: { $seen: true },
      }),
    mailbox: z.string().optional().meta({ description: 'The id or role of the mailbox to move it to.' }),
  })
  .meta({ id: 'ChangeMessage' })

export type ChangeMessageBody = z.output<typeof ChangeMessageBody>

export const ChangeMessage = route({
  method: 'PATCH',
  path: '/messages/:id',
  tag: 'Messages',
  summary: 'Set keywords, move to another mailbox, or both in one step.',
  scope: 'messages:write',
  body: ChangeMessageBody,
  answer: MessageSummary,
  problems: ['not_found', 'service_unavailable'],
})

export const DeleteMessage = route({
  method: 'DELETE',
  path: '/messages/:id',
  tag: 'Messages',
  summary: 'Move to Trash; with `permanent=true` delete it and its bytes for good.',
  scope: 'messages:write',
  query: z.object({ permanent: z.enum(['true', 'false']).default('false') }),
  answer: deleted('message'),
  problems: ['not_found', 'validation_error', 'service_unavailable'],
})

export const GetMessageRaw = route({
  method: 'GET',
  path: '/messages/:id/raw',
  tag: 'Messages',
  summary: 'The message byte for byte.',
  scope: 'messages:read',
  answers: 'message/rfc822',
  problems: ['not_found'],
})

export const ListMessageAttachments = route({
  method: 'GET',
  path: '/messages/:id/attachments',
  tag: 'Messages',
  summary: 'The attachments of a message, with links to their bytes.',
  scope: 'messages:read',
  query: ListQuery,
  answer: list(AttachmentData),
  problems: ['not_found'],
})

export const GetMessageAttachment = route({
  method: 'GET',
  path: '/messages/:id/attachments/:part',
  tag: 'Messages',
  summary: 'One attachment, by its id or its part’s path, with a link to its bytes.',
  scope: 'messages:read',
  answer: AttachmentData,
  problems: ['not_found'],
})
