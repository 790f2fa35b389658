/** Webhooks: endpoints, what they were told, and telling again. Resend's shapes; `payload` and replaying a range are ours. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from './common.ts'
import { EVENT_TYPE_NAMES } from './events.ts'
import { route } from './route.ts'

const EventTypes = z
  .array(
    z.enum(EVENT_TYPE_NAMES, {
      error: (issue) =>
        `${JSON.stringify(issue.input)} is not an event type. There are: ${EVENT_TYPE_NAMES.join(', ')}`,
    }),
  )
  .min(1)
  .max(EVENT_TYPE_NAMES.length)
  .meta({ description: 'Which events it is told of.', example: ['email.received'] })

const Endpoint = z
  .string()
  .min(1)
  .max(2048)
  .meta({ description: 'An https URL of a public host.', example: 'https://example.com/hooks/mail' })

const Payload = z.enum(['thin', 'full']).meta({
  description: '`full` also tells text, html, headers and links to the attachments, built anew for each attempt.',
})

const Status = z.enum(['enabled', 'disabled'])

const SigningSecret = z.string().meta({ description: 'whsec_ and base64, as Standard Webhooks libraries take it.' })

export const CreateWebhookBody = z
  .strictObject({ endpoint: Endpoint, events: EventTypes, payload: Payload.nullish() })
  .meta({ id: 'CreateWebhook' })

export type CreateWebhookBody = z.output<typeof CreateWebhookBody>

export const UpdateWebhookBody = z
  .strictObject({
    endpoint: Endpoint.nullish(),
    events: EventTypes.nullish(),
    status: Status.nullish().meta({
      description:
        'Enabled again, it is told what happens from then on, and what was still pending; the rest by replay.',
    }),
    payload: Payload.nullish(),
  })
  .meta({ id: 'UpdateWebhook' })

export type UpdateWebhookBody = z.output<typeof UpdateWebhookBody>

const Summary = z.object({
  id: Id,
  created_at: Time,
  status: Status,
  endpoint: z.string(),
  events: z.array(z.string()),
  payload: Payload,
})

const Reference = z.object({ object: z.literal('webhook'), id: Id })

const WithSecret = Reference.extend({ signing_secret: SigningSecret })

export const CreateWebhook = route({
  method: 'POST',
  path: '/webhooks',
  tag: 'Webhooks',
  summary: 'Make an endpoint. It is told what happens from now on.',
  scope: 'webhooks:write',
  body: CreateWebhookBody,
  status: 201,
  creates: true,
  answer: WithSecret,
})

export const ListWebhooks = route({
  method: 'GET',
  path: '/webhooks',
  tag: 'Webhooks',
  summary: 'List endpoints.',
  scope: 'webhooks:read',
  query: ListQuery,
  answer: list(Summary),
})

export const GetWebhook = route({
  method: 'GET',
  path: '/webhooks/:id',
  tag: 'Webhooks',
  summary: 'Get an endpoint with its signing secret.',
  scope: 'webhooks:read',
  answer: Summary.extend({ object: z.literal('webhook'), signing_secret: SigningSecret }),
})

export const UpdateWebhook = route({
  method: 'PATCH',
  path: '/webhooks/:id',
  tag: 'Webhooks',
  summary: 'Change an endpoint, disable it, or enable it again.',
  scope: 'webhooks:write',
  body: UpdateWebhookBody,
  answer: Reference,
})

export const DeleteWebhook = route({
  method: 'DELETE',
  path: '/webhooks/:id',
  tag: 'Webhooks',
  summary: 'Delete an endpoint.',
  scope: 'webhooks:write',
  answer: deleted('webhook'),
})

export const RotateSecret = route({
  method: 'POST',
  path: '/webhooks/:id/signing-secret/rotate',
  tag: 'Webhooks',
  summary: 'Make a new signing secret. The one before it still signs too, for 24 hours.',
  scope: 'webhooks:write',
  creates: true,
  answer: WithSecret,
})

const DispatchStatus = z.enum(['success', 'pending', 'failed', 'attempting'])

const EventId = z.string().meta({
  description: 'The webhook-id that the endpoint was shown, the same for every attempt.',
  example: 'msg_01919b1e7c4a7e108f3a5b0c6d7e8f90_42',
})

const Dispatch = z.object({ id: EventId, type: z.string(), created_at: Time, status: DispatchStatus })

export const ListDispatches = route({
  method: 'GET',
  path: '/webhooks/:id/events',
  tag: 'Webhooks',
  summary: 'What the endpoint was told, newest first. Kept for 30 days.',
  scope: 'webhooks:read',
  query: ListQuery,
  answer: list(Dispatch),
})

export const GetDispatch = route({
  method: 'GET',
  path: '/webhooks/:id/events/:event',
  tag: 'Webhooks',
  summary: 'One event that the endpoint was told, with its payload.',
  scope: 'webhooks:read',
  answer: Dispatch.extend({
    object: z.literal('webhook_event'),
    next_attempt_at: Time.nullable(),
    payload: z.record(z.string(), z.unknown()),
  }),
})

export const ReplayDispatch = route({
  method: 'POST',
  path: '/webhooks/:id/events/:event/replay',
  tag: 'Webhooks',
  summary: 'Tell an event again, from the beginning of the schedule.',
  scope: 'webhooks:write',
  answer: z.object({ object: z.literal('webhook_event'), id: EventId }),
})

export const ListAttempts = route({
  method: 'GET',
  path: '/webhooks/:id/events/:event/attempts',
  tag: 'Webhooks',
  summary: 'Every attempt to tell an event, newest first; the last twenty are kept.',
  scope: 'webhooks:read',
  query: ListQuery,
  answer: list(
    z.object({
      id: z.string(),
      http_status_code: z.int().meta({ description: '0 where there was no answer; `response` then says why.' }),
      response: z.string().meta({ description: 'The beginning of the answer.' }),
      sent_at: Time,
    }),
  ),
})

export const ReplayRange = route({
  method: 'POST',
  path: '/webhooks/:id/replay',
  tag: 'Webhooks',
  summary: 'Tell again all events of a range that the endpoint asks for, at most 1,000 a call.',
  scope: 'webhooks:write',
  body: z.strictObject({
    after_seq: z.int().min(0),
    until_seq: z.int().min(1).nullish().meta({ description: 'The last one; to the end where it is left out.' }),
  }),
  answer: Reference.extend({
    replayed: z.int(),
    has_more: z.boolean(),
    next_after_seq: z.int().meta({ description: 'Where to go on, while there are more.' }),
  }),
})
