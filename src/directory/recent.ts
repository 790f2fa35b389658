/** What this isolate read a moment ago. A change made in another isolate is seen here after the time given, at the latest. */
import type { Context } from '../context.ts'

/** Design allows a key, and with it all that is asked for each request, to be this old. */
const REMEMBER_MS = 30_000

/** So that strangers who try names cannot fill the memory. */
const MOST = 10_000

export type Recent<T> = {
  get(ctx: Context, key: string): T | undefined
  put(ctx: Context, key: string, value: T): void
  /** Forgets what fits, at once. */
  drop(fits: (value: T, key: string) => boolean): void
}

export function makeRecent<T>(): Recent<T> {
  const held = new Map<string, { until: number; value: T }>()
  return {
    get(ctx, key) {
      const entry = held.get(key)
      if (entry && entry.until > ctx.now()) return entry.value
      held.delete(key)
      return undefined
    },
    put(ctx, key, value) {
      if (held.size >= MOST) held.clear()
      held.set(key, { until: ctx.now() + REMEMBER_MS, value })
    },
    drop(fits) {
      for (const [key, entry] of held) if (fits(entry.value, key)) held.delete(key)
    },
  }
}
