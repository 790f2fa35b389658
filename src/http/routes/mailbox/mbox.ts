import { ExportAccount, ExportMailbox, ImportMail } from '../../../contract/mailbox/mbox.ts'
import { exportAccount, exportMailbox } from '../../../mailbox/mbox/export.ts'
import { importMail } from '../../../mailbox/mbox/import.ts'
import { streamed } from '../../download.ts'
import { type Bound, on, param } from '../../route.ts'

const TYPE = 'application/mbox'

export const mbox: Bound[] = [
  on(ExportMailbox, async ({ ctx, params, query }) => {
    const { next, ...file } = await exportMailbox(ctx, param(params, 'id'), query)
    return streamed({ ...file, type: TYPE }, { 'x-next-after': next })
  }),
  on(ExportAccount, async ({ ctx, query }) => {
    const { next, ...file } = await exportAccount(ctx, query)
    return streamed({ ...file, type: TYPE }, { 'x-next-after': next })
  }),
  on(ImportMail, ({ ctx, params, request }) =>
    importMail(ctx, param(params, 'id'), { type: request.headers.get('content-type') ?? '', body: request.body }),
  ),
]
