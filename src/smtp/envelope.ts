/** A transaction and what becomes of it: judged before it starts by what we know already, then by replies, or the lack of one. */
import {
  addressFault,
  envelopeIdFault,
  isAscii,
  mailCommand,
  notifyFault,
  orcpt,
  orcptFault,
  rcptCommand,
  xtext,
} from './commands.ts'
import { Broken } from './errors.ts'
import type { Extensions } from './extensions.ts'
import { isPositive, localReply, type Reply } from './reply.ts'

export type Recipient = {
  address: string
  /** DSN: 'NEVER', or a list of SUCCESS, FAILURE, DELAY. Said only where the server offers DSN; so is `orcpt`. */
  notify?: string
  /** DSN: the address as it was first given, unencoded. */
  orcpt?: string
}

export type Transaction = {
  /** The reverse path; '' for the null path. */
  from: string
  /** Usually one, because the reverse path is made for it (VERP). */
  recipients: readonly Recipient[]
  /** Octets of the body as `body` gives it. A body of any other length is not sent. */
  size: number
  /** Whether the body has octets over 127. */
  eightBit: boolean
  /** Whether header fields need SMTPUTF8 (RFC 6531). Addresses are looked at here. */
  utf8: boolean
  /** DSN: ENVID, unencoded. */
  envelopeId?: string
  /** DSN: whether a report returns the whole message. */
  ret?: 'FULL' | 'HDRS'
  /**
   * Called at most once: when a recipient was accepted, or before that where the server offers CHUNKING and the body is small.
   * Give a promise made before, if fetching takes time.
   */
  body(): Body | Promise<Body>
}

export type Body = ReadableStream<Uint8Array> | Uint8Array

/** What became of one recipient. */
export type RecipientOutcome =
  | { kind: 'sent'; reply: Reply }
  /** Not taken now: try again. */
  | { kind: 'deferred'; reply: Reply }
  /** Refused for good. */
  | { kind: 'failed'; reply: Reply }
  /** The final dot was sent, or may have been, and its reply was not read: the server may have the message. */
  | { kind: 'unknown'; reply?: Reply; reason: string }
  /**
   * Handed over, but the connection ended before its turn came: no attempt, release the claim.
   * Never the first of a session, so that each session brings its messages at least one counted attempt further.
   */
  | { kind: 'not_begun'; reply?: Reply; reason: string }

/** A transaction under way. */
export type Attempt = {
  readonly transaction: Transaction
  /** By recipient, as far as known. */
  readonly outcomes: (RecipientOutcome | undefined)[]
  readonly mail: string
  /** The RCPT lines, each with the place of its recipient. */
  readonly rcpts: { index: number; command: string }[]
  stage: 'waiting' | 'envelope' | 'body' | 'dot'
  /** RSET stands before MAIL. */
  reset: boolean
}

/** Judges what can be judged without the server; recipients without an outcome are to be tried. */
export function prepare(transaction: Transaction, extensions: Extensions): Attempt {
  const refusal = messageRefusal(transaction, extensions)
  const outcomes = transaction.recipients.map((recipient): RecipientOutcome | undefined => {
    const reply = refusal ?? recipientRefusal(recipient, extensions)
    return reply && { kind: 'failed', reply }
  })
  const rcpts = transaction.recipients
    .map((recipient, index) => ({
      index,
      command: rcptCommand(recipient.address, rcptParameters(recipient, extensions)),
    }))
    .filter(({ index }) => outcomes[index] === undefined)
  const mail = mailCommand(transaction.from, mailParameters(transaction, extensions))
  return { transaction, outcomes, mail, rcpts, stage: 'waiting', reset: false }
}

