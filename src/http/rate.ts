/** A hint to slow down: how many requests a key made in this second, in this isolate. Exact daily quotas live in counters. */
import type { Caller, Context } from '../context.ts'

export type Turn = { granted: boolean; limit: number; remaining: number; resetSeconds: number }

const windows = new Map<string, { second: number; used: number }>()

/** So that many keys cannot fill the memory. */
const MOST_WINDOWS = 10_000

/** Counts a request of its key; not granted where the second is used up. */
export function takeTurn(ctx: Context | Caller): Turn {
  const limit = ctx.config.REQUESTS_PER_SECOND
  const key = 'account' in ctx ? `${ctx.account.number}:${ctx.access.key}` : 'open'
  const second = Math.floor(ctx.now() / 1000)
  const held = windows.get(key)
  const window = held?.second === second ? held : { second, used: 0 }
  if (windows.size >= MOST_WINDOWS) windows.clear()
  windows.set(key, window)
  const granted = window.used < limit
  if (granted) window.used++
  return { granted, limit, remaining: limit - window.used, resetSeconds: 1 }
}

/** The rate headers of an answer. */
export function rateHeaders(turn: Turn = { granted: true, limit: 1, remaining: 1, resetSeconds: 1 }) {
  return {
    'ratelimit-limit': String(turn.limit),
    'ratelimit-remaining': String(turn.remaining),
    'ratelimit-reset': String(turn.resetSeconds),
    'ratelimit-policy': `${turn.limit};w=1`,
  }
}
