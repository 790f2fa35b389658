import {
  CreateMailbox,
  DeleteMailbox,
  GetMailbox,
  ListMailboxes,
  RenameMailbox,
} from '../../../contract/mailbox/mailboxes.ts'
import { createMailbox, deleteMailbox, getMailbox, listMailboxes, renameMailbox } from '../../../mailbox/mailboxes.ts'
import { type Bound, on, param } from '../../route.ts'

export const mailboxes: Bound[] = [
  on(ListMailboxes, ({ ctx }) => listMailboxes(ctx)),
  on(GetMailbox, ({ ctx, params }) => getMailbox(ctx, param(params, 'id'))),
  on(CreateMailbox, ({ ctx, body, once }) => createMailbox(ctx, body, once)),
  on(RenameMailbox, ({ ctx, params, body }) => renameMailbox(ctx, param(params, 'id'), body)),
  on(DeleteMailbox, ({ ctx, params }) => deleteMailbox(ctx, param(params, 'id'))),
]
