/** A hint to slow down: how many requests a key, or an account, made in this second, in this isolate. Exact daily quotas live in counters. */
import type { Context, Notes } from '../context.ts'

export type Turn = { granted: boolean; limit: number; remaining: number; resetSeconds: number }

/** By whom a request is counted, and how many he may make a second where that is not the setting's. */
export type Counted = { readonly who: string; readonly most?: number | undefined }

const windows = new Map<string, { second: number; used: number }>()

/** So that many keys cannot fill the memory. */
const MOST_WINDOWS = 10_000

/** Counts a request by each of them, where none has used his second up; answers the one who has least left. */
export function takeTurn(ctx: Context, counted: readonly Counted[]): Turn {
  const second = Math.floor(ctx.now() / 1000)
  const held = counted.map(({ who, most = ctx.config.REQUESTS_PER_SECOND }) => {
    return { limit: most, window: windowOf(who, second) }
  })
  const granted = held.every(({ limit, window }) => window.used < limit)
  if (granted) for (const { window } of held) window.used++
  const turns = held.map(({ limit, window }) => {
    return { granted, limit, remaining: Math.max(0, limit - window.used), resetSeconds: 1 }
  })
  return turns.reduce((least, turn) => (turn.remaining < least.remaining ? turn : least), turns[0] ?? fullTurn(ctx))
}

function windowOf(who: string, second: number): { second: number; used: number } {
  const held = windows.get(who)
  const window = held?.second === second ? held : { second, used: 0 }
  if (windows.size >= MOST_WINDOWS) windows.clear()
  windows.set(who, window)
  return window
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

/** What is left of the day's sends, beside the answer to one that was counted or refused; in seconds until they begin anew. */
export function quotaHeaders(ctx: Context, { sends }: Notes): Record<string, string> {
  if (!sends) return {}
  return {
    'x-daily-quota-limit': String(sends.limit),
    'x-daily-quota-remaining': String(sends.left),
    'x-daily-quota-reset': String(86_400 - (Math.floor(ctx.now() / 1000) % 86_400)),
  }
}
