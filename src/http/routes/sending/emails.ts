import { Problem } from '../../../base/problem.ts'
import { sha256Hex } from '../../../base/seal.ts'
import { CancelEmail, RescheduleEmail, SendBatch, SendEmail, SendEmailBody, SendRaw } from '../../../contract/emails.ts'
import { submitBatch } from '../../../submission/batch.ts'
import { preview } from '../../../submission/preview.ts'
import { cancel, reschedule } from '../../../submission/scheduled/reschedule.ts'
import { submit } from '../../../submission/submit.ts'
import { submitRaw } from '../../../submission/submit-mime.ts'
import { download } from '../../download.ts'
import { readOnce } from '../../once.ts'
import { readBytes } from '../../raw-body.ts'
import { type Bound, on, param } from '../../route.ts'
import { check } from '../../validate.ts'

export const sending: Bound[] = [
  on(SendEmail, async ({ ctx, query, body, once }) =>
    query.dry_run === 'true'
      ? asMessage(await preview(ctx, body))
      : submit(ctx, body, once, query.ignore_suppressions === 'true'),
  ),
  on(SendBatch, ({ ctx, query, headers, body, once }) => {
    const mode = headers['x-batch-validation']
    const asked = once && { ...once, body: `${once.body} ${mode}` }
    return submitBatch(ctx, body.map(readMail), mode, asked, query.ignore_suppressions === 'true')
  }),
  on(RescheduleEmail, ({ ctx, params, body }) => reschedule(ctx, param(params, 'id'), body.scheduled_at)),
  on(CancelEmail, ({ ctx, params }) => cancel(ctx, param(params, 'id'))),
  on(SendRaw, async ({ ctx, query, request }) => {
    const to = new URL(request.url).searchParams.getAll('to')
    const bytes = await readBytes(request, ctx.config.MAX_MESSAGE_BYTES)
    if (bytes.length === 0)
      throw new Problem('invalid_request', 'The body is empty: send the message as message/rfc822.')
    const repeatable = request.headers.has('idempotency-key')
    // The same message to others is another request.
    const envelope = [query.from, ...to].map((party) => JSON.stringify(party)).join(' ')
    const once = repeatable
      ? await readOnce(request, '/outbound', await sha256Hex(`${envelope} ${await sha256Hex(bytes)}`))
      : undefined
    return submitRaw(ctx, { from: query.from, to }, bytes, once, query.ignore_suppressions === 'true')
  }),
]

/** Each mail by itself, so that the faulty ones can be told beside the good ones. */
function readMail(mail: unknown): SendEmailBody | Problem {
  try {
    return check(SendEmailBody, mail, 'body')
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}

function asMessage(bytes: Uint8Array): Response {
  const stream = new Blob([bytes]).stream()
  return download({ stream, size: bytes.length, type: 'message/rfc822', filename: 'message.eml' })
}
