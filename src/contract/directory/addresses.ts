/** Addresses that mail is taken for. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'
import { receivingFields, receivingView } from './receiving.ts'

/** Each is one more mail sent for every mail that comes. */
const MAX_FORWARDS = 20

const settings = {
  name: HeaderText.max(200).nullish().meta({ description: 'The display name.' }),
  forward_to: z.array(z.string()).max(MAX_FORWARDS).nullish().meta({
    description: 'A copy of each mail is sent there, once who lives there has agreed.',
  }),
  expires_at: z.iso.datetime({ offset: true }).nullish().meta({ description: 'From then on it takes no mail.' }),
  ...receivingFields,
}

export const NewAddressBody = z
  .strictObject({
    address: z.string().meta({
      description:
        '`local@domain`, the wildcard `*@domain`, or `*@*.domain` for all its sub-domains. Mail to `local+tag@domain` reaches `local@domain`.',
      example: 'hello@demo.test',
    }),
    ...settings,
  })
  .meta({ id: 'NewAddress' })

export type NewAddressBody = z.output<typeof NewAddressBody>

export const AddressPatch = z.strictObject(settings).meta({ id: 'AddressPatch' })

export type AddressPatch = z.output<typeof AddressPatch>

export const Address = z
  .object({
    object: z.literal('address'),
    id: Id,
    address: z.string(),
    domain: z.string(),
    name: z.string().nullable(),
    forward_to: z.array(z.string()),
    forward_pending: z.array(z.string()).meta({
      description:
        'Those of `forward_to` where nobody has agreed yet: nothing goes there. They were asked by mail; POST /forward-targets asks again.',
    }),
    expires_at: Time.nullable(),
    ...receivingView,
    created_at: Time,
  })
  .meta({ id: 'Address' })

const tag = 'Addresses'

export const CreateAddress = route({
  method: 'POST',
  path: '/addresses',
  tag,
  summary: 'Take mail for an address on a verified domain.',
  scope: 'addresses:write',
  body: NewAddressBody,
  creates: true,
  status: 201,
  answer: Address,
  problems: ['domain_not_verified'],
})

export const ListAddresses = route({
  method: 'GET',
  path: '/addresses',
  tag,
  summary: 'The addresses, newest first.',
  scope: 'addresses:read',
  query: ListQuery.extend({ domain: z.string().optional().meta({ description: 'Those on this domain alone.' }) }),
  answer: list(Address),
})

export const GetAddress = route({
  method: 'GET',
  path: '/addresses/:id',
  tag,
  summary: 'One address, by its id or the address itself.',
  scope: 'addresses:read',
  answer: Address,
  problems: ['not_found'],
})

export const PatchAddress = route({
  method: 'PATCH',
  path: '/addresses/:id',
  tag,
  summary: 'Change settings of an address, and those alone that are named; null takes one away.',
  scope: 'addresses:write',
  body: AddressPatch,
  answer: Address,
  problems: ['not_found'],
})

export const DeleteAddress = route({
  method: 'DELETE',
  path: '/addresses/:id',
  tag,
  summary: 'Take no more mail for an address. Mail that is stored stays.',
  scope: 'addresses:write',
  answer: deleted('address'),
  problems: ['not_found'],
})
