/** Where transactions come from and their outcomes go: the caller's two functions, kept from holding up or breaking the dialogue. */
import type { Attempt, RecipientOutcome, Transaction } from './envelope.ts'

/**
 * Hands over the next transaction, or undefined where there is none (or no time for one: see `longestTransaction`).
 * Asked while the last is still under way. Has to come to an end by itself: a run ends no sooner than the `next` it has called.
 */
export type Next = () => Promise<Transaction | undefined>

/** Told once of each transaction, as soon as it is judged; outcomes stand as its recipients do. The dialogue goes on meanwhile. */
export type Report = (transaction: Transaction, outcomes: RecipientOutcome[]) => Promise<void>

/** When the writing of outcomes falls behind the wire, no more messages are begun: else a crash would leave too many unrecorded. */
const MAX_UNREPORTED = 8

export class Desk {
  private readonly next: Next
  private readonly tell: Report
  private readonly reporting = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  constructor(next: Next, tell: Report) {
    this.next = next
    this.tell = tell
  }

  /** Never rejects: after a failure of the caller's there is nothing more to take. */
  async take(): Promise<Transaction | undefined> {
    while (this.reporting.size >= MAX_UNREPORTED) await Promise.race(this.reporting)
    if (this.failure) return undefined
    try {
      return await this.next()
    } catch (error) {
      this.failure = { error }
      return undefined
    }
  }

  report({ transaction, outcomes }: Attempt): void {
    const told = outcomes.map((outcome): RecipientOutcome => outcome ?? { kind: 'unknown', reason: 'never judged' })
    const telling = this.told(transaction, told).finally(() => this.reporting.delete(telling))
    this.reporting.add(telling)
  }

  /** Waits for the reports under way; throws what the caller's functions threw first. */
  async close(): Promise<void> {
    await Promise.all(this.reporting)
    if (this.failure) throw this.failure.error
  }

  private async told(transaction: Transaction, outcomes: RecipientOutcome[]): Promise<void> {
    try {
      await this.tell(transaction, outcomes)
    } catch (error) {
      this.failure ??= { error }
    }
  }
}
