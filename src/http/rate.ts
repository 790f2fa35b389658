/** A hint to slow down: how many requests a key made in this second, in this isolate. Exact daily quotas live in counters. */
import type { Context } from '../context.ts'

export type Turn = { granted: boolean; limit: number; remaining: number; resetSeconds: number }

const windows = new Map<string, { second: number; used: number }>()

/** So that many keys cannot fill the memory. */
const MOST_WINDOWS = 10_000

/** Counts a request of somebody; not granted where the second is used up. */
export function takeTurn(ctx: Context, who: string): Turn {
  const limit = ctx.config.REQUESTS_PER_SECOND
  const second = Math.floor(ctx.now() / 1000)
  const held = windows.get(who)
  const window = held?.second === second ? held : { second, used: 0 }
  if (windows.size >= MOST_WINDOWS) windows.clear()
  windows.set(who, window)
  const granted = window.used < limit
  if (granted) window.used++
  return { granted, limit, remaining: limit - window.used, resetSeconds: 1 }
}

/** What stands open to somebody who has taken no turn yet, or is not known. */
export function fullTurn(ctx: Context): Turn {
  const limit = ctx.config.REQUESTS_PER_SECOND
  return { granted: true, limit, remaining: limit, resetSeconds: 1 }
}

/** The rate headers of an answer. */
export function rateHeaders(turn: Turn): Record<string, string> {
  return {
    'ratelimit-limit': String(turn.limit),
    'ratelimit-remaining': String(turn.remaining),
    'ratelimit-reset': String(turn.resetSeconds),
    'ratelimit-policy': `${turn.limit};w=1`,
  }
}
