/** One round of one endpoint: at most two of its events in flight, each judged, nothing written yet. */
import { describeError } from '../base/log.ts'
import { webhookRetryDelay } from '../base/schedule.ts'
import type { Context, GuardedAnswer } from '../context.ts'
import type { Attempt, DueAgain, EventToTell, Outcome, Round } from '../store/mail/telling.ts'
import { secretsOf } from './endpoints.ts'
import { judge, TIMEOUT_MS, type Verdict } from './judge.ts'
import { eventId, payloadOf, type ReadFull } from './payload.ts'
import { signedHeaders } from './sign.ts'

/** More would let one endpoint's backlog crowd out the others, and overrun small receivers. */
const IN_FLIGHT = 2

/** An attempt at its longest: the mail's content read, and an answer waited for to the end. */
const LONGEST_MS = TIMEOUT_MS + 15_000

/** Enough for an excerpt. */
const MAX_ANSWER = 4096

export type Told = {
  outcomes: Outcome[]
  /** How many attempts succeeded, and how many failed by the endpoint's doing. */
  succeeded: number
  failed: number
  gone: boolean
  /** It did not answer in time: the rest of the round is not for this place in line. */
  silent: boolean
}

/** Tells what the round holds. What is not begun before `stop` stays due. */
export async function tellRound(ctx: Context, round: Round, readFull: ReadFull, stop: number): Promise<Told> {
  const secrets = await secretsOf(ctx, round.account.number, { ...round, id: round.webhook })
  const waiting: (EventToTell | DueAgain)[] = [...round.fresh, ...round.again]
  const told: Told = { outcomes: [], succeeded: 0, failed: 0, gone: false, silent: false }
  const last = Math.min(stop, round.until - LONGEST_MS)
  const worker = async () => {
    for (let event = waiting.shift(); event; event = waiting.shift()) {
      if (told.gone || told.silent || ctx.now() > last) told.outcomes.push(postponed(ctx, event))
      else if (webhookRetryDelay(triesOf(event) - 1, 0) === undefined) told.outcomes.push(givenUp(event))
      else count(told, event, await tell(ctx, round, event, secrets, readFull))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return told
}

type Try = { attempt: Attempt; verdict: Verdict; ours: boolean; silent: boolean }

async function tell(
  ctx: Context,
  round: Round,
  event: EventToTell | DueAgain,
  secrets: string[],
  readFull: ReadFull,
): Promise<Try> {
  const begun = attemptOf(ctx, round, event)
  const { answer, ours } = await call(ctx, round, event, secrets, round.payload === 'full' ? readFull : undefined)
  const verdict = judge(answer, triesOf(event), ctx.now(), randomUnit(ctx))
  const silent = answer.kind === 'failed' && answer.timeout
  return { attempt: { ...begun, status: verdict.code, response: verdict.response }, verdict, ours, silent }
}

async function call(
  ctx: Context,
  round: Round,
  event: EventToTell,
  secrets: string[],
  readFull: ReadFull | undefined,
): Promise<{ answer: GuardedAnswer; ours: boolean }> {
  let body: string
  try {
    body = await payloadOf(ctx, round.account, event, readFull)
  } catch (error) {
    ctx.log('warn', 'a payload could not be built', { account: round.account.id, error: describeError(error) })
    return { answer: { kind: 'failed', reason: 'the mail could not be read just now', timeout: false }, ours: true }
  }
  const timestamp = Math.floor(ctx.now() / 1000)
  const signed = await signedHeaders({ id: eventId(round.webhook, event.seq), timestamp, body }, secrets)
  const headers = { 'content-type': 'application/json', 'user-agent': 'Pochta-Webhooks/1', ...signed }
  const request = {
    url: round.url,
    method: 'POST' as const,
    headers,
    body,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER,
  }
  return { answer: await ctx.net.fetch(request), ours: false }
}

function count(told: Told, event: EventToTell | DueAgain, { attempt, verdict, ours, silent }: Try): void {
  if (verdict.status === 'success') told.succeeded++
  else if (!ours) told.failed++
  if (verdict.gone) told.gone = true
  if (silent) told.silent = true
  const before = 'attempts' in event ? event.attempts.slice(0, -1) : []
  told.outcomes.push({
    seq: event.seq,
    type: event.type,
    status: verdict.status,
    tries: triesOf(event),
    attempts: [...before, attempt],
    due: verdict.due,
  })
}

/** Not begun, so not counted. */
function postponed(ctx: Context, event: EventToTell | DueAgain): Outcome {
  const before = 'attempts' in event ? event.attempts.slice(0, -1) : []
  const tries = triesOf(event) - 1
  return { seq: event.seq, type: event.type, status: 'pending', tries, attempts: before, due: ctx.now() }
}

/** Every step of the schedule began, and the last one was cut off. */
function givenUp(event: EventToTell | DueAgain): Outcome {
  const before = 'attempts' in event ? event.attempts.slice(0, -1) : []
  return { seq: event.seq, type: event.type, status: 'failed', tries: triesOf(event), attempts: before, due: null }
}

function attemptOf(ctx: Context, round: Round, event: EventToTell | DueAgain): Attempt {
  return { id: `${round.token}.${event.seq}`, at: ctx.now() }
}

function triesOf(event: EventToTell | DueAgain): number {
  return 'tries' in event ? event.tries : 1
}

/** A number in [0, 1). */
function randomUnit(ctx: Context): number {
  return new DataView(ctx.random(4).buffer).getUint32(0) / 2 ** 32
}
