import { Problem } from '../../base/problem.ts'
import { sha256Hex } from '../../base/seal.ts'
import { SendEmail, SendRaw } from '../../contract/emails.ts'
import { submit } from '../../submission/submit.ts'
import { submitRaw } from '../../submission/submit-mime.ts'
import { readOnce } from '../once.ts'
import { readBytes } from '../raw-body.ts'
import { type Bound, on } from '../route.ts'

export const sending: Bound[] = [
  on(SendEmail, ({ ctx, body, once }) => submit(ctx, body, once)),
  on(SendRaw, async ({ ctx, query, request }) => {
    const to = new URL(request.url).searchParams.getAll('to')
    const bytes = await readBytes(request, ctx.config.MAX_MESSAGE_BYTES)
    if (bytes.length === 0)
      throw new Problem('invalid_request', 'The body is empty: send the message as message/rfc822.')
    const once = await readOnce(request, '/outbound', await sha256Hex(bytes))
    return submitRaw(ctx, { from: query.from, to }, bytes, once)
  }),
]
