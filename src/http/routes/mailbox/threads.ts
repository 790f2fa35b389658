import { GetThread } from '../../../contract/mailbox/threads.ts'
import { getThread } from '../../../mailbox/read.ts'
import { type Bound, on, param } from '../../route.ts'

export const threads: Bound[] = [on(GetThread, ({ ctx, params }) => getThread(ctx, param(params, 'id')))]
