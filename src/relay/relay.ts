/** Mail leaves: claim what is due, choose each message's next hop, hand over, write down what became of it. */
import { describeError } from '../base/log.ts'
import { type Context, newToken } from '../context.ts'
import { parseAddress } from '../mail/address.ts'
import { makeVerp } from '../mail/verp.ts'
import { longestTransaction } from '../smtp/pipe.ts'
import { claimDeliveries, type Held } from '../store/mail/deliveries.ts'
import type { AccountRef } from '../store/stores.ts'
import { chooseRelay, type RelayTarget } from './choose.ts'
import { clockOf } from './connection.ts'
import { Gate } from './gate.ts'
import { handOver } from './hand-over.ts'
import type { Judged } from './judge.ts'
import { type Job, Load } from './load.ts'
import { Recorder } from './recorder.ts'
import { simulated } from './test-recipients.ts'

/** What a queue brings: messages of an account that have a delivery due. */
export type RelayWakeUp = { account: AccountRef; messages?: string[] }

/** So many messages are claimed at once: some four statements each, and D1 allows an invocation a thousand. */
export const MOST_MESSAGES = 100

/** A consumer lives fifteen minutes; a claim ends before it, and nothing is begun that might not end within the claim. */
const CLAIM_MS = 14 * 60_000

/** The platform lets an invocation have six connections, and the stores need some of them. */
const MOST_CONNECTIONS = 4

/** More attempts than a schedule of two days holds: then it is the trying itself that fails, and it might be sending copies. */
const MOST_ATTEMPTS = 20

/** As many as a server must take (RFC 5321 section 4.5.3.1.8). */
const MOST_RECIPIENTS = 100

/**
 * Delivers what is due of these messages. Resolves when every outcome is written, or left to be found by the sweep;
 * throws only where nothing could be claimed, and then the wake-up may be repeated.
 */
export async function relayBatch(ctx: Context, wakeUps: readonly RelayWakeUp[]): Promise<void> {
  const wanted = takeFirst(ctx, wakeUps)
  const now = ctx.now()
  const claim = { token: newToken(ctx), now, until: now + CLAIM_MS }
  const databases = Map.groupBy(wanted, ({ account }) => account.mailDb)
  const claims = await Promise.allSettled(
    [...databases.values()].map((some) => claimDeliveries(ctx.stores, some, claim)),
  )
  const helds = claims.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const recorder = new Recorder(ctx)
  const groups = await planAll(ctx, helds, recorder)
  const gate = new Gate(MOST_CONNECTIONS)
  const mayBegin = () => ctx.now() + longestTransaction() <= claim.until
  await Promise.all(
    [...groups.values()].map(({ target, jobs }) => handOver(ctx, target, jobs, { mayBegin, gate, recorder })),
  )
  recorder.close()
  const failed = claims.find((answer) => answer.status === 'rejected')
  if (failed) throw failed.reason
}

/** The first messages, each once; for the others a wake-up of their own. */
function takeFirst(ctx: Context, wakeUps: readonly RelayWakeUp[]): { account: AccountRef; id: string }[] {
  const all = new Map<string, { account: AccountRef; id: string }>()
  for (const { account, messages = [] } of wakeUps) {
    for (const id of messages) all.set(`${account.number} ${id}`, { account, id })
  }
  const wanted = [...all.values()]
  wakeEach(ctx, wanted.splice(MOST_MESSAGES))
  return wanted
}

/** Wakes for messages of any accounts, so many at a time as one invocation claims. */
export function wakeEach(ctx: Context, owed: readonly { account: AccountRef; id: string }[]): void {
  for (const some of Map.groupBy(owed, ({ account }) => account.number).values()) {
    for (let at = 0; at < some.length; at += MOST_MESSAGES) {
      const page = some.slice(at, at + MOST_MESSAGES)
      const [first] = page
      if (first)
        ctx.wake.relay(
          first.account,
          page.map(({ id }) => id),
        )
    }
  }
}

type Groups = Map<string, { target: RelayTarget; jobs: Job[] }>

