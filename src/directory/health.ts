/** Whether we can serve. */
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { checkDatabases } from '../store/directory/health.ts'

/** Answers ok, or refuses while storage does not answer or its schema is behind. @throws Problem service_unavailable. */
export async function checkHealth(ctx: Context): Promise<{ status: 'ok' }> {
  await checkDatabases(ctx.stores).catch(() => {
    throw new Problem('service_unavailable', 'Storage does not answer, or its migrations are not applied yet.', {
      retryAfter: 5,
    })
  })
  return { status: 'ok' }
}
