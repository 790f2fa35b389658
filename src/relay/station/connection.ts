/** One connection to a relay, opened within bounds: the network gives none of its own. */
import type { Context } from '../../context.ts'
import type { SmtpTarget } from '../../directory/relays/next-hop.ts'
import { SessionError } from '../../smtp/errors.ts'
import { type Clock, forget, within } from '../../smtp/pipe.ts'
import { openSession, type Session } from '../../smtp/session.ts'
import type { StoredReply } from '../../store/mail/shapes.ts'

/** Together they leave time, under a claim, to begin at least one transaction: else a slow relay would have us try for ever and never begin. */
const LOOK_UP_MS = 10_000
const CONNECT_MS = 20_000
const OPEN_MS = 60_000

/** A clock out of the context's time and the platform's timers. */
export function clockOf(ctx: Context): Clock {
  return {
    now: () => ctx.now(),
    setTimer: (ms, fire) => {
      const timer = setTimeout(fire, ms)
      return () => clearTimeout(timer)
    },
  }
}

/** Connects, greets, secures, logs in. Throws what `whyNoSession` puts in words. */
export async function connectTo(ctx: Context, target: SmtpTarget): Promise<Session> {
  const { host, port, security, auth, clearAuth } = target
  const clock = clockOf(ctx)
  // Asked each time, because a name may have come to mean another host since the relay was made.
  await within(clock, LOOK_UP_MS, ctx.net.checkHost(host), 'looking up the relay')
  const connecting = ctx.net.connect({ host, port, security })
  const pipe = await within(clock, CONNECT_MS, connecting, 'connecting to the relay').catch((error) => {
    connecting.then((late) => forget(() => late.close())).catch(() => undefined)
    throw error
  })
  const settings = { helo: ctx.config.MAIL_HOST, security, allowClearAuth: clearAuth, ...(auth ? { auth } : {}) }
  const opening = openSession(pipe, settings, clock)
  return within(clock, OPEN_MS, opening, 'greeting the relay').catch((error) => {
    opening.then((late) => late.close()).catch(() => undefined)
    forget(() => pipe.close())
    throw error
  })
}

/**
 * Why there is no session, as the reply that every message waiting for it is deferred with. Never a reason to fail mail:
 * a wrong password or a missing STARTTLS is for somebody to put right, and until then the mail waits.
 */
export function whyNoSession(error: unknown, { host, port }: SmtpTarget): StoredReply {
  const reason = error instanceof Error ? error.message : String(error)
  const where = `${host}:${port}`
  if (error instanceof SessionError && error.kind === 'permanent') {
    return { code: 451, enhanced: '4.3.5', text: `the relay ${where} cannot be used as it is set up: ${reason}` }
  }
  return { code: 451, enhanced: '4.4.1', text: `no connection to the relay ${where}: ${reason}` }
}

/** Waits, and holds nothing up meanwhile. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(Math.max(0, ms), resolve))
}
