/** What an endpoint's answer means: told, to be tried again and when, or over. */
import { webhookRetryDelay } from '../base/schedule.ts'
import type { GuardedAnswer } from '../context.ts'

/** How long one attempt may take, the whole answer read. */
export const TIMEOUT_MS = 15_000

/** Who is overwhelmed is not helped by the five seconds of the schedule's first step. */
const BREATHER_MS = 60_000

/** So much of an answer is kept to be looked at. */
const MAX_EXCERPT = 500

export type Verdict = {
  status: 'success' | 'pending' | 'failed'
  /** ms; while pending. */
  due: number | null
  /** As the log of attempts shows it: the HTTP status or 0, and the beginning of the answer or the reason for none. */
  code: number
  response: string
  /** The endpoint says that it is gone for good. */
  gone: boolean
}

/** Judges an answer. `tries` counts this attempt too; `randomUnit` is in [0, 1). */
export function judge(answer: GuardedAnswer, tries: number, now: number, randomUnit: number): Verdict {
  const code = answer.kind === 'answered' ? answer.status : 0
  const response = answer.kind === 'answered' ? excerpt(answer.body) : answer.reason
  if (code >= 200 && code < 300) return { status: 'success', due: null, code, response, gone: false }
  if (code === 410) return { status: 'failed', due: null, code, response, gone: true }
  const delay = delayAfter(answer, tries, now, randomUnit)
  if (delay === undefined) return { status: 'failed', due: null, code, response, gone: false }
  return { status: 'pending', due: now + delay, code, response, gone: false }
}

function delayAfter(answer: GuardedAnswer, tries: number, now: number, randomUnit: number): number | undefined {
  const step = webhookRetryDelay(tries, randomUnit)
  if (step === undefined) return undefined
  const breathless = answer.kind === 'answered' ? answer.status === 429 : answer.kind === 'failed' && answer.timeout
  const base = breathless ? Math.max(step, BREATHER_MS) : step
  const asked = answer.kind === 'answered' ? retryAfter(answer.headers.get('retry-after'), now) : undefined
  // A wish within reason: no sooner than planned, and no later than twice as long.
  return asked === undefined ? base : Math.min(Math.max(asked, base), 2 * base)
}

/** Milliseconds from a Retry-After header, in seconds or as a date (RFC 9110 section 10.2.3). */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : date - now
}

/** Text for a log: whatever bytes came, without control characters. */
function excerpt(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 4 * MAX_EXCERPT))
  return text
    .slice(0, MAX_EXCERPT)
    .toWellFormed()
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, ' ')
}
