/** Domains, in Resend's shapes. */
import * as z from 'zod'
import { deleted, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

const Ability = z.enum(['enabled', 'disabled'])

const Capabilities = z.strictObject({ sending: Ability, receiving: Ability })

export const REGIONS = ['us-east-1', 'eu-west-1', 'sa-east-1', 'ap-northeast-1'] as const

const Region = z
  .enum(REGIONS)
  .meta({ description: 'Kept and shown for the sake of Resend’s clients; means nothing here.' })

/** What may be set at first and later. Tracking and enforced TLS are known, so that asking for them is refused by name. */
const wishes = {
  capabilities: Capabilities.partial().nullish(),
  open_tracking: z.boolean().nullish().meta({ description: 'Not served: true is refused.' }),
  click_tracking: z.boolean().nullish().meta({ description: 'Not served: true is refused.' }),
  tracking_subdomain: z.string().nullish().meta({ description: 'Not served: refused.' }),
  tls: z
    .enum(['opportunistic', 'enforced'])
    .nullish()
    .meta({ description: 'enforced is refused: what happens beyond the relay is the relay’s.' }),
}

export const NewDomainBody = z
  .strictObject({
    name: z.string().min(1).max(253).meta({ example: 'example.com' }),
    region: Region.nullish(),
    custom_return_path: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, { error: 'must be one label of letters, digits and hyphens' })
      .nullish()
      .meta({ description: 'The label before the domain to which bounces come back.' }),
    ...wishes,
  })
  .meta({ id: 'NewDomain' })

export type NewDomainBody = z.output<typeof NewDomainBody>

export const DomainPatch = z.strictObject(wishes).meta({ id: 'DomainPatch' })

export type DomainPatch = z.output<typeof DomainPatch>

const Status = z.enum(['not_started', 'pending', 'verified', 'failed', 'partially_verified', 'partially_failed']).meta({
  description:
    'A domain sends once its records of ownership and DKIM are seen. partially_verified: others are still missing; partially_failed: they were not found in three days, or broke. failed: it does not send; mail for its addresses is still taken.',
})

const RecordStatus = z.enum(['not_started', 'pending', 'verified', 'failed', 'temporary_failure'])

const dns = {
  record: z.enum(['SPF', 'DKIM', 'Receiving']).meta({ description: "In Resend's words; purpose tells all apart." }),
  name: z.string().meta({ description: 'Relative to the domain; @ is the domain itself.' }),
  ttl: z.literal('Auto'),
  status: RecordStatus,
  value: z.string().meta({ description: 'What is expected.' }),
  purpose: z.enum(['return_path', 'dkim', 'receiving', 'dmarc', 'ownership']).meta({
    description:
      'return_path: where bounces come back, and who may send them out. dkim: the key of our signatures. receiving: where mail for the domain goes. dmarc: what others are to do with forged mail, as you wish it. ownership: that the claim is this account’s.',
  }),
  required: z.boolean().meta({ description: 'false: advice, or a DKIM key that signed before.' }),
  found: z.array(z.string()).optional().meta({ description: 'What the DNS said when it was asked last.' }),
  reason: z.string().optional().meta({ description: 'What is wrong with that.' }),
}

const DnsRecord = z
  .discriminatedUnion('type', [
    z.object({ ...dns, type: z.literal('MX'), priority: z.int() }),
    z.object({ ...dns, type: z.literal('TXT') }),
  ])
  .meta({ id: 'DnsRecord' })

const summary = {
  id: Id,
  name: z.string(),
  status: Status,
  created_at: Time,
  region: z.string(),
  capabilities: Capabilities,
  open_tracking: z.boolean(),
  click_tracking: z.boolean(),
}

const records = z.array(DnsRecord)

const tag = 'Domains'

export const CreateDomain = route({
  method: 'POST',
  path: '/domains',
  tag,
  summary: 'Claim a domain. Its records prove the claim and make its mail come and go.',
  scope: 'domains:write',
  body: NewDomainBody,
  creates: true,
  status: 201,
  answer: z.object({ ...summary, records }).meta({ id: 'CreatedDomain' }),
})

export const ListDomains = route({
  method: 'GET',
  path: '/domains',
  tag,
  summary: 'The domains, newest first.',
  scope: 'domains:read',
  query: ListQuery,
  answer: list(z.object(summary).meta({ id: 'DomainSummary' })),
})

const Domain = z.object({ object: z.literal('domain'), ...summary, records }).meta({ id: 'Domain' })

export const GetDomain = route({
  method: 'GET',
  path: '/domains/:id',
  tag,
  summary: 'One domain, with the DNS records it needs.',
  scope: 'domains:read',
  answer: Domain,
  problems: ['not_found'],
})

const Named = z.object({ object: z.literal('domain'), id: Id })

export const PatchDomain = route({
  method: 'PATCH',
  path: '/domains/:id',
  tag,
  summary: 'Say whether a domain sends and receives.',
  scope: 'domains:write',
  body: DomainPatch,
  answer: Named,
  problems: ['not_found'],
})

export const VerifyDomain = route({
  method: 'POST',
  path: '/domains/:id/verify',
  tag,
  summary:
    'Look the records of a domain up now, and again for three days until they are there. A local copy verifies at once.',
  scope: 'domains:write',
  answer: Named,
  problems: ['not_found'],
})

export const RotateDkim = route({
  method: 'POST',
  path: '/domains/:id/dkim/rotate',
  tag,
  summary: 'Make a second DKIM key. It signs once its record is seen; the one before is shown for a week more.',
  scope: 'domains:write',
  answer: Domain,
  problems: ['not_found'],
})

export const DeleteDomain = route({
  method: 'DELETE',
  path: '/domains/:id',
  tag,
  summary: 'Give up a domain on which no address stands. Mail that is stored stays.',
  scope: 'domains:write',
  query: z.object({
    addresses: z
      .enum(['delete'])
      .optional()
      .meta({ description: 'delete: your own addresses on it go first. Refused while others have addresses on it.' }),
  }),
  answer: deleted('domain'),
  problems: ['not_found'],
})
