/** Answering a message: to who wrote it, to everybody, or passing it on. */
import * as z from 'zod'
import { NoQuery, SendAttachment, SendEmailBody, Suppressed } from '../emails.ts'
import { type RouteSpec, route } from '../route.ts'

const OneOrMany = z.union([z.string(), z.array(z.string())])

const { html, headers, tags } = SendEmailBody.shape

const common = {
  from: z
    .string()
    .nullish()
    .meta({ description: 'By default the address that received the message, or that it was sent from.' }),
  cc: OneOrMany.nullish(),
  bcc: OneOrMany.nullish(),
  reply_to: OneOrMany.nullish(),
  subject: z.string().nullish().meta({ description: 'By default the message’s own, marked once with Re: or Fwd:.' }),
  html,
  text: z.string().nullish().meta({ example: 'Thank you.' }),
  headers,
  attachments: z.array(SendAttachment).max(100).nullish(),
  tags,
  quote: z
    .boolean()
    .default(true)
    .meta({ description: 'Puts the message below the words of the answer: its first 256 KiB.' }),
}

export const ReplyBody = z
  .strictObject({ ...common, to: OneOrMany.nullish().meta({ description: 'Instead of whom it would go to.' }) })
  .meta({ id: 'Reply' })

export type ReplyBody = z.output<typeof ReplyBody>

export const ForwardBody = z
  .strictObject({
    ...common,
    to: OneOrMany.meta({ description: 'At most 50.', example: ['you@example.com'] }),
    as_attachment: z.boolean().default(false).meta({
      description: 'Attaches the message as it is, a message/rfc822, in place of its words and its attachments.',
    }),
  })
  .meta({ id: 'Forward' })

export type ForwardBody = z.output<typeof ForwardBody>

export const AnswerInvitationBody = z
  .strictObject({
    answer: z.enum(['accept', 'decline', 'tentative']),
    comment: z.string().max(2000).nullish().meta({ description: 'Words to the organiser.' }),
    from: z
      .string()
      .nullish()
      .meta({ description: 'Which invited address answers; by default the one that received the message.' }),
  })
  .meta({ id: 'AnswerInvitation' })

export type AnswerInvitationBody = z.output<typeof AnswerInvitationBody>

const shared = {
  method: 'POST',
  tag: 'Messages',
  scope: 'emails:send',
  creates: true,
  query: NoQuery,
  answer: z.object({ id: z.string(), suppressed: Suppressed }),
  problems: [
    'not_found',
    'restricted_api_key',
    'missing_required_field',
    'invalid_from_address',
    'invalid_attachment',
    'domain_not_verified',
    'daily_quota_exceeded',
    'payload_too_large',
  ],
} as const satisfies Partial<RouteSpec>

export const Reply = route({
  ...shared,
  path: '/messages/:id/reply',
  summary:
    'Answer whoever the message asks answers to go to, in its thread. The key must be one that may read it, too.',
  body: ReplyBody,
})

export const ReplyAll = route({
  ...shared,
  path: '/messages/:id/reply-all',
  summary: 'Answer everybody whom the message names, but the account’s own addresses.',
  body: ReplyBody,
})

export const Forward = route({
  ...shared,
  path: '/messages/:id/forward',
  summary: 'Send the message on with all of its attachments.',
  body: ForwardBody,
})

export const AnswerInvitation = route({
  ...shared,
  path: '/messages/:id/answer-invitation',
  summary: 'Accept, decline or leave open an invitation: its organiser is sent a reply that calendars understand.',
  body: AnswerInvitationBody,
  problems: [...shared.problems, 'validation_error'],
})
