/** Sending mail: Resend's body, and ready mail with its envelope. */
import * as z from 'zod'
import { Id } from './common.ts'
import { route } from './route.ts'
import { UnsubscribeWish } from './sending/unsubscribes.ts'
import { TemplateUse } from './templates/shapes.ts'

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
  filename: z
    .union([z.string().max(255), z.literal(false)])
    .nullish()
    .meta({ description: 'false is no name.' }),
  content_type: z.string().max(255).nullish(),
  content_id: z.string().max(255).nullish().meta({ description: 'Shown in html as cid:<content_id>.' }),
  inline_content_id: z.string().max(255).nullish(),
})

const TagText = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, { error: 'must be 1 to 256 of A-Z a-z 0-9 _ -' })

const WHEN =
  'When to send it: ISO 8601 with a zone, or `in 30 minutes`, `in 2 hours`, `in 3 days`; a year ahead at most.'

export const SendEmailBody = z
  .strictObject({
    from: z.string().nullish().meta({
      description: '`a@b` or `Name <a@b>`, of a verified domain. Required, unless the template has it.',
      example: 'Me <hello@demo.test>',
    }),
    to: OneOrMany.meta({ description: 'At most 50.', example: ['you@example.com'] }),
    subject: z.string().nullish().meta({ description: 'Required, unless the template has it.', example: 'Hello' }),
    cc: OneOrMany.nullish(),
    bcc: OneOrMany.nullish().meta({ description: 'Receive it, and stand nowhere in it.' }),
    reply_to: OneOrMany.nullish(),
    html: z.string().nullish(),
    text: z.string().nullish().meta({ example: 'It works.' }),
    headers: z.record(z.string(), z.string()).nullish(),
    tags: z
      .array(z.strictObject({ name: TagText, value: TagText }))
      .max(75)
      .refine((tags) => new Set(tags.map((tag) => tag.name)).size === tags.length, {
        error: 'must each have a name of their own: events tell them by name',
      })
      .nullish(),
    attachments: z.array(SendAttachment).max(100).nullish(),
    scheduled_at: z.string().max(100).nullish().meta({ description: WHEN }),
    topic_id: z.string().nullish().meta({ description: 'Not served: refused.' }),
    template: TemplateUse.nullish(),
    unsubscribe: UnsubscribeWish.nullish(),
  })
  .refine((body) => hasOrNeedsNot(body, 'from'), { path: ['from'], error: 'is required', when: () => true })
  .refine((body) => hasOrNeedsNot(body, 'subject'), { path: ['subject'], error: 'is required', when: () => true })
  .meta({ id: 'SendEmail' })

/** Asked of bodies with other faults too, so that all are told at once. */
function hasOrNeedsNot(body: unknown, field: 'from' | 'subject'): boolean {
  if (typeof body !== 'object' || body === null) return true
  const { [field]: value, template }: { from?: unknown; subject?: unknown; template?: unknown } = body
  return (value !== undefined && value !== null) || (template !== undefined && template !== null)
}

export type SendEmailBody = z.output<typeof SendEmailBody>

/** A mail that is whole: what its template gives stands in it. */
export type Mail = Omit<SendEmailBody, 'from' | 'subject' | 'template'> & { from: string; subject: string }

const override = {
  ignore_suppressions: z.enum(['true', 'false']).optional().meta({
    description:
      'With true, it goes to those on the suppression list too, though not to who has left the list that it is for. Needs the scope suppressions:override; not with scheduled_at.',
  }),
}

/** What the URL of a send may ask: nothing else, for whoever misspells `dry_run`, or asks for it where there is none, must not send. */
export const NoQuery = z.strictObject({})

/** Who was left out, beside the id of a mail. */
export const Suppressed = z
  .array(z.object({ address: z.string(), reason: z.enum(['bounce', 'complaint', 'manual', 'unsubscribed']) }))
  .optional()
  .meta({
    description:
      'Ours: recipients that it does not go to, where there are any. Of a scheduled mail, only the events tell: they are looked for at its time.',
  })

