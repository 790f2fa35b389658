import { ChangeMany, CopyMessage } from '../../contract/mailbox/bulk.ts'
import {
  ChangeMessage,
  DeleteMessage,
  GetMessage,
  GetMessageAttachment,
  GetMessageRaw,
  ListMessageAttachments,
  ListMessages,
  RebuildSearch,
} from '../../contract/messages.ts'
import { downloadRaw, getAttachment, listAttachments } from '../../mailbox/attachments.ts'
import { changeMany } from '../../mailbox/bulk.ts'
import { changeMessage, deleteMessage } from '../../mailbox/change.ts'
import { copyMessage } from '../../mailbox/copy.ts'
import { getMessage, listMessages } from '../../mailbox/read.ts'
import { rebuild } from '../../mailbox/search/rebuild.ts'
import { download } from '../download.ts'
import { type Bound, on, param } from '../route.ts'

export const messages: Bound[] = [
  on(ListMessages, ({ ctx, query }) => listMessages(ctx, query)),
  on(RebuildSearch, ({ ctx, body }) => rebuild(ctx, body.account)),
  on(GetMessage, ({ ctx, params, query }) => getMessage(ctx, param(params, 'id'), query)),
  on(ChangeMessage, ({ ctx, params, body }) => changeMessage(ctx, param(params, 'id'), body)),
  on(DeleteMessage, ({ ctx, params, query }) => deleteMessage(ctx, param(params, 'id'), query.permanent === 'true')),
  on(ChangeMany, ({ ctx, body }) => changeMany(ctx, body)),
  on(CopyMessage, ({ ctx, params, body, once }) => copyMessage(ctx, param(params, 'id'), body, once)),
  on(GetMessageRaw, async ({ ctx, params }) => download(await downloadRaw(ctx, param(params, 'id')))),
  on(ListMessageAttachments, ({ ctx, params, query }) => listAttachments(ctx, { id: param(params, 'id') }, query)),
  on(GetMessageAttachment, ({ ctx, params }) => getAttachment(ctx, { id: param(params, 'id') }, param(params, 'part'))),
]
