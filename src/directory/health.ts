/** Whether we can serve. */
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { findDown } from '../store/directory/health.ts'
import { FIRST_MAIL_DB } from '../store/stores.ts'

/**
 * Answers ok, or which databases do not answer: then the accounts whose mail is there are not served, and all others are.
 * @throws Problem service_unavailable where the directory does not answer, for without it nobody is.
 */
export async function checkHealth(ctx: Context): Promise<{ status: 'ok' } | { status: 'degraded'; down: string[] }> {
  const down = await findDown(ctx.stores)
  if (down.includes(FIRST_MAIL_DB)) {
    throw new Problem('service_unavailable', 'Storage does not answer, or its migrations are not applied yet.', {
      retryAfter: 5,
    })
  }
  return down.length > 0 ? { status: 'degraded', down } : { status: 'ok' }
}
