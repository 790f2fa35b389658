/** API keys, as Resend has them, with scopes of our own beside its permissions. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { ACCOUNT_SCOPES, route } from '../route.ts'

const Limit = z.int().min(0)

/** As many senders as one would write into a form by hand. */
const MOST_SENDERS = 100

const limits = {
  senders: z
    .array(z.string().max(320))
    .min(1)
    .max(MOST_SENDERS)
    .meta({
      description: 'The addresses it may send from: `a@b`, or `@b` (also `*@b`) for all of a domain.',
      example: ['billing@demo.test'],
    }),
  sends_per_day: Limit.meta({
    description:
      'Recipients in a UTC day, counted exactly when the mail is taken: scheduled mail too, though an account’s own quota counts it when it is released. A key that this one makes shares its count.',
  }),
  requests_per_second: Limit.min(1).meta({
    description: 'Counted where a request arrives: a hint to slow down, no accounting.',
  }),
}

const Limits = z
  .object({
    senders: limits.senders.nullable(),
    sends_per_day: limits.sends_per_day.nullable(),
    requests_per_second: limits.requests_per_second.nullable(),
  })
  .meta({ id: 'ApiKeyLimits', description: 'null is no limit.' })

const LimitsWish = z
  .strictObject({
    senders: limits.senders.nullish(),
    sends_per_day: limits.sends_per_day.nullish(),
    requests_per_second: limits.requests_per_second.nullish(),
  })
  .meta({ id: 'ApiKeyLimitsWish', description: 'Ours. What is left out stays as it is, null is no limit.' })

export type LimitsWish = z.output<typeof LimitsWish>

export const NewKeyBody = z
  .strictObject({
    name: HeaderText.min(1).max(200).meta({ example: 'Production' }),
    permission: z
      .enum(['full_access', 'sending_access', 'inbound:write'])
      .nullish()
      .meta({ description: 'full_access where none is given. inbound:write is for keys of the instance alone.' }),
    scopes: z
      .array(z.enum([...ACCOUNT_SCOPES, 'inbound:write']))
      .min(1)
      .nullish()
      .meta({ description: 'Ours: no more than these, out of what the permission has.' }),
    domain_id: z.string().nullish().meta({ description: 'The one domain it may send from.' }),
    limits: LimitsWish.nullish(),
  })
  .meta({ id: 'NewApiKey' })

export type NewKeyBody = z.output<typeof NewKeyBody>

export const Key = z
  .object({
    id: Id,
    name: z.string(),
    created_at: Time,
    last_used_at: Time.nullable().meta({ description: 'Noted at most once an hour.' }),
    permission: z.string(),
    scopes: z.array(z.string()),
    domain_id: z.string().nullable(),
    limits: Limits,
  })
  .meta({ id: 'ApiKey' })

export const KeyPatch = z
  .strictObject({ name: HeaderText.min(1).max(200).optional(), limits: LimitsWish.optional() })
  .meta({ id: 'ApiKeyPatch' })

export type KeyPatch = z.output<typeof KeyPatch>

const tag = 'API keys'

export const CreateKey = route({
  method: 'POST',
  path: '/api-keys',
  tag,
  summary: 'Make a key. Its token is shown here and never again. It may do no more than the key that makes it.',
  scope: 'keys:write',
  instance: true,
  body: NewKeyBody,
  creates: true,
  status: 201,
  answer: z.object({ id: Id, token: z.string().meta({ example: 're_…' }) }).meta({ id: 'CreatedApiKey' }),
})

export const ListKeys = route({
  method: 'GET',
  path: '/api-keys',
  tag,
  summary: 'The keys, newest first, without their tokens.',
  scope: 'keys:read',
  instance: true,
  query: ListQuery,
  answer: list(Key),
})

export const PatchKey = route({
  method: 'PATCH',
  path: '/api-keys/:id',
  tag,
  summary: 'Rename a key, or change its limits: to no more than those of the key that asks.',
  scope: 'keys:write',
  instance: true,
  body: KeyPatch,
  answer: z.object({ object: z.literal('api_key'), id: Id }),
  problems: ['not_found'],
})

export const DeleteKey = route({
  method: 'DELETE',
  path: '/api-keys/:id',
  tag,
  summary: 'Delete a key: it stops at once here, and within 30 seconds everywhere.',
  scope: 'keys:write',
  instance: true,
  answer: deleted('api_key'),
  problems: ['not_found'],
})
