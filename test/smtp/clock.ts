/** A clock that stands still until it is moved. */
import type { Clock } from '../../src/smtp/pipe.ts'

export type StillClock = Clock & {
  /** Moves to the next timer and fires it; false where there is none. */
  fireNext(): boolean
  readonly timers: number
}

export function stillClock(): StillClock {
  let now = 0
  const timers = new Set<{ at: number; fire: () => void }>()
  return {
    now: () => now,
    setTimer(ms, fire) {
      const timer = { at: now + ms, fire }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    fireNext() {
      const [first] = [...timers].sort((a, b) => a.at - b.at)
      if (!first) return false
      timers.delete(first)
      now = Math.max(now, first.at)
      first.fire()
      return true
    },
    get timers() {
      return timers.size
    },
  }
}

/** Lets everything run that can run without more bytes or time. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
