/** Makes the context of one request, one queue batch or one tick, out of what the Worker was given. */
import { consoleLog, describeError } from '../base/log.ts'
import type { Context, Wake } from '../context.ts'
import type { AccountRef } from '../store/stores.ts'

/** What a queue carries: keys only. Either queue's messages have this shape; `owed` is for tasks of the account. */
export type WakeUp = { account: AccountRef; messages?: string[]; owed?: true }

type Sender = { send(body: WakeUp, options?: { delaySeconds?: number }): Promise<unknown> }

/** Wake-ups by queue. A lost one is found by the sweep, so its failure is only logged. */
export function queueWake(queues: { outbound: Sender; dispatch: Sender }, later: Context['later']): Wake {
  return {
    relay: (account, messages) => later(queues.outbound.send({ account, messages })),
    webhooks: (account, delaySeconds = 0) => later(queues.dispatch.send({ account }, { delaySeconds })),
    owed: (account) => later(queues.outbound.send({ account, owed: true })),
  }
}

/** Lets work outlive the answer; its failure is logged. */
export function laterOn(execution: { waitUntil(work: Promise<unknown>): void }): Context['later'] {
  return (work) => {
    execution.waitUntil(
      work.catch((error) => consoleLog('warn', 'work after the answer failed', { error: describeError(error) })),
    )
  }
}

/** Clock and chance, as the platform has them. */
export const ambient: Pick<Context, 'now' | 'random' | 'log'> = {
  now: () => Date.now(),
  random: (length) => crypto.getRandomValues(new Uint8Array(length)),
  log: consoleLog,
}
