import {
  CreateDraft,
  DeleteDraft,
  GetDraft,
  ListDrafts,
  SendDraft,
  UpdateDraft,
} from '../../../contract/mailbox/drafts.ts'
import { createDraft, deleteDraft, getDraft, listDrafts, updateDraft } from '../../../submission/drafts/drafts.ts'
import { sendDraft } from '../../../submission/drafts/send.ts'
import { type Bound, on, param } from '../../route.ts'

export const drafts: Bound[] = [
  on(ListDrafts, ({ ctx, query }) => listDrafts(ctx, query)),
  on(GetDraft, ({ ctx, params }) => getDraft(ctx, param(params, 'id'))),
  on(CreateDraft, ({ ctx, body, once }) => createDraft(ctx, body, once)),
  on(UpdateDraft, ({ ctx, params, body }) => updateDraft(ctx, param(params, 'id'), body)),
  on(DeleteDraft, ({ ctx, params }) => deleteDraft(ctx, param(params, 'id'))),
  on(SendDraft, ({ ctx, params, body, once }) => sendDraft(ctx, param(params, 'id'), body, once)),
]
