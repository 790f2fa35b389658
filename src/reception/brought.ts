/** Mail that a service of others received and brings: proven, taken apart, and filed for each recipient of its envelope. */
import { describeError } from '../base/log.ts'
import { notFound, Problem, type ProblemCode } from '../base/problem.ts'
import type { Context } from '../context.ts'
import type { Brought, InboundCall } from '../directory/providers/adapter.ts'
import { ADAPTERS } from '../directory/providers/adapters.ts'
import { findCalled } from '../directory/providers/providers.ts'
import type { ProvidedDoor } from './doors.ts'
import { receive } from './receive.ts'

/** What became of one recipient's copy; where it was refused for good, why. */
export type Taken = { to: string; id: string | null; duplicate: boolean; refused: string | null }

/** `status`: how the service is told, where it is to stop though nothing was stored. */
export type TakenCall = { status: number; taken: Taken[] }

/** Copies that are filed side by side: an invocation has six connections that may wait. */
const AT_ONCE = 2

/** What is copied to storage at a time. */
const PIECE = 64 * 1024

/**
 * Takes what a service brings; what it is told to be stored is. Where one recipient cannot be served just now the others
 * are, and this throws: the service comes again, and they know it by then.
 * @throws Problem as the service's adapter does; not_found (no such provider), service_unavailable.
 */
export async function takeBrought(ctx: Context, id: string, call: InboundCall): Promise<TakenCall> {
  const provider = await findCalled(ctx, id)
  const { inbound } = ADAPTERS[provider.kind]
  if (!inbound) throw notFound('Provider')
  const { settings, account } = provider
  const brought = await inbound.read(ctx, provider, call)
  const size = brought.raw.reduce((sum, piece) => sum + piece.length, 0)
  const door: ProvidedDoor = {
    account,
    authservIds: settings.authserv_ids ?? [],
    receivedBy: settings.received_by ?? [],
  }
  const taken: Taken[] = []
  const troubles: unknown[] = []
  for (let at = 0; at < brought.to.length; at += AT_ONCE) {
    const some = brought.to.slice(at, at + AT_ONCE)
    const outcomes = await Promise.allSettled(some.map((to) => takeFor(ctx, door, brought, { to, size })))
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') taken.push(outcome.value)
      else troubles.push(outcome.reason)
    }
  }
  if (troubles.length > 0) {
    ctx.log('warn', 'not all that was brought is stored', { provider: id, error: describeError(troubles[0]) })
    throw troubles[0]
  }
  return { status: taken.some((each) => each.refused === null) ? 200 : inbound.refused, taken }
}

async function takeFor(
  ctx: Context,
  door: ProvidedDoor,
  { from, raw }: Brought,
  { to, size }: { to: string; size: number },
): Promise<Taken> {
  try {
    const received = await receive(ctx, { door, from, to, size, raw: streamOf(raw) })
    return { to, ...received, refused: null }
  } catch (error) {
    if (!(error instanceof Problem) || !FOR_GOOD.has(error.code)) throw error
    return { to, id: null, duplicate: false, refused: error.message }
  }
}

/** What no later try would change. */
const FOR_GOOD: ReadonlySet<ProblemCode> = new Set(['not_found', 'payload_too_large', 'message_refused'])

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = slices(pieces)
  return new ReadableStream({
    pull(controller) {
      const { done, value } = left.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

function* slices(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PIECE) yield piece.subarray(at, at + PIECE)
  }
}
