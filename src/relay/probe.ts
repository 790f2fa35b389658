/** Tries a relay without mail: connects, greets, secures, logs in, leaves; and tells how far it came. */
import { notFound } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import { findTarget, forgetRelays, type RelayTarget, type SmtpTarget } from '../directory/relays/next-hop.ts'
import { SessionError } from '../smtp/errors.ts'
import type { Extensions } from '../smtp/extensions.ts'
import { within } from '../smtp/pipe.ts'
import { markWorking } from '../store/relays/health.ts'
import { clockOf, connectTo } from './station/connection.ts'

/** Somebody waits for the answer. */
const PATIENCE_MS = 25_000

type Stage = SessionError['stage'] | 'connect'

type Found = { ok: boolean; stage: Stage | null; message: string; offers: string[] }

/** Answers what happened; a relay that had failed and passes is used again at once. @throws Problem not_found. */
export async function testRelay(ctx: Caller, id: string) {
  const target = await findTarget(ctx, { account: ctx.account.number, id })
  if (!target) throw notFound('Relay')
  const began = ctx.now()
  const found = await probe(ctx, target)
  if (found.ok && target.key && target.health.since !== undefined) {
    await markWorking(ctx.stores, target.key, ctx.now())
    forgetRelays()
  }
  return { object: 'relay_test' as const, id, ...found, took_ms: Math.round(ctx.now() - began) }
}

function probe(ctx: Caller, target: RelayTarget): Promise<Found> | Found {
  if (target.kind === 'smtp') return probeServer(ctx, target)
  const bound = ctx.net.sendEmail !== undefined
  const message = bound ? 'the send_email binding is there' : 'there is no send_email binding named EMAIL'
  return { ok: bound, stage: bound ? null : 'settings', message, offers: [] }
}

async function probeServer(ctx: Caller, target: SmtpTarget): Promise<Found> {
  const connecting = connectTo(ctx, target)
  try {
    const session = await within(clockOf(ctx), PATIENCE_MS, connecting, 'trying the relay')
    const { extensions } = session
    await session.quit()
    const login = target.auth ? ' and took the login' : ''
    return { ok: true, stage: null, message: `the relay answered${login}`, offers: named(extensions) }
  } catch (error) {
    connecting.then((late) => late.close()).catch(() => undefined)
    const message = error instanceof Error ? error.message : 'no reason given'
    return { ok: false, stage: error instanceof SessionError ? error.stage : 'connect', message, offers: [] }
  }
}

/** By the words of EHLO. */
function named(extensions: Extensions): string[] {
  const words: [keyof Extensions, string][] = [
    ['pipelining', 'PIPELINING'],
    ['chunking', 'CHUNKING'],
    ['eightBit', '8BITMIME'],
    ['utf8', 'SMTPUTF8'],
    ['dsn', 'DSN'],
  ]
  const size = extensions.size ? [`SIZE ${extensions.sizeLimit ?? ''}`.trim()] : []
  return [...words.filter(([key]) => extensions[key] === true).map(([, word]) => word), ...size]
}
