import {
  GetReceived,
  GetReceivedAttachment,
  ListReceived,
  ListReceivedAttachments,
} from '../../contract/reading/receiving.ts'
import { getAttachment, listAttachments } from '../../mailbox/attachments.ts'
import { getReceived, listReceived } from '../../mailbox/read.ts'
import { type Bound, on, param } from '../route.ts'

export const receiving: Bound[] = [
  on(ListReceived, ({ ctx, query }) => listReceived(ctx, query)),
  on(GetReceived, ({ ctx, params, query }) => getReceived(ctx, param(params, 'id'), query)),
  on(ListReceivedAttachments, ({ ctx, params, query }) =>
    listAttachments(ctx, { id: param(params, 'id'), direction: 'received' }, query),
  ),
  on(GetReceivedAttachment, ({ ctx, params }) =>
    getAttachment(ctx, { id: param(params, 'id'), direction: 'received' }, param(params, 'aid')),
  ),
]
