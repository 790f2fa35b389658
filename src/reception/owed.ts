/** What other stages owe for a mail that came: copies to forward, an answer. Tasks of the batch that files it. */
import type { Context } from '../context.ts'
import type { FilingProblem } from '../contract/reading/content.ts'
import { type Address, addressKey, parseAddress } from '../mail/address.ts'
import type { ReadMessage } from '../mail/mime/read.ts'
import type { NewMessage, OwedTask } from '../store/mail/filing.ts'
import { JUNK } from '../store/mail/shapes.ts'
import type { Taker } from '../store/receiving/takers.ts'
import { ANSWER, type AnswerState, FORWARD, type ForwardState } from '../store/sending/owed.ts'
import { isLooping, mayBeAnswered } from './answerable.ts'
import { MAX_FORWARDS, type Ruling } from './rules/judge.ts'

/** Told in the message's problems where it was not forwarded because it comes from where it would go. */
export const FORWARD_LOOP: FilingProblem = 'forward_loop'

type Filed = {
  message: Pick<NewMessage, 'id' | 'sender' | 'mailbox' | 'createdAt'>
  read: ReadMessage
  /** The envelope recipient. */
  written: Address
  /** The account's own addresses that this copy is for: those that took it, and an alias that led to them. */
  own: readonly Taker[]
  ruling: Ruling
}

/** The tasks that a mail leaves, and whether it was kept from going round. */
export function owedFor(ctx: Context, filed: Filed): { tasks: OwedTask[]; looping: boolean } {
  const due = ctx.now()
  const forward = forwardOf(filed)
  const looping = forward !== undefined && isLooping(filed.read, goesOnAs(filed))
  const answer = answerOf(filed)
  const ref = filed.message.id
  return {
    looping,
    tasks: [
      ...(forward && !looping ? [{ kind: FORWARD, ref, due, state: forward }] : []),
      ...(answer ? [{ kind: ANSWER, ref, due, state: answer }] : []),
    ],
  }
}

function forwardOf({ own, written, ruling }: Filed): ForwardState | undefined {
  // What a rule drops is nobody's wish to have; what the rule itself forwards is.
  const byAddress = ruling.dropped ? [] : own.flatMap(({ forwardTo }) => forwardTo)
  const here = new Set([addressKey(written), ...addressesOf(own)])
  const targets = new Map<string, string>()
  for (const target of [...byAddress, ...ruling.forward]) {
    const key = keyOf(target)
    if (!here.has(key)) targets.set(key, target)
  }
  if (targets.size === 0) return undefined
  return { to: [...targets.values()].slice(0, MAX_FORWARDS), by: byAddress.length > 0 ? 'address' : 'rule' }
}

function answerOf({ message, read, written, own, ruling }: Filed): AnswerState | undefined {
  const { reply } = ruling
  const taker = own.find(({ settings }) => settings.autoReply)
  const auto = isVacation(taker, message) && isNamed(read, written, own) && !ruling.dropped ? taker : undefined
  if ((!reply && !auto) || message.mailbox === JUNK || !mayBeAnswered(message.sender, read)) return undefined
  const address = answering(auto ?? own[0], written)
  if (keyOf(message.sender) === address) return undefined
  if (reply)
    return { address, ...said(reply.subject, reply.text, reply.html), interval_days: reply.interval_days, by: 'rule' }
  const settings = auto?.settings.autoReply
  if (!settings) return undefined
  const { subject, text, html, intervalDays } = settings
  return { address, ...said(subject, text, html), interval_days: intervalDays, by: 'address' }
}

function isVacation(taker: Taker | undefined, { createdAt }: Filed['message']): boolean {
  const { startsAt = 0, endsAt = Number.POSITIVE_INFINITY } = taker?.settings.autoReply ?? { endsAt: 0 }
  return createdAt >= startsAt && createdAt < endsAt
}

/** Whether the mail names us as somebody it is for: else it came by a list, or as a blind copy (RFC 3834 section 2). */
function isNamed(read: ReadMessage, written: Address, own: readonly Taker[]): boolean {
  const here = new Set([addressKey(written), ...addressesOf(own)])
  return [...read.to, ...read.cc].some(({ address }) => here.has(keyOf(address)))
}

/** A wildcard answers as the address that was written to. */
function answering(taker: Taker | undefined, written: Address): string {
  return taker === undefined || taker.address.startsWith('*@') ? addressKey(written) : taker.address
}

/** Every address in whose name it may have gone on before; a wildcard of sub-domains sends on in the domain's own. */
function goesOnAs({ written, own }: Filed): string[] {
  const addresses = addressesOf(own)
  const above = addresses.filter((address) => address.startsWith('*@*.')).map((address) => address.slice('*@*.'.length))
  return [addressKey(written), ...addresses, ...above.map((domain) => `${written.local.normalize('NFC')}@${domain}`)]
}

function addressesOf(takers: readonly Taker[]): string[] {
  return takers.map(({ address }) => address)
}

function keyOf(text: string): string {
  const address = parseAddress(text)
  return address ? addressKey(address) : text
}

function said(subject: string | null | undefined, text: string, html: string | null | undefined) {
  return { text, ...(subject ? { subject } : {}), ...(html ? { html } : {}) }
}
