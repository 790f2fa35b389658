/** Mail taken out as a file, and brought in from one. */
import * as z from 'zod'
import { route } from '../route.ts'

/** Each is a read from storage, of which a request has ten thousand. */
export const MAX_EXPORTED = 5000

/** What one request may bring in anew: each is a write to storage. */
export const MAX_IMPORTED = 2000

const page = z.object({
  after: z
    .string()
    .max(100)
    .optional()
    .meta({ description: 'Goes on where `x-next-after` of the answer before says.' }),
  limit: z.coerce.number().int().min(1).max(MAX_EXPORTED).default(MAX_EXPORTED),
})

const ABOUT =
  'as application/mbox (mboxrd), oldest first: Status, X-Status, X-Keywords and X-Pochta-Export before each message say how it was kept. ' +
  'Where `x-next-after` is answered, there is more; the files can be joined.'

export const ExportMailbox = route({
  method: 'GET',
  path: '/mailboxes/:id/export',
  tag: 'Messages',
  summary: `All messages of a mailbox ${ABOUT}`,
  scope: 'messages:read',
  query: page,
  answers: 'application/mbox',
  problems: ['not_found'],
})

export const ExportAccount = route({
  method: 'GET',
  path: '/accounts/me/export',
  tag: 'Messages',
  summary: `All messages of the account ${ABOUT}`,
  scope: 'messages:read',
  query: page,
  answers: 'application/mbox',
})

export const ImportMail = route({
  method: 'POST',
  path: '/mailboxes/:id/import',
  tag: 'Messages',
  summary:
    'Bring mail in from a file: application/mbox, or one message/rfc822. Nothing is sent; what is there already is left alone, so it may be repeated.',
  scope: 'messages:write',
  rawBody: 'application/mbox',
  answer: z
    .object({
      object: z.literal('import'),
      imported: z.int(),
      duplicates: z.int(),
      refused: z
        .array(z.object({ index: z.int().meta({ description: 'Its place in the file, from 0.' }), reason: z.string() }))
        .meta({ description: 'The first 1,000 of them.' }),
      has_more: z
        .boolean()
        .meta({ description: `${MAX_IMPORTED} were brought in and there is more: send the same file again.` }),
    })
    .meta({ id: 'Import' }),
  problems: ['not_found', 'invalid_request', 'payload_too_large', 'service_unavailable'],
})
