/** Where mail may be forwarded to: nothing goes to an address of others before who lives there has agreed. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

export const NewForwardTargetBody = z
  .strictObject({
    email: z.string().max(320).meta({ example: 'me@home.test' }),
    from: z.string().max(320).nullish().meta({
      description: 'Who asks: an address that you may send from; without one, your oldest.',
      example: 'hello@demo.test',
    }),
  })
  .meta({ id: 'NewForwardTarget' })

export type NewForwardTargetBody = z.output<typeof NewForwardTargetBody>

export const ForwardTarget = z
  .object({
    object: z.literal('forward_target'),
    id: Id,
    email: z.string().meta({ description: 'In lower case.' }),
    verified: z.boolean().meta({ description: 'Whether mail goes there.' }),
    verified_at: Time.nullable(),
    asked_at: Time.nullable().meta({ description: 'When the question was last sent; null where it is on its way.' }),
    created_at: Time,
  })
  .meta({ id: 'ForwardTarget' })

const tag = 'Addresses'

export const AskForwardTarget = route({
  method: 'POST',
  path: '/forward-targets',
  tag,
  summary:
    'Ask by mail whether mail may be forwarded to an address; asked again, at most once an hour. Your own addresses need not be asked.',
  scope: 'addresses:write',
  body: NewForwardTargetBody,
  answer: ForwardTarget,
  problems: ['domain_not_verified'],
})

export const ListForwardTargets = route({
  method: 'GET',
  path: '/forward-targets',
  tag,
  summary: 'The addresses that were asked, newest first, and who agreed.',
  scope: 'addresses:read',
  query: ListQuery,
  answer: list(ForwardTarget),
})

export const DeleteForwardTarget = route({
  method: 'DELETE',
  path: '/forward-targets/:id',
  tag,
  summary: 'Forward nothing to an address any more, by its id or the address itself.',
  scope: 'addresses:write',
  answer: deleted('forward_target'),
  problems: ['not_found'],
})

export const ShowAgreement = route({
  method: 'GET',
  path: '/forward-targets/confirm/:token',
  tag,
  summary:
    'A page that asks whether mail may be forwarded. To look at it changes nothing, because scanners follow links.',
  scope: 'link',
  answers: 'text/html',
  problems: ['not_found'],
})

export const PostAgreement = route({
  method: 'POST',
  path: '/forward-targets/confirm/:token',
  tag,
  summary: 'Agree that mail is forwarded: what the page’s button posts.',
  scope: 'link',
  rawBody: 'application/x-www-form-urlencoded',
  answers: 'text/html',
  problems: ['not_found'],
})
