/** What an endpoint is told: the event as it was stored and, where it asked for that, the mail's content as it is now. */
import type { Context } from '../context.ts'
import { isoTime } from '../record/email-event.ts'
import type { EventToTell } from '../store/mail/telling.ts'
import type { AccountRef } from '../store/stores.ts'

/** A mail's content with links that work for an hour. `truncated`: text or html was cut. */
export type FullContent = {
  text: string | null
  html: string | null
  /** What is new in it, quotes and signatures taken out; short as it is. */
  reply_text: string | null
  headers: Record<string, string> | null
  thread: string
  verdicts: unknown
  marks: unknown
  invitation: unknown
  attachments: unknown[]
  truncated: boolean
}

/** Reads a mail's content; undefined where it is gone. Handed in, because reading mail is another stage's. */
export type ReadFull = (ctx: Context, account: AccountRef, message: string) => Promise<FullContent | undefined>

/** Bytes of text and html together: more is for the API to fetch, and few receivers take larger bodies. */
export const MAX_CONTENT = 1024 * 1024

/** The JSON of one call. */
export async function payloadOf(
  ctx: Context,
  account: AccountRef,
  event: EventToTell,
  readFull: ReadFull | undefined,
): Promise<string> {
  const wanted = readFull && event.message !== null && event.type.startsWith('email.')
  const full = wanted ? await readFull(ctx, account, event.message ?? '') : undefined
  return JSON.stringify(thinPayload(event, full ? contentOf(full) : {}))
}

/** The event as it is told; what `more` has is told in its data. */
export function thinPayload(
  event: Pick<EventToTell, 'seq' | 'type' | 'createdAt' | 'data'>,
  more: Record<string, unknown> = {},
) {
  return {
    type: event.type,
    created_at: isoTime(event.createdAt),
    seq: event.seq,
    data: { ...event.data, ...more },
  }
}

function contentOf({ truncated, ...content }: FullContent): Record<string, unknown> {
  const [text, left] = cut(content.text, MAX_CONTENT)
  const [html] = cut(content.html, left)
  const isCut = truncated || text !== content.text || html !== content.html
  return { ...content, text, html, ...(isCut ? { truncated: true } : {}) }
}

/** As much of a text as fits into so many bytes of UTF-8, no character halved; and how many bytes are left. */
function cut(text: string | null, max: number): [string | null, number] {
  if (text === null) return [null, max]
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(max))
  return [text.slice(0, read), max - written]
}

/** What an event is called at an endpoint: the webhook-id of every attempt, and its id in the API. */
export function eventId(webhook: string, seq: number): string {
  return `msg_${webhook.replaceAll('-', '')}_${seq}`
}

/** The seq that an event id of this endpoint names; undefined where it names none. */
export function seqOf(webhook: string, id: string): number | undefined {
  const prefix = eventId(webhook, 0).slice(0, -1)
  const digits = id.startsWith(prefix) ? id.slice(prefix.length) : ''
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined
}
