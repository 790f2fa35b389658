/** Relays: the SMTP providers that mail is handed to. */
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

export const NewRelayBody = z
  .strictObject({
    name: Name.nullish(),
    domain: Domain.nullish(),
    host: Host.meta({ example: 'smtp.example.com' }),
    port: Port.meta({ example: 587 }),
    security: Security,
    user: Credential.nullish(),
    password: Credential.nullish(),
    verp: z.boolean().nullish().meta({
      description:
        'Whether it takes our return paths as MAIL FROM, by which bounces are known. True unless it says so.',
    }),
  })
  .meta({ id: 'NewRelay' })

export type NewRelayBody = z.output<typeof NewRelayBody>

export const RelayPatch = z
  .strictObject({
    name: Name.nullish(),
    domain: Domain.nullish(),
    host: Host.optional(),
    port: Port.optional(),
    security: Security.optional(),
    user: Credential.nullish(),
    password: Credential.nullish(),
    verp: z.boolean().optional(),
  })
  .meta({ id: 'RelayPatch' })

export type RelayPatch = z.output<typeof RelayPatch>

export const Relay = z
  .object({
    object: z.literal('relay'),
    id: Id,
    name: z.string(),
    domain: z.string().nullable(),
    host: z.string(),
    port: z.int(),
    security: Security,
    user: z.string().nullable(),
    has_password: z.boolean(),
    verp: z.boolean(),
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
