/** Mail services of others that tell us things: of each the URL to enter there, and how its calls prove themselves. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

/** The services we know. */
export const PROVIDER_KINDS = ['postmark', 'ses'] as const

export type ProviderKind = (typeof PROVIDER_KINDS)[number]

const Kind = z.enum(PROVIDER_KINDS)

/** What a service tells us of: what became of mail it relayed for us. */
export const PROVIDER_ABILITIES = ['events'] as const

const Name = HeaderText.min(1).max(200)

const TopicArn = z
  .string()
  .max(300)
  .regex(/^arn:aws(?:-[a-z]{1,10})?:sns:[a-z0-9-]{3,30}:\d{12}:[A-Za-z0-9_.-]{1,256}$/, {
    error: 'must be the ARN of an SNS topic, like arn:aws:sns:us-east-1:123456789012:mail',
  })
  .meta({
    description:
      'ses: the one SNS topic that is believed. Where none is given, the first that asks to be confirmed is.',
    example: 'arn:aws:sns:us-east-1:123456789012:mail',
  })

export const NewProviderBody = z
  .strictObject({ kind: Kind, name: Name.nullish(), topic_arn: TopicArn.nullish() })
  .meta({ id: 'NewProvider' })

export type NewProviderBody = z.output<typeof NewProviderBody>

export const ProviderPatch = z.strictObject({ name: Name.nullish(), topic_arn: TopicArn.nullish() }).meta({
  id: 'ProviderPatch',
})

export type ProviderPatch = z.output<typeof ProviderPatch>

const shape = {
  object: z.literal('provider'),
  id: Id,
  kind: z.string(),
  name: z.string(),
  does: z.array(z.enum(PROVIDER_ABILITIES)).meta({ description: 'What its calls are taken for.' }),
  events_url: z.string().nullable().meta({ description: 'To be entered at the service, for its events.' }),
  setup: z.string().meta({ description: 'What to do there, in words.' }),
  topic_arn: z.string().nullable(),
  created_at: Time,
}

export const Provider = z.object(shape).meta({ id: 'Provider' })

export const CreatedProvider = z
  .object({
    ...shape,
    secret: z.string().nullable().meta({
      description:
        'What its calls are to prove themselves by: shown here and never again. Null where it signs them by a key of its own.',
    }),
  })
  .meta({ id: 'CreatedProvider' })

const tag = 'Providers'

export const CreateProvider = route({
  method: 'POST',
  path: '/providers',
  tag,
  summary: 'Take calls of a mail service that relays for the account, or without X-Account for the instance.',
  scope: 'providers:write',
  instance: true,
  body: NewProviderBody,
  creates: true,
  status: 201,
  answer: CreatedProvider,
})

export const ListProviders = route({
  method: 'GET',
  path: '/providers',
  tag,
  summary: 'The mail services whose calls are taken, newest first.',
  scope: 'providers:read',
  instance: true,
  query: ListQuery,
  answer: list(Provider),
})

export const GetProvider = route({
  method: 'GET',
  path: '/providers/:id',
  tag,
  summary: 'One mail service whose calls are taken.',
  scope: 'providers:read',
  instance: true,
  answer: Provider,
  problems: ['not_found'],
})

export const PatchProvider = route({
  method: 'PATCH',
  path: '/providers/:id',
  tag,
  summary: 'Rename a provider, or bind it to another topic; without one, to the next that asks.',
  scope: 'providers:write',
  instance: true,
  body: ProviderPatch,
  answer: Provider,
  problems: ['not_found'],
})

export const DeleteProvider = route({
  method: 'DELETE',
  path: '/providers/:id',
  tag,
  summary: 'Take no more calls of a provider.',
  scope: 'providers:write',
  instance: true,
  answer: deleted('provider'),
  problems: ['not_found'],
})

export const TakeEvents = route({
  method: 'POST',
  path: '/providers/:id/events',
  tag,
  summary:
    'The door for a service’s own calls, which prove themselves as that service does. What does not speak of mail of ours changes nothing.',
  scope: 'public',
  rawBody: 'application/json',
  answer: z.object({ object: z.literal('taken'), events: z.int() }),
  problems: ['not_found', 'invalid_api_key', 'invalid_request', 'payload_too_large', 'service_unavailable'],
})
