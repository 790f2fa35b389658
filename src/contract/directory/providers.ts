/** Mail services of others that tell us things: of each the URL to enter there, and how its calls prove themselves. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

/** The services we know. */
export const PROVIDER_KINDS = ['postmark', 'ses', 'mailgun', 'sendgrid'] as const

export type ProviderKind = (typeof PROVIDER_KINDS)[number]

const Kind = z.enum(PROVIDER_KINDS)

/** What a service calls us for: to tell what became of mail it relayed for us, or to bring mail that came to it. */
export const PROVIDER_ABILITIES = ['events', 'inbound'] as const

export type ProviderAbility = (typeof PROVIDER_ABILITIES)[number]

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

/** The authserv-id of RFC 8601 section 2.2 and the host of a Received line, both as names of hosts. */
const HostNames = z
  .array(
    z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/, { error: 'must be a host name, like mx.example.com' })
      .toLowerCase(),
  )
  .max(20)

const changeable = {
  name: Name.nullish(),
  topic_arn: TopicArn.nullish(),
  public_key: z
    .string()
    .max(1000)
    .regex(/^[A-Za-z0-9+/]{80,}={0,2}$/, { error: 'must be a public key as SendGrid shows it: base64 without a frame' })
    .nullish()
    .meta({
      description:
        'sendgrid: the public key of the security policy of an Inbound Parse setting. With it only signed calls are taken, without it those that show the secret.',
      example: null,
    }),
  authserv_ids: HostNames.nullish().meta({
    description: 'Whose Authentication-Results are believed in mail that it brings; without any, nobody’s.',
    example: ['mx.example.com'],
  }),
  received_by: HostNames.nullish().meta({
    description:
      'The host names by which it writes its own Received lines: what stands below others is not believed. Without any, what stands below the first.',
    example: ['mx.example.com'],
  }),
}

export const NewProviderBody = z
  .strictObject({
    kind: Kind,
    ...changeable,
    signing_key: z
      .string()
      .regex(/^[!-~]{16,200}$/, { error: 'must be the HTTP webhook signing key of Mailgun' })
      .nullish()
      .meta({ description: 'mailgun: the HTTP webhook signing key, needed there. It is never shown.', example: null }),
  })
  .meta({ id: 'NewProvider' })

export type NewProviderBody = z.output<typeof NewProviderBody>

export const ProviderPatch = z.strictObject(changeable).meta({ id: 'ProviderPatch' })

export type ProviderPatch = z.output<typeof ProviderPatch>

const shape = {
  object: z.literal('provider'),
  id: Id,
  kind: z.string(),
  name: z.string(),
  does: z.array(z.enum(PROVIDER_ABILITIES)).meta({ description: 'What its calls are taken for.' }),
  events_url: z.string().nullable().meta({ description: 'To be entered at the service, for its events.' }),
  inbound_url: z.string().nullable().meta({ description: 'To be entered at the service, for mail that comes to it.' }),
  setup: z.string().meta({ description: 'What to do there, in words.' }),
  topic_arn: z.string().nullable(),
  public_key: z.string().nullable(),
  authserv_ids: z.array(z.string()),
  received_by: z.array(z.string()),
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
  summary:
    'Take calls of a mail service that relays or receives for the account, or without X-Account for the instance.',
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
  summary:
    'Rename a provider, change what of its mail is believed, or bind it to another topic; without one, to the next that asks.',
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

/** A mail is brought with all its attachments twice by some, and with much beside it. */
const bringing = {
  method: 'POST',
  tag,
  scope: 'public',
  told: [403, 406],
  answer: z.object({
    object: z.literal('inbound'),
    taken: z.array(
      z.object({
        to: z.string(),
        id: Id.nullable().meta({ description: 'Null where this recipient was refused for good.' }),
        duplicate: z.boolean(),
        refused: z.string().nullable(),
      }),
    ),
  }),
  problems: ['missing_api_key', 'not_found', 'invalid_request', 'payload_too_large', 'service_unavailable'],
} as const

export const TakeInbound = route({
  ...bringing,
  path: '/providers/:id/inbound',
  summary:
    'The door for mail that a service brings: its raw MIME, for the recipients of its envelope. What is refused for good is told in the status by which that service stops: 403 to Postmark, 200 to SendGrid.',
  rawBody: 'application/json',
})

export const TakeInboundMime = route({
  ...bringing,
  path: '/providers/:id/inbound/mime',
  summary:
    'The same for Mailgun, which sends raw MIME to URLs that end so; it is told 406 for what is refused for good.',
  rawBody: 'multipart/form-data',
})
