/** What a message says, beyond its text and HTML as they were sent: made safe, told apart from quotes, read as an invitation. */
import * as z from 'zod'

/** What may be asked of one message. */
export const CONTENT_KINDS = ['text', 'html', 'safe_html', 'reply_text', 'invitation'] as const

export type ContentKind = (typeof CONTENT_KINDS)[number]

/** A list of them, parted by commas. */
export const ContentKinds = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter(Boolean))
  .pipe(z.array(z.enum(CONTENT_KINDS)))
  .meta({
    description:
      'What to add, parted by commas: `text`, `html`, `safe_html` (to be shown), `reply_text` (without quotes and signatures), `invitation`.',
    example: 'text,reply_text',
  })

/** Whether pictures of elsewhere stay in `safe_html`: fetching one tells its owner who reads the mail, and when. */
export const Images = z.enum(['blocked', 'remote']).default('blocked').meta({
  description: 'Whether pictures of elsewhere stay in `safe_html`: fetching one tells its owner that the mail is read.',
})

/** `data_uri` puts inline images into the HTML; `cid` leaves their references as they were sent. */
export const HtmlFormat = z.enum(['data_uri', 'cid']).default('data_uri').meta({
  description: 'How inline images stand in the HTML: as data URIs (5 MiB of them at most), or as sent.',
})

/** ISO 8601: an instant in UTC, a date where it is of whole days, a local time where its zone is not known. */
const EventTime = z.string().meta({
  description: 'An instant in UTC; a date where it is of whole days; a time without Z where its zone is not known.',
  example: '2026-12-01T05:00:00.000Z',
})

export const Invitation = z
  .object({
    method: z
      .string()
      .nullable()
      .meta({ description: 'request, cancel, reply, publish … (RFC 5546).', example: 'request' }),
    uid: z.string().nullable(),
    sequence: z.int(),
    summary: z.string().nullable(),
    description: z.string().nullable(),
    location: z.string().nullable(),
    organizer: z.object({ name: z.string().nullable(), address: z.string() }).nullable(),
    attendees: z.array(
      z.object({
        name: z.string().nullable(),
        address: z.string(),
        status: z.string().meta({ description: 'needs-action, accepted, declined, tentative, delegated …' }),
        role: z.string().meta({ description: 'req-participant, opt-participant, chair, non-participant.' }),
        rsvp: z.boolean().meta({ description: 'Whether an answer is asked of this one.' }),
      }),
    ),
    starts_at: EventTime.nullable(),
    ends_at: EventTime.nullable().meta({ description: 'The end, which is no part of it.' }),
    all_day: z.boolean(),
    timezone: z.string().nullable().meta({ description: 'The zone as the organiser names it.' }),
    recurrence: z
      .string()
      .nullable()
      .meta({ description: 'The rule by which it recurs (RFC 5545 section 3.3.10); not worked out.' }),
    recurrence_id: EventTime.nullable().meta({ description: 'Which one of a series it is about.' }),
    status: z.string().nullable().meta({ description: 'confirmed, tentative or cancelled.' }),
    answerable: z.boolean().meta({ description: 'POST /messages/:id/answer-invitation can answer it.' }),
  })
  .meta({ id: 'Invitation' })

/** What is told where it is asked for. */
export const ContentFields = {
  text: z.string().nullable().optional().meta({ description: 'Present where asked for.' }),
  html: z.string().nullable().optional().meta({ description: 'Present where asked for. As it was sent: it may run.' }),
  safe_html: z.string().nullable().optional().meta({
    description:
      'The HTML with nothing in it that runs, loads a style, posts a form or covers the page; the first MiB.',
  }),
  blocked_images: z.int().optional().meta({ description: 'Pictures of elsewhere that were left out of `safe_html`.' }),
  reply_text: z
    .string()
    .nullable()
    .optional()
    .meta({ description: 'What is new in it: quotes, signatures and footers taken out. A guess; `text` has all.' }),
  invitation: Invitation.nullable().optional().meta({ description: 'Null where it holds none that could be read.' }),
}

export const Verdicts = z
  .object({ spf: z.string().nullable(), dkim: z.string().nullable(), dmarc: z.string().nullable() })
  .nullable()
  .meta({ description: 'What the receiving edge found; null where none of ours judged.' })

/** Everything that may be wrong with a message's form. It is stored, whole, whatever is. */
export const MESSAGE_PROBLEMS = {
  depth_limit: 'Parts within parts, deeper than 32: the rest of that part is one attachment.',
  part_limit: 'More than 1,000 parts: what follows is one attachment.',
  boundary_limit: 'A boundary of more than 8 KiB: its parts are one attachment.',
  header_limit: 'A Content-* or identifying field of more than 16 KiB: it was read as far.',
  tree_limit: 'Names and descriptions of parts of more than 1,000 characters each, or 256 KiB together: cut.',
  skeleton_limit: 'More than 2 MiB of headers and text: what follows was not read.',
  field_limit: 'More than 2,000 header fields: the rest was not read.',
  subject_limit: 'A subject of more than 2,000 characters: cut.',
  address_limit: 'More than 1,000 addresses or 64 KiB in one field, or 64 KiB in all: the rest is left out.',
  reference_limit: 'More than 100 message ids in one field: the first and the last are kept.',
  missing_boundary: 'A multipart that names no boundary: it is one attachment.',
  empty_multipart: 'A multipart in which its boundary is never found: it is one attachment.',
  unclosed_multipart: 'The last boundary is missing: the end of the message is the end of its parts.',
  bare_cr: 'The lines end in CR alone: the whole is taken for a header.',
  unknown_charset: 'A text in a charset that nobody knows: read as windows-1252.',
  unparsed: 'Addresses or texts that could not be read at all: they are left out.',
  html_limit: 'HTML of more than 1 MiB: `safe_html` has the beginning.',
  html_depth: 'HTML that nests deeper than 1,000: `safe_html` shows its text.',
  calendar_unread: 'A calendar that is broken, of more than 256 KiB, 500 components or 8 levels: `invitation` is null.',
  attendee_limit: 'More than 200 attendees: the first are told.',
  text_limit: 'A summary, place or description of an event that was cut.',
} as const satisfies Record<string, string>

/** What could not be done with a message when it came. */
export const FILING_PROBLEMS = {
  rules_failed: 'The account’s rules could not be asked in time: it was filed as if there were none.',
  rule_mailbox_gone: 'The mailbox that a rule names was deleted: it was filed in the inbox.',
  forward_loop: 'It had come a long way or been here before: it was forwarded no further.',
} as const satisfies Record<string, string>

export type FilingProblem = keyof typeof FILING_PROBLEMS

export const Problems = z.array(z.string()).meta({
  description: `What was wrong with its form, or with its filing. ${Object.entries({
    ...MESSAGE_PROBLEMS,
    ...FILING_PROBLEMS,
  })
    .map(([code, text]) => `\`${code}\`: ${text}`)
    .join(' ')}`,
})
