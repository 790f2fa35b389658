/** Sending mail: Resend's body, and ready mail with its envelope. */
import * as z from 'zod'
import { route } from './route.ts'

const OneOrMany = z.union([z.string(), z.array(z.string())])

/** Base64, a list of byte numbers, or Node's JSON of a Buffer: clients send each of them. */
const Content = z.union([
  z.string(),
  z.array(z.int().min(0).max(255)),
  z.object({ type: z.literal('Buffer'), data: z.array(z.int().min(0).max(255)) }),
])

export const SendAttachment = z.strictObject({
  content: Content.nullish().meta({ description: 'Base64, an array of byte values, or {"type":"Buffer","data":[…]}.' }),
  path: z.string().nullish().meta({ description: 'An https URL to fetch the content from.' }),
  filename: z.string().max(255).nullish(),
  content_type: z.string().max(255).nullish(),
  content_id: z.string().max(255).nullish().meta({ description: 'Shown in html as cid:<content_id>.' }),
  inline_content_id: z.string().max(255).nullish(),
})

const TagText = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, { error: 'must be 1 to 256 of A-Z a-z 0-9 _ -' })

export const SendEmailBody = z
  .strictObject({
    from: z
      .string()
      .meta({ description: '`a@b` or `Name <a@b>`, of a verified domain.', example: 'Me <hello@demo.test>' }),
    to: OneOrMany.meta({ description: 'At most 50.', example: ['you@example.com'] }),
    subject: z.string().meta({ example: 'Hello' }),
    cc: OneOrMany.nullish(),
    bcc: OneOrMany.nullish().meta({ description: 'Receive it, and stand nowhere in it.' }),
    reply_to: OneOrMany.nullish(),
    html: z.string().nullish(),
    text: z.string().nullish().meta({ example: 'It works.' }),
    headers: z.record(z.string(), z.string()).nullish(),
    tags: z
      .array(z.strictObject({ name: TagText, value: TagText }))
      .max(75)
      .nullish(),
    attachments: z.array(SendAttachment).max(100).nullish(),
    scheduled_at: z.string().nullish().meta({ description: 'Not served: refused.' }),
    topic_id: z.string().nullish().meta({ description: 'Not served: refused.' }),
    template: z.unknown().optional().meta({ description: 'Not served: refused.' }),
  })
  .meta({ id: 'SendEmail' })

export type SendEmailBody = z.output<typeof SendEmailBody>

export const SendEmail = route({
  method: 'POST',
  path: '/emails',
  tag: 'Sending',
  summary: 'Send a mail. It is stored before the answer, and relayed after it.',
  scope: 'emails:send',
  body: SendEmailBody,
  creates: true,
  answer: z.object({ id: z.string() }),
  problems: [
    'invalid_from_address',
    'invalid_attachment',
    'domain_not_verified',
    'daily_quota_exceeded',
    'payload_too_large',
  ],
})

export const SendRaw = route({
  method: 'POST',
  path: '/outbound',
  tag: 'Sending',
  summary:
    'Send a ready message/rfc822 with its envelope. Bcc is taken out, Date and Message-ID are added where missing.',
  scope: 'emails:send',
  query: z.object({
    from: z.string().meta({ description: 'The reverse path; empty is the null path of automatic mail.' }),
    to: z.string().meta({ description: 'A recipient; may be given many times.' }),
  }),
  rawBody: 'message/rfc822',
  creates: true,
  answer: z.object({ id: z.string() }),
  problems: ['invalid_from_address', 'domain_not_verified', 'daily_quota_exceeded', 'payload_too_large'],
})

export const ReceiveRaw = route({
  method: 'POST',
  path: '/inbound',
  tag: 'Receiving',
  summary: 'Bring in a mail for one envelope recipient: raw message/rfc822, with its Content-Length.',
  scope: 'inbound:write',
  query: z.object({
    from: z.string().default('').meta({ description: 'The reverse path; empty for the null path.' }),
    to: z.string().meta({ description: 'The envelope recipient.' }),
  }),
  rawBody: 'message/rfc822',
  answer: z.object({ object: z.literal('email'), id: z.string(), duplicate: z.boolean() }),
  problems: ['not_found', 'length_required', 'payload_too_large', 'message_refused', 'service_unavailable'],
})

export const AskRecipient = route({
  method: 'GET',
  path: '/inbound/recipient',
  tag: 'Receiving',
  summary: 'Whether mail for an envelope recipient would be taken.',
  scope: 'inbound:write',
  query: z.object({ to: z.string() }),
  answer: z.object({ accept: z.literal(true) }),
  problems: ['not_found', 'service_unavailable'],
})