/** Every message's transactions, by the connection they can share. What needs no relay is written before this resolves. */
async function planAll(ctx: Context, helds: Held[], recorder: Recorder): Promise<Groups> {
  const groups: Groups = new Map()
  const hops = new Map<string, ReturnType<typeof chooseRelay>>()
  const hopOf = (held: Held) => {
    const domain = senderDomain(held)
    const key = `${held.account.number} ${domain}`
    const hop = hops.get(key) ?? chooseRelay(ctx, held.account, domain)
    hops.set(key, hop)
    return hop
  }
  await Promise.all(
    helds.map(async (held) => {
      try {
        for (const { target, jobs } of await plan(ctx, held, hopOf, recorder)) {
          const { host, port, security, auth } = target
          const key = JSON.stringify([host, port, security, auth])
          const group = groups.get(key) ?? { target, jobs: [] }
          groups.set(key, group)
          group.jobs.push(...jobs)
        }
      } catch (error) {
        // That is our trouble, and no attempt: the next tick tries again.
        ctx.log('warn', 'a delivery could not be prepared', { id: held.id, error: describeError(error) })
        const released = held.recipients.map((_, index) => [index, { kind: 'released' }] as const)
        await recorder.record(held, new Map(released)).catch(() => undefined)
      }
    }),
  )
  return groups
}

async function plan(
  ctx: Context,
  held: Held,
  hopOf: (held: Held) => ReturnType<typeof chooseRelay>,
  recorder: Recorder,
): Promise<{ target: RelayTarget; jobs: Job[] }[]> {
  const settled = new Map<number, Judged>()
  const open: number[] = []
  for (const [index, recipient] of held.recipients.entries()) {
    if (recipient.begun !== held.claim.now) continue
    const known = simulated(recipient) ?? tooOften(recipient.attempts)
    if (known) settled.set(index, known)
    else open.push(index)
  }
  if (open.length === 0) {
    await recorder.record(held, settled)
    return []
  }
  const target = await hopOf(held)
  if (target === undefined) {
    for (const index of open) settled.set(index, { kind: 'deferred', reply: NO_RELAY })
    await recorder.record(held, settled)
    return []
  }
  const load = new Load(held, target, { recorder, clock: clockOf(ctx), left: open.length, settled })
  const paths = await Promise.all(
    inTransactions(held, target, open).map(async (recipients) => ({
      load,
      recipients,
      from: await reversePath(ctx, held, target, recipients),
    })),
  )
  return [{ target, jobs: paths }]
}

const NO_RELAY = {
  code: 451,
  enhanced: '4.3.5',
  text: 'no relay is configured: set RELAY_URL, or make a relay by POST /relays',
}

function tooOften(attempts: number): Judged | undefined {
  if (attempts <= MOST_ATTEMPTS) return undefined
  return { kind: 'failed', reason: `given up after ${attempts - 1} attempts whose outcome could not be written down` }
}

/** A transaction for each recipient where the return path names it, else as few as servers take. */
function inTransactions(held: Held, target: RelayTarget, open: number[]): number[][] {
  const size = target.verp && held.sender !== '' ? 1 : MOST_RECIPIENTS
  return Array.from({ length: Math.ceil(open.length / size) }, (_, at) => open.slice(at * size, (at + 1) * size))
}

async function reversePath(ctx: Context, held: Held, target: RelayTarget, recipients: number[]): Promise<string> {
  const [recipient = 0] = recipients
  // What may not be answered keeps its null path (RFC 5321 section 4.5.5).
  if (!target.verp || held.sender === '') return held.sender
  const token = { account: held.account.number, message: held.id, recipient }
  return makeVerp(ctx.keyring, token, `${ctx.config.RETURN_PATH_LABEL}.${senderDomain(held)}`)
}

/** The domain in whose name it is sent: of the From that was authorised. */
function senderDomain({ parties, sender }: Held): string {
  const [from = ''] = parties.from
  const written = from.endsWith('>') ? from.slice(from.lastIndexOf('<') + 1, -1) : from
  return parseAddress(written)?.domain ?? parseAddress(sender)?.domain ?? ''
}
