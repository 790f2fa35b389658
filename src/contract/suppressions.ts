/** Suppressions: addresses that are not sent to. Resend's shapes. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from './common.ts'
import { route } from './route.ts'

const Origin = z.enum(['bounce', 'complaint', 'manual']).meta({
  description: 'Mail to it bounced for good, its owner called mail spam, or somebody put it on the list.',
})

const Email = z.string().meta({ description: 'An address, in any case.', example: 'gone@example.com' })

/** As many as Resend takes at once. */
const MOST_AT_ONCE = 100

const Line = z.object({
  id: Id,
  email: z.string().meta({ description: 'In lower case.' }),
  origin: Origin,
  source_id: z.string().nullable().meta({ description: 'The sent mail that came back.' }),
  created_at: Time,
})

const Reference = z.object({ object: z.literal('suppression'), id: Id })

export const BatchRemoveBody = z
  .strictObject({
    emails: z.array(Email).min(1).max(MOST_AT_ONCE).nullish(),
    ids: z.array(Id).min(1).max(MOST_AT_ONCE).nullish(),
  })
  .refine(({ emails, ids }) => (emails ? !ids : Boolean(ids)), { error: 'either emails or ids are required' })
  .meta({
    id: 'RemoveSuppressions',
    description: 'Either `emails` or `ids`.',
    example: { emails: ['gone@example.com'] },
  })

export type BatchRemoveBody = z.output<typeof BatchRemoveBody>

const tag = 'Suppressions'

export const AddSuppression = route({
  method: 'POST',
  path: '/suppressions',
  tag,
  summary: 'Send to an address no more. One that is on the list already stays as it is.',
  scope: 'suppressions:write',
  body: z.strictObject({ email: Email }).meta({ id: 'AddSuppression' }),
  creates: true,
  status: 201,
  answer: Reference,
})

export const ListSuppressions = route({
  method: 'GET',
  path: '/suppressions',
  tag,
  summary: 'The addresses that are not sent to, the last added first.',
  scope: 'suppressions:read',
  query: ListQuery.extend({ origin: Origin.optional() }),
  answer: list(Line),
})

export const GetSuppression = route({
  method: 'GET',
  path: '/suppressions/:id',
  tag,
  summary: 'One suppression, by its id or its address.',
  scope: 'suppressions:read',
  answer: Line.extend({ object: z.literal('suppression') }),
  problems: ['not_found'],
})

export const RemoveSuppression = route({
  method: 'DELETE',
  path: '/suppressions/:id',
  tag,
  summary: 'Send to an address again, named by the id of its suppression or as it is.',
  scope: 'suppressions:write',
  answer: deleted('suppression'),
  problems: ['not_found'],
})

export const AddSuppressions = route({
  method: 'POST',
  path: '/suppressions/batch/add',
  tag,
  summary: 'Send to up to 100 addresses no more: all of them or, where one is no address, none.',
  scope: 'suppressions:write',
  body: z.strictObject({ emails: z.array(Email).min(1).max(MOST_AT_ONCE) }).meta({ id: 'AddSuppressions' }),
  creates: true,
  answer: z.object({ data: z.array(Reference).meta({ description: 'In the order of `emails`.' }) }),
})

export const RemoveSuppressions = route({
  method: 'POST',
  path: '/suppressions/batch/remove',
  tag,
  summary: 'Send to up to 100 addresses again.',
  scope: 'suppressions:write',
  body: BatchRemoveBody,
  creates: true,
  answer: z.object({
    data: z.array(Reference.extend({ deleted: z.boolean() })).meta({
      description: 'Each that was on the list; an id that was not is told with deleted: false.',
    }),
  }),
})
