/** What is to be tried of each claimed message, and which messages can share a connection. */
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import type { RelayTarget } from '../directory/next-hop.ts'
import { makeVerp } from '../mail/returned/verp.ts'
import type { Held } from '../store/mail/deliveries.ts'
import { clockOf } from './connection.ts'
import type { Judged } from './judge.ts'
import { type Job, Load } from './load.ts'
import { askNextHops, type NextHop } from './next-hop.ts'
import type { Recorder } from './recorder.ts'
import { simulated } from './test-recipients.ts'

/** More attempts than a schedule of two days holds: then it is the trying itself that fails, and it might be sending copies. */
const MOST_ATTEMPTS = 20

/** As many as a server must take (RFC 5321 section 4.5.3.1.8). */
const MOST_RECIPIENTS = 100

/** What goes over the same connections. */
export type Group = { target: RelayTarget; jobs: Job[] }

/** Groups all transactions by connection. What needs no relay, or has none, is written before this resolves. Never rejects. */
export async function plan(ctx: Context, helds: readonly Held[], recorder: Recorder): Promise<Group[]> {
  const hopOf = askNextHops(ctx)
  const groups = new Map<string, Group>()
  const planOne = async (held: Held) => {
    const { settled, open } = sortOut(held)
    const hop = open.length > 0 ? await hopOf(held) : undefined
    if (!hop) {
      for (const index of open) settled.set(index, { kind: 'deferred', reply: NO_RELAY })
      return recorder.record(held, settled)
    }
    const { host, port, security, auth } = hop.target
    const key = JSON.stringify([host, port, security, auth])
    const group = groups.get(key) ?? { target: hop.target, jobs: [] }
    groups.set(key, group)
    const load = new Load(held, hop.target, { recorder, clock: clockOf(ctx), left: open.length, settled })
    group.jobs.push(...(await transactions(ctx, load, hop, open)))
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
  return [...groups.values()].filter(({ jobs }) => jobs.length > 0)
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

/** One for each recipient where the return path names it, else as few as servers take. */
function transactions(ctx: Context, load: Load, { target, bounceDomain }: NextHop, open: number[]): Promise<Job[]> {
  const { held } = load
  // What may not be answered keeps its null path (RFC 5321 section 4.5.5).
  const named = target.verp && held.sender !== ''
  const size = named ? 1 : MOST_RECIPIENTS
  const slices = Array.from({ length: Math.ceil(open.length / size) }, (_, at) =>
    open.slice(at * size, (at + 1) * size),
  )
  return Promise.all(
    slices.map(async (recipients) => {
      const [recipient = 0] = recipients
      const token = { account: held.account.number, message: held.id, recipient }
      // Under a domain so long that no return path of ours fits, mail goes without one.
      const path = named ? makeVerp(ctx.keyring, token, bounceDomain).catch(() => held.sender) : held.sender
      return { load, recipients, from: await path }
    }),
  )
}
