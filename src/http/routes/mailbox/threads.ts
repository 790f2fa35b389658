import { ChangeThread, DeleteThread, GetThread, ListThreads } from '../../../contract/mailbox/threads.ts'
import { changeThread, deleteThread, getThread, listThreads } from '../../../mailbox/threads.ts'
import { type Bound, on, param } from '../../route.ts'

export const threads: Bound[] = [
  on(ListThreads, ({ ctx, query }) => listThreads(ctx, query)),
  on(GetThread, ({ ctx, params }) => getThread(ctx, param(params, 'id'))),
  on(ChangeThread, ({ ctx, params, query, body }) => changeThread(ctx, param(params, 'id'), body, query.after)),
  on(DeleteThread, ({ ctx, params, query }) =>
    deleteThread(ctx, param(params, 'id'), query.permanent === 'true', query.after),
  ),
]
