/** A lost acknowledgement is not a failure: D1 never retries a write, and a batch may commit while its answer is lost. */
import { Problem } from '../base/problem.ts'

/** Twice, because trouble of the platform that outlasts two tries is for the caller to wait out. */
const REPEATS = 2

/**
 * Makes a write whose outcome must be known. `attempt` is called with the number of the try; after an error `readBack`
 * says what is there: something → that is the answer; undefined → nothing was written, and it is tried again.
 * `attempt` must write nothing when what it makes exists already. A Problem is passed on as it is.
 * @throws Problem service_unavailable where the outcome cannot be learned.
 */
export async function settle<T>(
  attempt: (tries: number) => Promise<T>,
  readBack: () => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(tries)
    } catch (error) {
      if (error instanceof Problem) throw error
      const found = await readBack().catch(() => {
        throw unknownOutcome()
      })
      if (found !== undefined) return found
      if (tries >= REPEATS) throw nothingStored()
    }
  }
}

export function unknownOutcome(): Problem {
  return new Problem('service_unavailable', 'The outcome is unknown: storage did not answer.', {
    fix: 'Repeat the request with the same Idempotency-Key.',
    retryAfter: 5,
  })
}

/** For an account that is on its way to another database. */
export function beingMoved(): Problem {
  return new Problem('service_unavailable', 'The account is being moved to another database; nothing was stored.', {
    fix: 'Try again in a few minutes: all of it will be there.',
    retryAfter: 60,
  })
}

export function nothingStored(): Problem {
  return new Problem('service_unavailable', 'Storage is not available; nothing was stored.', {
    fix: 'Try again in a few seconds.',
    retryAfter: 5,
  })
}
