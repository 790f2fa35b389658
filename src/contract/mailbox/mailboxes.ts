/** Named sets of messages: those that every account has, and its own. */
import * as z from 'zod'
import { deleted, Id, list, Time } from '../common.ts'
import { route } from '../route.ts'

const Name = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .refine((name) => !/[\0-\x1f\x7f]/.test(name) && name.isWellFormed(), { error: 'must not hold control characters' })
  .transform((name) => name.normalize('NFC'))
  .meta({ example: 'Invoices' })

export const MailboxView = z
  .object({
    object: z.literal('mailbox'),
    id: Id,
    name: z.string(),
    role: z.enum(['inbox', 'sent', 'drafts', 'archive', 'junk', 'trash']).nullable(),
    total: z.int().meta({ description: 'Messages in it.' }),
    unread: z.int().meta({ description: 'Those of them without the keyword $seen.' }),
    uidvalidity: z.int(),
    created_at: Time,
  })
  .meta({ id: 'Mailbox' })

export const MailboxBody = z.strictObject({ name: Name }).meta({ id: 'MailboxBody' })

export const ListMailboxes = route({
  method: 'GET',
  path: '/mailboxes',
  tag: 'Messages',
  summary: 'All mailboxes of the account.',
  scope: 'messages:read',
  answer: list(MailboxView),
})

export const GetMailbox = route({
  method: 'GET',
  path: '/mailboxes/:id',
  tag: 'Messages',
  summary: 'One mailbox, by id or role.',
  scope: 'messages:read',
  answer: MailboxView,
  problems: ['not_found'],
})

export const CreateMailbox = route({
  method: 'POST',
  path: '/mailboxes',
  tag: 'Messages',
  summary: 'Make a mailbox.',
  scope: 'messages:write',
  status: 201,
  creates: true,
  body: MailboxBody,
  answer: MailboxView,
  problems: ['validation_error', 'service_unavailable'],
})

export const RenameMailbox = route({
  method: 'PATCH',
  path: '/mailboxes/:id',
  tag: 'Messages',
  summary: 'Rename a mailbox; its role stays.',
  scope: 'messages:write',
  body: MailboxBody,
  answer: MailboxView,
  problems: ['not_found', 'validation_error', 'service_unavailable'],
})

export const DeleteMailbox = route({
  method: 'DELETE',
  path: '/mailboxes/:id',
  tag: 'Messages',
  summary: 'Delete a mailbox of the account’s own that is empty.',
  scope: 'messages:write',
  answer: deleted('mailbox'),
  problems: ['not_found', 'validation_error', 'service_unavailable'],
})
