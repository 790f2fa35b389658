/** The complete, ordered feed of an account's events, of which webhooks are only a push. */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import { EVENT_TYPE_NAMES, isEventType } from '../contract/events.ts'
import { isoTime } from '../record/email-event.ts'
import { type FeedPage, readFeed } from '../store/mail/events.ts'

type Query = { after: number; limit: number; types?: string; wait: number }

/** Soon enough for a program that waits, and one small read each. */
const LOOK_AGAIN_MS = 1000

/**
 * The events after a seq, oldest first; waits up to `wait` seconds for the first of them.
 * @throws Problem invalid_parameter naming every type that there is not.
 */
export async function listEvents(ctx: Caller, query: Query) {
  const page = await awaitPage(ctx, { ...query, types: readTypes(query.types) })
  return {
    object: 'list' as const,
    has_more: page.hasMore,
    next_after: page.nextAfter,
    data: page.rows.map(({ seq, type, createdAt, data }) => ({
      object: 'event' as const,
      seq,
      type,
      created_at: isoTime(createdAt),
      data,
    })),
  }
}

/** A page that only tells where to go on is answered at once: what was asked for may lie right behind it. */
async function awaitPage(
  ctx: Caller,
  query: Omit<Query, 'types'> & { types: string[] | undefined },
): Promise<FeedPage> {
  let { after } = query
  for (let looks = 0; ; looks++) {
    const page = await readFeed(ctx.stores, ctx.account, { ...query, after })
    if (page.rows.length > 0 || page.hasMore || looks >= query.wait) return page
    after = page.nextAfter
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

function readTypes(text: string | undefined): string[] | undefined {
  const types = text
    ?.split(',')
    .map((type) => type.trim())
    .filter(Boolean)
  if (!types || types.length === 0) return undefined
  const unknown = types.filter((type) => !isEventType(type))
  if (unknown.length > 0) {
    const fields = unknown.map((type) => ({ path: 'types', reason: `${JSON.stringify(type)} is not an event type` }))
    throw new Problem('invalid_parameter', `Invalid \`types\`: ${fields.map((field) => field.reason).join(', ')}`, {
      fields,
      fix: `There are: ${EVENT_TYPE_NAMES.join(', ')}.`,
    })
  }
  return types
}
