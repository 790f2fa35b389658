/** What is to be tried of each claimed message, and by which relays. */
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import type { RelayTarget } from '../directory/relays/next-hop.ts'
import { markerField } from '../mail/returned/marker.ts'
import { makeVerp } from '../mail/returned/verp.ts'
import type { Held } from '../store/mail/deliveries.ts'
import type { Judged } from './judge.ts'
import { type Errand, type Job, Load } from './load.ts'
import { askNextHops } from './next-hop.ts'
import type { Recorder } from './recorder.ts'
import { clockOf } from './station/connection.ts'
import { simulated } from './test-recipients.ts'

/** More attempts than a schedule of two days holds: then it is the trying itself that fails, and it might be sending copies. */
const MOST_ATTEMPTS = 20

/** As many as a server must take (RFC 5321 section 4.5.3.1.8). */
const MOST_RECIPIENTS = 100

/** An errand for each message that needs a relay. What needs none, or has none, is written before this resolves. Never rejects. */
export async function plan(ctx: Context, helds: readonly Held[], recorder: Recorder): Promise<Errand[]> {
  const hopsOf = askNextHops(ctx)
  const errands: Errand[] = []
  const planOne = async (held: Held) => {
    const { settled, open } = sortOut(held)
    const hops = open.length > 0 ? await hopsOf(held) : undefined
    if (!hops || hops.targets.length === 0) {
      for (const index of open) settled.set(index, { kind: 'deferred', reply: NO_RELAY })
      return recorder.record(held, settled)
    }
    const load = new Load(held, { recorder, clock: clockOf(ctx), left: open.length, settled })
    errands.push({ load, recipients: open, hops: hops.targets, bounceDomain: hops.bounceDomain })
  }
  await Promise.all(
    helds.map((held) =>
      planOne(held).catch(async (error) => {
        ctx.log('warn', 'a delivery could not be prepared', { id: held.id, error: describeError(error) })
        // It counts, although the trouble is ours: what never ends must be given up some day, too.
        const reply = error instanceof Problem ? { ...NOT_PREPARED, text: `not sent: ${error.message}` } : NOT_PREPARED
        const deferred = held.recipients.map((_, index) => [index, { kind: 'deferred', reply }] as const)
        await recorder.record(held, new Map(deferred)).catch(() => undefined)
      }),
    ),
  )
  return errands
}

const NO_RELAY = {
  code: 451,
  enhanced: '4.3.5',
  text: 'no relay is configured: set RELAY_URL, or make a relay by POST /relays',
}

const NOT_PREPARED = { code: 451, enhanced: '4.3.0', text: 'not sent: the next hop could not be learned' }

/** The recipients that this claim is for: those whose outcome is known already, and those that are to be tried. */
function sortOut(held: Held): { settled: Map<number, Judged>; open: number[] } {
  const settled = new Map<number, Judged>()
  const open: number[] = []
  for (const [index, recipient] of held.recipients.entries()) {
    if (recipient.begun !== held.claim.now) continue
    const known = simulated(recipient) ?? tooOften(recipient.attempts)
    if (known) settled.set(index, known)
    else open.push(index)
  }
  return { settled, open }
}

function tooOften(attempts: number): Judged | undefined {
  if (attempts <= MOST_ATTEMPTS) return undefined
  return { kind: 'failed', reason: `given up after ${attempts - 1} attempts whose outcome could not be written down` }
}

/** The transactions by which this relay gets an errand done: one for each recipient where something names it, else as few as servers take. */
export function jobsFor(ctx: Context, target: RelayTarget, errand: Errand): Promise<Job[]> {
  const { load, bounceDomain } = errand
  const { held } = load
  // What may not be answered keeps its null path (RFC 5321 section 4.5.5).
  const named = target.verp && held.sender !== ''
  const single = named || target.provider !== null || target.kind === 'cloudflare'
  const size = single ? 1 : MOST_RECIPIENTS
  const slices = Array.from({ length: Math.ceil(errand.recipients.length / size) }, (_, at) =>
    errand.recipients.slice(at * size, (at + 1) * size),
  )
  return Promise.all(
    slices.map(async (recipients): Promise<Job> => {
      const [recipient = 0] = recipients
      const token = { account: held.account.number, message: held.id, recipient }
      // Under a domain so long that no return path of ours fits, mail goes without one.
      const path = await makeVerp(ctx.keyring, token, named ? bounceDomain : '').catch(() => undefined)
      const marker = target.provider && path && markerField(target.provider, path.slice(0, path.lastIndexOf('@')))
      return {
        load,
        recipients,
        from: named && path ? path : held.sender,
        errand,
        ...(marker ? { marker: `${marker}\r\n` } : {}),
      }
    }),
  )
}