export const SendEmail = route({
  method: 'POST',
  path: '/emails',
  tag: 'Sending',
  summary: 'Send a mail, now or at its time. It is stored before the answer, and relayed after it.',
  scope: 'emails:send',
  query: NoQuery.extend({
    dry_run: z.enum(['true', 'false']).optional().meta({
      description: 'With true, all is checked and the message itself is answered: nothing is stored, sent or counted.',
    }),
    ...override,
  }),
  body: SendEmailBody,
  creates: true,
  answer: z.object({ id: z.string(), suppressed: Suppressed }),
  answers: 'message/rfc822',
  problems: [
    'invalid_from_address',
    'invalid_attachment',
    'domain_not_verified',
    'daily_quota_exceeded',
    'payload_too_large',
  ],
})

/** Resend's own bound. */
const MAX_BATCH = 100

export const SendBatch = route({
  method: 'POST',
  path: '/emails/batch',
  tag: 'Sending',
  summary:
    'Send up to 100 mails, each with all that a single one may have. They are stored all at once; the day’s quota takes or refuses them as a whole.',
  scope: 'emails:send',
  query: NoQuery.extend(override),
  headers: z.object({
    'x-batch-validation': z.enum(['strict', 'permissive']).default('strict').meta({
      description:
        'strict: with one faulty mail, none is sent. permissive: the good ones are, and `errors` names the others.',
    }),
  }),
  body: z
    .array(z.unknown().meta({ allOf: [{ $ref: '#/components/schemas/SendEmail' }] }))
    .min(1)
    .max(MAX_BATCH)
    .meta({
      example: [{ from: 'Me <hello@demo.test>', to: ['you@example.com'], subject: 'Hello', text: 'It works.' }],
    }),
  creates: true,
  answer: z.object({
    data: z
      .array(z.object({ id: Id, suppressed: Suppressed }))
      .meta({ description: 'In the order of the mails that were taken.' }),
    errors: z
      .array(z.object({ index: z.int(), message: z.string() }))
      .optional()
      .meta({
        description: 'Permissive only: the place of each faulty mail in the request, and what is wrong with it.',
      }),
  }),
  problems: ['daily_quota_exceeded', 'payload_too_large'],
})

const Changed = z.object({ object: z.literal('email'), id: Id })

export const RescheduleEmail = route({
  method: 'PATCH',
  path: '/emails/:id',
  tag: 'Sending',
  summary: 'Give a scheduled mail another time, as long as it was not released.',
  scope: 'emails:send',
  body: z.strictObject({ scheduled_at: z.string().max(100).meta({ description: WHEN, example: 'in 2 hours' }) }),
  answer: Changed,
  problems: ['not_found', 'validation_error', 'invalid_parameter'],
})

export const CancelEmail = route({
  method: 'POST',
  path: '/emails/:id/cancel',
  tag: 'Sending',
  summary: 'Call a scheduled mail off, as long as it was not released.',
  scope: 'emails:send',
  answer: Changed,
  problems: ['not_found', 'validation_error'],
})

export const SendRaw = route({
  method: 'POST',
  path: '/outbound',
  tag: 'Sending',
  summary:
    'Send a ready message/rfc822 with its envelope. Bcc is taken out, Date and Message-ID are added where missing.',
  scope: 'emails:send',
  query: NoQuery.extend({
    from: z.string().meta({ description: 'The reverse path; empty is the null path of automatic mail.' }),
    to: z.string().meta({ description: 'A recipient; may be given many times.' }),
    ...override,
  }),
  rawBody: 'message/rfc822',
  creates: true,
  answer: z.object({ id: z.string(), suppressed: Suppressed }),
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
  query: z.object({
    to: z.string(),
    from: z.string().default('').meta({ description: 'The reverse path, where it is known.' }),
    size: z.coerce.number().int().min(0).optional().meta({ description: 'Bytes, as SIZE declared them.' }),
  }),
  answer: z.object({ accept: z.literal(true) }),
  problems: ['not_found', 'payload_too_large', 'message_refused', 'service_unavailable'],
})
