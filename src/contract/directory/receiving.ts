/** How an address takes mail: from whom, how large, for whom, and what it answers. */
import * as z from 'zod'
import { HeaderText } from '../common.ts'

/** All of an address's settings are read with every mail to it. */
const MAX_SENDERS = 200

/** Each is a copy of the mail. */
const MAX_ALIASES = 20

/** Told again with every task to answer; a page of text has 3,000 characters. */
const MAX_ANSWER = 8 * 1024

const Sender = z.string().min(1).max(320)

const SENDER_FORMS = '`ann@x.test`, `@x.test` (the domain), `@*.x.test` (its sub-domains)'

/** What an automatic answer says. */
export const answerFields = {
  subject: HeaderText.min(1)
    .max(200)
    .nullish()
    .meta({ description: 'Without one, `Auto:` and the subject that is answered.' }),
  text: z.string().min(1).max(MAX_ANSWER),
  html: z.string().min(1).max(MAX_ANSWER).nullish(),
  interval_days: z
    .int()
    .min(1)
    .max(365)
    .default(7)
    .meta({ description: 'Nobody is answered twice within so many days.' }),
}

const When = z.iso.datetime({ offset: true }).nullish()

export const AutoReply = z
  .strictObject({
    ...answerFields,
    starts_at: When.meta({ description: 'From then on; at once without it.' }),
    ends_at: When.meta({ description: 'Until then; for good without it.' }),
  })
  .refine(({ starts_at, ends_at }) => !starts_at || !ends_at || Date.parse(starts_at) < Date.parse(ends_at), {
    path: ['ends_at'],
    error: 'must be later than starts_at',
  })
  .meta({
    id: 'AutoReply',
    description:
      'Answers mail that comes from a person to this address by name; never lists, automatic mail or mail without a sender.',
  })

export type AutoReply = z.output<typeof AutoReply>

export const Pause = z.enum(['defer', 'reject'])

/** The fields of a request. Null takes a setting away. */
export const receivingFields = {
  pause: Pause.nullish().meta({
    description:
      'Takes no mail for a while: `defer` asks senders to come again, which they do for days; `reject` refuses them for good.',
  }),
  max_bytes: z
    .int()
    .min(1)
    .nullish()
    .meta({ description: 'Larger mail is refused. The instance has a bound as well.' }),
  allow: z
    .array(Sender)
    .max(MAX_SENDERS)
    .nullish()
    .meta({
      description: `Where it names any, mail is taken only from them, as envelope sender or in From: ${SENDER_FORMS}.`,
    }),
  block: z
    .array(Sender)
    .max(MAX_SENDERS)
    .nullish()
    .meta({ description: `Mail from them is refused, even if allowed: ${SENDER_FORMS}.` }),
  deliver_to: z.array(z.string()).max(MAX_ALIASES).nullish().meta({
    description:
      'An alias: mail goes to these addresses instead, each of which takes it by its own settings and rules. Name the address itself to keep a copy. They are the account’s own; the operator may name any. One step: their own `deliver_to` is not followed.',
  }),
  auto_reply: AutoReply.nullish(),
}

/** The same as an answer shows them. */
export const receivingView = {
  pause: Pause.nullable(),
  max_bytes: z.int().nullable(),
  allow: z.array(z.string()),
  block: z.array(z.string()),
  deliver_to: z.array(z.string()),
  auto_reply: z
    .object({
      subject: z.string().nullable(),
      text: z.string(),
      html: z.string().nullable(),
      interval_days: z.int(),
      starts_at: z.iso.datetime().nullable(),
      ends_at: z.iso.datetime().nullable(),
    })
    .nullable(),
}
