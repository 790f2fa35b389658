/** When to try again: fixed steps, each moved by up to a fifth so that many retries do not arrive at once. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const RELAY_STEPS = [1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR]
const WEBHOOK_STEPS = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

/** Past this age a delivery fails. RFC 5321 section 4.5.4.1 asks for days; two let a sender learn of it in time. */
export const RELAY_GIVE_UP = 48 * HOUR

/**
 * Milliseconds from a deferred attempt to the next one; undefined where that would come too late, which is to give up.
 * `attempt` counts the tries so far (from 1), `age` is the ms since the message was taken, `randomUnit` is in [0, 1).
 */
export function relayRetryDelay(attempt: number, age: number, randomUnit: number): number | undefined {
  const step = RELAY_STEPS[Math.max(0, attempt - 1)] ?? 8 * HOUR
  const delay = spread(step, randomUnit)
  return age + delay > RELAY_GIVE_UP ? undefined : delay
}

/**
 * Milliseconds to wait before a try to tell an endpoint, counted from the try before it; undefined where there are no
 * more. `attempt` counts the tries so far (from 0), `randomUnit` is in [0, 1).
 */
export function webhookRetryDelay(attempt: number, randomUnit: number): number | undefined {
  const step = WEBHOOK_STEPS[attempt]
  return step === undefined ? undefined : spread(step, randomUnit)
}

function spread(step: number, randomUnit: number): number {
  return Math.round(step * (0.8 + 0.4 * randomUnit))
}
