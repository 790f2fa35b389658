/** Accounts: the owners of mailboxes, addresses and keys. The operator makes them. */
import * as z from 'zod'
import { deleted, HeaderText, Id, ListQuery, list, Time } from '../common.ts'
import { route } from '../route.ts'

const Limit = z.int().min(0).nullable()

const Quota = z
  .strictObject({
    storage_bytes: Limit.meta({ description: 'Octets of all its mail; null is no limit.' }),
    sends_per_day: Limit.meta({ description: 'Recipients sent to in a UTC day; null is no limit.' }),
    addresses: Limit.meta({ description: 'How many addresses it may have; null is no limit.' }),
    requests_per_second: z.int().min(1).nullable().meta({
      description: 'What all its keys may ask together, counted where a request arrives; null is no limit of its own.',
    }),
  })
  .meta({ id: 'Quota' })

const Days = z.int().min(1).max(36_500).nullable()

const Retention = z
  .strictObject({
    trash_days: Days.meta({
      description: 'How long a message stays in Trash before it is deleted for good; null is for ever.',
    }),
    junk_days: Days.meta({ description: 'The same for Junk.' }),
    received_days: Days.meta({
      description: 'How long received mail is kept at all, wherever it lies; null is for ever.',
    }),
    sent_days: Days.meta({ description: 'The same for sent mail.' }),
  })
  .meta({ id: 'Retention', description: 'A new account keeps Trash and Junk for 30 days, and all else for ever.' })

const Name = HeaderText.min(1).max(200)

const Database = z.string().min(1).max(64).meta({ description: 'The binding of a mail database.', example: 'MAIL_2' })

export const NewAccountBody = z
  .strictObject({
    name: Name.meta({ example: 'Demo' }),
    quota: Quota.partial().optional(),
    retention: Retention.partial().optional(),
    database: Database.optional().meta({
      description: 'Where its mail is to lie; else where the fewest accounts are.',
    }),
  })
  .meta({ id: 'NewAccount' })

export type NewAccountBody = z.output<typeof NewAccountBody>

export const AccountPatch = z
  .strictObject({
    name: Name.optional(),
    quota: Quota.partial().optional(),
    retention: Retention.partial().optional(),
  })
  .meta({ id: 'AccountPatch' })

export type AccountPatch = z.output<typeof AccountPatch>

const fields = {
  object: z.literal('account'),
  id: Id,
  name: z.string(),
  created_at: Time,
  state: z.enum(['opening', 'active', 'moving']).meta({
    description: 'Whether it is served; one that is being made or moved is in a moment, and loses nothing meanwhile.',
  }),
  database: Database,
  quota: Quota,
  retention: Retention,
}

export const Account = z.object(fields).meta({ id: 'Account' })

export const AccountWithUsage = z
  .object({
    ...fields,
    usage: z.object({
      messages: z.int(),
      storage_bytes: z.int(),
      sends_today: z.int(),
      addresses: z.int(),
    }),
  })
  .meta({ id: 'AccountWithUsage' })

export const CreatedAccount = z
  .object({
    ...fields,
    api_key: z.object({ id: Id, token: z.string().meta({ description: 'Shown here and never again.' }) }),
  })
  .meta({ id: 'CreatedAccount' })

const tag = 'Accounts'
const scope = 'operator'

export const CreateAccount = route({
  method: 'POST',
  path: '/accounts',
  tag,
  summary: 'Make an account, with its first API key and its mailboxes.',
  scope,
  body: NewAccountBody,
  creates: true,
  status: 201,
  answer: CreatedAccount,
})

export const ListAccounts = route({
  method: 'GET',
  path: '/accounts',
  tag,
  summary: 'All accounts, newest first.',
  scope,
  query: ListQuery,
  answer: list(Account),
})

export const GetOwnAccount = route({
  method: 'GET',
  path: '/accounts/me',
  tag,
  summary: 'The account whose key this is, with its quota and what it uses of it.',
  scope: 'account:read',
  answer: AccountWithUsage,
})

export const GetAccount = route({
  method: 'GET',
  path: '/accounts/:id',
  tag,
  summary: 'One account, with its quota and what it uses of it.',
  scope,
  answer: AccountWithUsage,
  problems: ['not_found'],
})

export const PatchAccount = route({
  method: 'PATCH',
  path: '/accounts/:id',
  tag,
  summary: 'Rename an account or change its quota.',
  scope,
  body: AccountPatch,
  answer: AccountWithUsage,
  problems: ['not_found'],
})

export const MoveAccountBody = z.strictObject({ to: Database }).meta({ id: 'MoveAccount' })

export type MoveAccountBody = z.output<typeof MoveAccountBody>

export const AccountMove = z
  .object({
    object: z.literal('account_move'),
    account: Id,
    from: Database,
    to: Database,
    step: z.enum(['close', 'drain', 'copy', 'compare', 'switch', 'open', 'back']),
    tables_done: z.int(),
    tables: z.int(),
    since: Time.meta({ description: 'When the step began.' }),
  })
  .meta({ id: 'AccountMove' })

export const MoveAccount = route({
  method: 'POST',
  path: '/accounts/:id/move',
  tag,
  summary:
    'Move an account’s mail to another database. It is closed meanwhile: senders and programs are told to try again.',
  scope,
  body: MoveAccountBody,
  answer: AccountMove,
  problems: ['not_found', 'conflict', 'validation_error'],
})

export const GetAccountMove = route({
  method: 'GET',
  path: '/accounts/:id/move',
  tag,
  summary: 'How far the move of an account has come; not found once it is over.',
  scope,
  answer: AccountMove,
  problems: ['not_found'],
})

export const CancelAccountMove = route({
  method: 'DELETE',
  path: '/accounts/:id/move',
  tag,
  summary: 'Take a move back before the new database has become the true one; the account opens where it was.',
  scope,
  answer: AccountMove,
  problems: ['not_found', 'conflict'],
})

export const DeleteAccount = route({
  method: 'DELETE',
  path: '/accounts/:id',
  tag,
  summary: 'Close an account at once; every byte of it is removed in steps, its addresses and domains last.',
  scope,
  answer: deleted('account'),
  problems: ['not_found'],
})
