/** Relays: the providers that mail is handed to, by SMTP or by the platform's own service. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

const Security = z.enum(['implicit', 'starttls', 'none']).meta({
  description: 'TLS from the first byte (465), by STARTTLS (587), or none: to loopback from a local copy alone.',
})

const Host = z.string().min(1).max(253)
const Port = z.int().min(1).max(65_535)
/** What goes into AUTH as one argument (RFC 4616 allows 255 octets and more; providers hand out long tokens). */
const Credential = z
  .string()
  .min(1)
  .max(2000)
  .refine((text) => !/[\r\n\0]/.test(text), { error: 'must not contain a line break or NUL' })

const Name = HeaderText.max(200)
const Domain = z.string().max(253).meta({ description: 'The sender domain it is for; null is for every one.' })

const Kind = z.enum(['smtp', 'cloudflare']).meta({
  description:
    'smtp, or cloudflare for the Worker’s own `send_email` binding, which has no host and no login and is the operator’s to give.',
})

const Priority = z.int().min(0).max(1000).meta({
  description:
    'Lower is tried first. The next one is for when this one cannot be reached or used, never for a refusal.',
})
const Enabled = z.boolean().meta({ description: 'Whether mail is handed to it.' })
/** What one invocation may open, and more than any provider asks for. */
const MaxConnections = z.int().min(1).max(100).meta({
  description: 'How many connections at a time in all. Without it, each batch of mail opens up to two.',
})
const PerSecond = z.int().min(1).max(1000).meta({
  description: 'How many recipients a second in all. What is over it waits, and that is no failed attempt.',
})
const PerMinute = z.int().min(1).max(60_000).meta({ description: 'The same for a minute; the tighter one holds.' })
const Provider = z.enum(['postmark', 'ses']).meta({
  description: 'Whose service it is: then each mail gets a header field by which the provider’s events name it.',
})

const limits = {
  max_connections: MaxConnections.nullable().optional(),
  messages_per_second: PerSecond.nullable().optional(),
  messages_per_minute: PerMinute.nullable().optional(),
  provider: Provider.nullable().optional(),
}

export const NewRelayBody = z
  .strictObject({
    kind: Kind.optional(),
    name: Name.nullish(),
    domain: Domain.nullish(),
    priority: Priority.optional(),
    enabled: Enabled.optional(),
    ...limits,
    host: Host.optional().meta({ description: 'Needed for smtp.', example: 'smtp.example.com' }),
    port: Port.optional().meta({ description: 'Needed for smtp.', example: 587 }),
    security: Security.optional(),
    user: Credential.nullish(),
    password: Credential.nullish(),
    verp: z.boolean().nullish().meta({
      description:
        'Whether it takes our return paths as MAIL FROM, by which bounces are known. True unless it says so.',
    }),
  })
  .meta({
    id: 'NewRelay',
    example: {
      name: 'Provider',
      host: 'smtp.example.com',
      port: 587,
      security: 'starttls',
      user: 'me',
      password: 'secret',
    },
  })

export type NewRelayBody = z.output<typeof NewRelayBody>

export const RelayPatch = z
  .strictObject({
    name: Name.nullish(),
    domain: Domain.nullish(),
    priority: Priority.optional(),
    enabled: Enabled.optional(),
    ...limits,
    host: Host.optional(),
    port: Port.optional(),
    security: Security.optional(),
    user: Credential.nullish(),
    password: Credential.nullish(),
    verp: z.boolean().optional(),
  })
  .meta({ id: 'RelayPatch' })

export type RelayPatch = z.output<typeof RelayPatch>

const Health = z
  .object({
    state: z.enum(['working', 'failing', 'off']).meta({
      description: 'failing: it could not be reached or used, and gets no mail until `retry_at`. off: not enabled.',
    }),
    since: Time.nullable().meta({ description: 'Since when it fails.' }),
    retry_at: Time.nullable(),
    last_error: z.string().nullable(),
    last_error_at: Time.nullable(),
    last_success_at: Time.nullable().meta({ description: 'To within ten minutes.' }),
  })
  .meta({ id: 'RelayHealth' })

export const Relay = z
  .object({
    object: z.literal('relay'),
    id: Id,
    kind: Kind,
    name: z.string(),
    domain: z.string().nullable(),
    priority: z.int(),
    enabled: z.boolean(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    security: Security.nullable(),
    user: z.string().nullable(),
    has_password: z.boolean(),
    verp: z.boolean(),
    max_connections: z.int().nullable(),
    messages_per_second: z.int().nullable(),
    messages_per_minute: z.int().nullable(),
    provider: Provider.nullable(),
    health: Health,
    created_at: Time,
  })
  .meta({ id: 'Relay' })

const tag = 'Relays'

export const CreateRelay = route({
  method: 'POST',
  path: '/relays',
  tag,
  summary: 'Hand outbound mail to an SMTP provider: the account’s, or without X-Account the instance’s.',
  scope: 'relays:write',
  instance: true,
  body: NewRelayBody,
  creates: true,
  status: 201,
  answer: Relay,
})

export const ListRelays = route({
  method: 'GET',
  path: '/relays',
  tag,
  summary: 'The relays, newest first, without their passwords.',
  scope: 'relays:read',
  instance: true,
  query: ListQuery,
  answer: list(Relay),
})

export const GetRelay = route({
  method: 'GET',
  path: '/relays/:id',
  tag,
  summary: 'One relay, without its password.',
  scope: 'relays:read',
  instance: true,
  answer: Relay,
  problems: ['not_found'],
})

export const PatchRelay = route({
  method: 'PATCH',
  path: '/relays/:id',
  tag,
  summary: 'Change a relay. Another host, port, security or user needs the password again.',
  scope: 'relays:write',
  instance: true,
  body: RelayPatch,
  answer: Relay,
  problems: ['not_found'],
})

export const RelayTest = z
  .object({
    object: z.literal('relay_test'),
    id: Id,
    ok: z.boolean(),
    stage: z
      .enum(['settings', 'connect', 'greeting', 'ehlo', 'starttls', 'auth'])
      .nullable()
      .meta({ description: 'Where it failed.' }),
    message: z.string(),
    offers: z.array(z.string()).meta({ description: 'What the server offers in its EHLO reply.' }),
    took_ms: z.int(),
  })
  .meta({ id: 'RelayTest' })

export const TestRelay = route({
  method: 'POST',
  path: '/relays/:id/test',
  tag,
  summary:
    'Connect to a relay, secure, log in and leave, without mail. One that had failed and passes is used again at once.',
  scope: 'relays:write',
  instance: true,
  answer: RelayTest,
  problems: ['not_found'],
})

export const DeleteRelay = route({
  method: 'DELETE',
  path: '/relays/:id',
  tag,
  summary: 'Delete a relay. Mail that waits for it goes by the next one that fits.',
  scope: 'relays:write',
  instance: true,
  answer: deleted('relay'),
  problems: ['not_found'],
})
