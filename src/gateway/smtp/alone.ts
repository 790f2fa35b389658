/**
 * SMTP has one reply to a mail, however many recipients it names. Where the API stored it for some and refused it for
 * others for good, no reply is true: so the client is asked to come again, and those who were refused are then taken
 * in a transaction of their own only, whose one reply is theirs. Who has it already is not given it twice, for the
 * API knows a repeated mail.
 */

/** Far more than can be in that state at once; the oldest are forgotten first, and would only come round once more. */
const MAX_REMEMBERED = 1000

export class Alone {
  #pairs = new Set<string>()

  remember(from: string, to: string): void {
    const [oldest] = this.#pairs
    if (this.#pairs.size >= MAX_REMEMBERED && oldest !== undefined) this.#pairs.delete(oldest)
    this.#pairs.add(pair(from, to))
  }

  /** Whether a recipient must wait for a later transaction, given those already named in this one. */
  mustWait(from: string, to: string, others: readonly string[]): boolean {
    const strangers = others.filter((other) => other !== to)
    return strangers.length > 0 && [to, ...strangers].some((one) => this.#pairs.has(pair(from, one)))
  }
}

function pair(from: string, to: string): string {
  return `${from}\n${to}`
}
