/** Lists that recipients may leave: the link in a mail (RFC 8058), and who has left. */
import * as z from 'zod'
import { Time } from '../common.ts'
import { route } from '../route.ts'

/** What a list may be called: it stands in links, between blanks. */
const NAME = /^[A-Za-z0-9._-]{1,64}$/

const ListName = z.string().regex(NAME, { error: 'must be 1 to 64 of A-Z a-z 0-9 . _ -' })

/** How a send says that its recipient may leave. */
export const UnsubscribeWish = z.union([z.boolean(), z.strictObject({ list: ListName.nullish() })]).meta({
  description:
    'Ours. Adds List-Unsubscribe and List-Unsubscribe-Post (RFC 8058) with a link of ours, and leaves out whoever has left the list. Such a mail goes to one recipient. true is the account’s one list without a name.',
})

const Unsubscribe = z.object({
  list: z.string().meta({ description: 'Empty for the list without a name.' }),
  email: z.string().meta({ description: 'In lower case.' }),
  source_id: z.string().nullable().meta({ description: 'The sent mail whose link was followed.' }),
  created_at: Time,
})

const tag = 'Suppressions'

const list = z
  .union([ListName, z.literal('')])
  .default('')
  .meta({ description: 'The name of the list; none is the one without a name.' })

export const ListUnsubscribes = route({
  method: 'GET',
  path: '/unsubscribes',
  tag,
  summary: 'Who has left a list, by address.',
  scope: 'suppressions:read',
  query: z.object({
    list,
    limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'How many, 1 to 100.' }),
    after: z.string().max(320).optional().meta({ description: 'The address after which the page begins.' }),
  }),
  answer: z.object({ object: z.literal('list'), has_more: z.boolean(), data: z.array(Unsubscribe) }),
})

export const RemoveUnsubscribe = route({
  method: 'DELETE',
  path: '/unsubscribes/:email',
  tag,
  summary: 'Put an address on a list again, because its owner asked for it.',
  scope: 'suppressions:write',
  query: z.object({ list }),
  answer: z.object({
    object: z.literal('unsubscribe'),
    list: z.string(),
    email: z.string(),
    deleted: z.literal(true),
  }),
  problems: ['not_found'],
})

export const ShowUnsubscribe = route({
  method: 'GET',
  path: '/unsubscribe/:token',
  tag,
  summary: 'A page that asks whether to leave the list. To look at it changes nothing, because scanners follow links.',
  scope: 'link',
  answers: 'text/html',
  problems: ['not_found'],
})

export const PostUnsubscribe = route({
  method: 'POST',
  path: '/unsubscribe/:token',
  tag,
  summary: 'Leave the list: what mailbox providers post at one click (RFC 8058), and the page’s own button.',
  scope: 'link',
  rawBody: 'application/x-www-form-urlencoded',
  answers: 'text/html',
  problems: ['not_found'],
})
