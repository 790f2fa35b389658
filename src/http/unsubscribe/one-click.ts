/** What is posted to leave a list: `List-Unsubscribe=One-Click`, as a form of either kind (RFC 8058 section 3.2). */
import { Problem } from '../../base/problem.ts'
import { readBytes } from '../raw-body.ts'

/** The pair and a boundary fit many times over. */
const MAX_BYTES = 8 * 1024

/** Refuses what does not say so: a request that strays here must not take anybody off a list. @throws Problem. */
export async function readOneClick(request: Request): Promise<void> {
  const text = new TextDecoder().decode(await readBytes(request, MAX_BYTES))
  const said = isMultipart(request)
    ? /name="?List-Unsubscribe"?/i.test(text) && /^One-Click\s*$/im.test(text)
    : new URLSearchParams(text).get('List-Unsubscribe')?.trim().toLowerCase() === 'one-click'
  if (said) return
  const reason = 'must be One-Click'
  throw new Problem('validation_error', `Invalid \`List-Unsubscribe\`: ${reason}`, {
    fields: [{ path: 'List-Unsubscribe', reason }],
    fix: 'Post List-Unsubscribe=One-Click as application/x-www-form-urlencoded.',
  })
}

function isMultipart(request: Request): boolean {
  return (request.headers.get('content-type') ?? '').toLowerCase().startsWith('multipart/form-data')
}
