import { GetEmail, GetEmailAttachment, ListEmailAttachments, ListEmails } from '../../contract/emails-read.ts'
import { getAttachment, listAttachments } from '../../mailbox/attachments.ts'
import { getSent, listSent } from '../../mailbox/read.ts'
import { type Bound, on, param } from '../route.ts'

export const emailsRead: Bound[] = [
  on(ListEmails, ({ ctx, query }) => listSent(ctx, query)),
  on(GetEmail, ({ ctx, params }) => getSent(ctx, param(params, 'id'))),
  on(ListEmailAttachments, ({ ctx, params, query }) =>
    listAttachments(ctx, { id: param(params, 'id'), direction: 'sent' }, query),
  ),
  on(GetEmailAttachment, ({ ctx, params }) =>
    getAttachment(ctx, { id: param(params, 'id'), direction: 'sent' }, param(params, 'aid')),
  ),
]
