/** Keeps the Worker answering: starts wrangler, waits until the API is there, and starts it anew where it cannot help itself. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Api } from './api.ts'
import { type Mark, markOf, membersOf, runs } from './processes.ts'
import { HOST } from './settings.ts'
import { unlessStopped } from './stop.ts'
import { failed, type Place, startWrangler, type Wrangler } from './wrangler.ts'

/** A slow machine builds the Worker in twenty seconds. */
const HEALTH_TIMEOUT = 120_000

/** What ends so soon after it answered, so often in a row, will not get better by another start. */
const SOON = 5000
const MOST_SOON = 10

export type Worker = {
  /** Rejects when the Worker cannot be kept up, or with the reason of `stop`. */
  failure: Promise<never>
  end(): Promise<void>
}

export type Listen = { port: number; publicUrl: string; resolver?: string }

/** Starts the Worker; it answers when this returns. @throws StartTrouble, or the reason of `stop`: then nothing of it runs. */
export async function startWorker(place: Place, listen: Listen, api: Api, stop: AbortSignal): Promise<Worker> {
  let wrangler = await startUntilUp(place, listen, api, stop)
  const given = new AbortController()
  const over = AbortSignal.any([stop, given.signal])
  const keepUp = async () => {
    for (let soon = 0; ; ) {
      const started = Date.now()
      await unlessStopped(over, untilGone(place, wrangler, listen.port))
      soon = Date.now() - started < SOON ? soon + 1 : 0
      if (soon >= MOST_SOON) throw failed(place.home, "The Worker's runtime is killed again and again.")
      console.log("The Worker's runtime was killed. It is started again; mail waits meanwhile.")
      await wrangler.end()
      wrangler = await startUntilUp(place, listen, api, over)
    }
  }
  const failure = keepUp()
  failure.catch(() => {})
  const end = async () => {
    given.abort()
    // It may be in the middle of another start, which it then takes back.
    await failure.catch(() => {})
    await wrangler.end()
  }
  return { failure, end }
}

async function startUntilUp(place: Place, listen: Listen, api: Api, stop: AbortSignal): Promise<Wrangler> {
  for (let tried = 1; ; tried++) {
    const wrangler = startWrangler(place, listen)
    try {
      if (await answers(place, wrangler, listen.port, api, stop)) return wrangler
      if (tried === MOST_SOON) throw failed(place.home, "The Worker's runtime is killed before it answers.")
    } catch (error) {
      await wrangler.end()
      throw error
    }
    await wrangler.end()
  }
}

/** Waits until the Worker answers; false where its runtime was killed before that. @throws StartTrouble where it cannot. */
async function answers(place: Place, wrangler: Wrangler, port: number, api: Api, stop: AbortSignal): Promise<boolean> {
  const ended = howEnded(wrangler)
  let front: Mark | undefined
  for (const end = Date.now() + HEALTH_TIMEOUT; Date.now() < end; await unlessStopped(stop, wait(100))) {
    if (ended.how !== undefined) throw failed(place.home, `The Worker did not start (${ended.how}).`)
    front ??= frontOf(wrangler.group, port)
    if (front && !runs(front)) return false
    const health = await unlessStopped(
      stop,
      api('GET', '/health', { timeout: 3000 }).catch(() => undefined),
    )
    if (health?.status === 200) return true
  }
  throw failed(place.home, `The Worker did not answer within ${HEALTH_TIMEOUT / 1000} seconds.`)
}

/**
 * Returns when the workerd that holds our port has gone. Wrangler starts any workerd again that is killed; but this one,
 * which only passes requests on to the Worker's own, then waits for a word from wrangler that never comes, and every
 * request hangs. @throws StartTrouble where wrangler itself ends.
 */
async function untilGone(place: Place, wrangler: Wrangler, port: number): Promise<void> {
  const ended = howEnded(wrangler)
  const front = frontOf(wrangler.group, port)
  while (ended.how === undefined) {
    await wait(500)
    if (ended.how === undefined && front && !runs(front)) return
  }
  throw failed(place.home, `The Worker's runtime ended (${ended.how}).`)
}

/** Filled in when it has. */
function howEnded(wrangler: Wrangler): { how?: string } {
  const ended: { how?: string } = {}
  wrangler.ended.then((how) => {
    ended.how = how
  })
  return ended
}

function frontOf(group: number, port: number): Mark | undefined {
  const front = membersOf(group).find(({ command }) => command.includes(`=entry=${HOST}:${port} `))
  return front && markOf(front.pid)
}
