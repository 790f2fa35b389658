/** The clock of the cron sweep: wrangler knows the Worker's crons, and never fires one by itself. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Api } from './api.ts'

/** Cloudflare ticks every minute; on a desk nobody wants to wait so long for a retry. */
const EVERY = 10_000

const TIMEOUT = 60_000

/** Ticks at once, for yesterday's work may be due, and then at intervals, one at a time, until it is told to stop. */
export async function keepTicking(api: Api, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // A sweep that fails is told in the log, and the next one finds the same work.
    await api('GET', '/cdn-cgi/local/scheduled?cron=*+*+*+*+*', { timeout: TIMEOUT }).catch(() => undefined)
    await wait(EVERY, undefined, { signal }).catch(() => undefined)
  }
}