function messageRefusal(transaction: Transaction, extensions: Extensions): Reply | undefined {
  const { from, size, eightBit, envelopeId } = transaction
  const fault =
    (from === '' ? undefined : addressFault(from)) ??
    (envelopeId === undefined ? undefined : envelopeIdFault(envelopeId))
  if (fault) return localReply(553, '5.1.7', `not sent: ${fault}`)
  if (extensions.sizeLimit !== undefined && size > extensions.sizeLimit) {
    const text = `not sent: the message has ${size} octets, the next hop takes ${extensions.sizeLimit}`
    return localReply(552, '5.3.4', text)
  }
  // We cannot convert what is signed, and RFC 6152 section 3 leaves only that or sending it back.
  if (eightBit && !extensions.eightBit) {
    return localReply(554, '5.6.3', 'not sent: the message has 8-bit content, and the next hop does not offer 8BITMIME')
  }
  if ((transaction.utf8 || !isAscii(from)) && !extensions.utf8) return noUtf8()
  return undefined
}

function recipientRefusal({ address, notify, orcpt: original }: Recipient, extensions: Extensions): Reply | undefined {
  const fault = addressFault(address) ?? (notify && notifyFault(notify)) ?? (original && orcptFault(original))
  if (fault) return localReply(553, '5.1.3', `not sent: ${fault}`)
  return isAscii(address) || extensions.utf8 ? undefined : noUtf8()
}

function noUtf8(): Reply {
  // RFC 6531 section 3.5.
  return localReply(
    553,
    '5.6.7',
    'not sent: an address or header is not ASCII, and the next hop does not offer SMTPUTF8',
  )
}

function mailParameters(transaction: Transaction, extensions: Extensions): string[] {
  const { from, recipients, size, eightBit, utf8, envelopeId, ret } = transaction
  const needsUtf8 = utf8 || !isAscii(from) || recipients.some(({ address }) => !isAscii(address))
  return [
    extensions.size ? `SIZE=${size}` : '',
    eightBit && extensions.eightBit ? 'BODY=8BITMIME' : '',
    needsUtf8 && extensions.utf8 ? 'SMTPUTF8' : '',
    ret && extensions.dsn ? `RET=${ret}` : '',
    envelopeId && extensions.dsn ? `ENVID=${xtext(envelopeId)}` : '',
  ].filter(Boolean)
}

function rcptParameters({ notify, orcpt: original }: Recipient, extensions: Extensions): string[] {
  if (!extensions.dsn) return []
  return [notify ? `NOTIFY=${notify}` : '', original ? `ORCPT=${orcpt(original)}` : ''].filter(Boolean)
}

/** Gives the outcome to every recipient that has none yet. */
export function settle(attempt: Attempt, outcome: RecipientOutcome): void {
  for (let index = 0; index < attempt.outcomes.length; index++) attempt.outcomes[index] ??= outcome
}

/** The reply to the final dot. Throws Broken where it is none. */
export function judgeDot(reply: Reply): RecipientOutcome {
  return isPositive(reply) ? { kind: 'sent', reply } : judgeRefusal(reply)
}

/** A reply that is not positive. Throws Broken where it is no refusal either: then we and the server are out of step. */
export function judgeRefusal(reply: Reply): RecipientOutcome {
  if (reply.code < 400) throw new Broken(`the server answered ${reply.code} where that means nothing`)
  return { kind: reply.code < 500 ? 'deferred' : 'failed', reply }
}

/** RFC 5321 section 4.5.3.1.10 has 552 for too many recipients, too; unless it says that the message is too large, it passes. */
export function judgeRecipient(reply: Reply): RecipientOutcome {
  const tooLarge = reply.enhanced === '5.3.4' || reply.enhanced === '5.2.3'
  return reply.code === 552 && !tooLarge ? { kind: 'deferred', reply } : judgeRefusal(reply)
}

/** The dialogue broke at a stage. Only once the dot may have gone is it open whether the server has the message. */
export function judgeBreak(broken: Broken, stage: Attempt['stage'], first: boolean): RecipientOutcome {
  const { message: reason, reply } = broken
  if (stage === 'waiting' && !first) return { kind: 'not_begun', reason, ...(reply && { reply }) }
  if (stage === 'dot' && reply && isPositive(reply)) return { kind: 'sent', reply }
  if (reply && reply.code >= 400) return judgeRefusal(reply)
  if (stage === 'dot') return { kind: 'unknown', reason }
  return { kind: 'deferred', reply: localReply(421, '4.4.2', `the connection broke: ${reason}`) }
}
