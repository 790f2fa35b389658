/** The complete, ordered feed of an account's events, of which webhooks are only a push. */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import { EVENT_TYPE_NAMES, isEventType } from '../contract/events.ts'
import { isoTime } from '../record/email-event.ts'
import { readFeed } from '../store/mail/events.ts'

/** The events after a seq, oldest first. @throws Problem invalid_parameter naming every type that there is not. */
export async function listEvents(ctx: Caller, query: { after: number; limit: number; types?: string }) {
  const page = await readFeed(ctx.stores, ctx.account, { ...query, types: readTypes(query.types) })
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
