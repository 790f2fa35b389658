/**
 * What a mail to one of our return paths says of the one recipient it was sent to: by its machine-readable part where
 * there is one, else by what it says to a person. Nothing in it makes this throw, and all of it is one pass.
 */
import { latin1 } from '../../base/bytes.ts'
import { parseText } from '../../base/json.ts'
import { decodeUnlabelled } from '../mime/charset.ts'
import { decodeBytes } from '../mime/decode.ts'
import { fieldMap } from '../mime/header.ts'
import { MimeIntake } from '../mime/indexer.ts'
import { allParts, type Part } from '../mime/parts.ts'
import { visibleText } from '../mime/preview.ts'
import { type ReadMessage, readMessage } from '../mime/read.ts'
import { readAbuseReport } from './arf.ts'
import { isAutoReply } from './auto-reply.ts'
import {
  answersData,
  explanation,
  isBounceSubject,
  isMailDaemon,
  quotedReply,
  tellsDelay,
  tellsFailure,
} from './bounce-text.ts'
import { actionOf, chooseRecipient, type DsnRecipient, readDsn } from './dsn.ts'
import { asReply, diagnosed, judge } from './judge.ts'
import { readSesEvent } from './ses.ts'
import { classifyReply, type ReplyLike, type Verdict } from './verdict.ts'

/** What came back. */
export type Returned =
  /** It will not arrive. `suppress` says that the address is dead. */
  | { kind: 'bounced'; reply: ReplyLike; verdict: Verdict }
  /** It has not arrived yet. */
  | { kind: 'delayed'; reply: ReplyLike }
  /** It lies in the recipient's mailbox. */
  | { kind: 'delivered'; reply: ReplyLike }
  /** The reader called it unwanted. */
  | { kind: 'complained'; type: string }
  /** It says nothing of the delivery: passed on to where no report comes from, a vacation, a receipt, some person's mail. */
  | { kind: 'nothing'; why: Nothing }

/** `of-another`: the one who told it meant an address that our proof is not of. */
export type Nothing = 'relayed' | 'auto-reply' | 'receipt' | 'not-a-complaint' | 'not-understood' | 'of-another'

/** Whom the mail was sent to, and the reverse path of what came back, where that is known. */
export type About = { recipient: string; from?: string }

/** Reads what came back, whole or its first 2 MiB. */
export function readReturned(raw: Uint8Array, about: About): Returned {
  return readLevel(raw, about, 0)
}

function readLevel(raw: Uint8Array, about: About, depth: number): Returned {
  const intake = new MimeIntake()
  intake.write(raw)
  const indexed = intake.end()
  const parts = allParts(indexed.root)
  const body = (part: Part) => bodyText(raw, part)

  const report = parts.find(({ type }) => type === 'message/feedback-report')
  if (report) {
    const { type, complaint } = readAbuseReport(body(report))
    return complaint ? { kind: 'complained', type } : { kind: 'nothing', why: 'not-a-complaint' }
  }
  if (parts.some(({ type }) => type === 'message/disposition-notification')) return { kind: 'nothing', why: 'receipt' }

  const read = readMessage(indexed)
  const text = plainText(read)
  const notified = readNotified(text, about.recipient)
  if (notified) return notified
  const explained = explanation(text)
  const status = parts.filter(({ type }) => DELIVERY_STATUS.has(type))
  const entries = status.flatMap((part) => readDsn(body(part)))
  // Torn reports, and those that a person forwards, have their fields in the text.
  const chosen = chooseRecipient(entries.length > 0 ? entries : readDsn(explained), about.recipient)
  const told = chosen && byEntry(chosen, explained, about)
  if (told) return told
  return wrapped(parts, raw, about, depth) ?? byText(read, explained, about)
}

/** Of SES's events that come by mail, as its topics can send them: the one about our recipient. */
function readNotified(text: string, recipient: string): Returned | undefined {
  const start = text.trimStart()
  if (!start.startsWith('{"')) return undefined
  // Below the event stands how to leave the topic.
  const end = start.search(/\r?\n-- *\r?\n/)
  const events = readSesEvent(parseText(end < 0 ? start : start.slice(0, end)))
  const named = events.find((event) => event.recipient.toLowerCase() === recipient.toLowerCase())
  return (named ?? (events.length === 1 ? events[0] : undefined))?.returned
}

/** A report inside: some gateways send on what they got, as an attachment. Once, and only what calls itself a report: our own mail never does. */
function wrapped(parts: Part[], raw: Uint8Array, about: About, depth: number): Returned | undefined {
  const inner = parts.find(({ type }) => type === 'message/rfc822')
  if (!inner || depth > 0) return undefined
  const bytes = decodeBytes(inner.encoding, raw.subarray(inner.body, inner.body + inner.length))
  if (!REPORT.test(latin1(bytes.subarray(0, MAX_HEADER)))) return undefined
  const returned = readLevel(bytes, about, depth + 1)
  return returned.kind === 'nothing' ? undefined : returned
}

const REPORT = /report-type[ \t]*=[ \t]*"?delivery-status/i

/** Where the type of a wrapped report stands. */
const MAX_HEADER = 16 * 1024

const DELIVERY_STATUS = new Set(['message/delivery-status', 'message/global-delivery-status'])

/** A report of one mail to one recipient; what is longer is no text of a mail server. */
const MAX_PART = 256 * 1024

function bodyText(raw: Uint8Array, part: Part): string {
  const bytes = raw.subarray(part.body, part.body + Math.min(part.length, MAX_PART))
  return decodeUnlabelled(decodeBytes(part.encoding, bytes))
}

/** The text, or what the HTML shows where that is all there is. */
function plainText({ text, html }: ReadMessage): string {
  return text?.trim() ? text : visibleText((html ?? '').slice(0, MAX_PART))
}

function byEntry(
  { entry, named }: { entry: DsnRecipient; named: boolean },
  explained: string,
  about: About,
): Returned | undefined {
  const action = actionOf(entry)
  if (action === undefined) return undefined
  if (action === 'relayed' || action === 'expanded') return { kind: 'nothing', why: 'relayed' }
  const reply = diagnosed(entry)
  if (action === 'delivered') return { kind: 'delivered', reply: asReply(reply, '2.0.0') }
  if (action === 'delayed') return { kind: 'delayed', reply: asReply(reply, '4.0.0') }
  if (answersData(explained, reply.text)) reply.toData = true
  const said = [reply, quotedReply(explained, about.recipient)].filter((one) => one !== undefined)
  const { verdict, ...rest } = judge(said, [explained], entry.status)
  // An alias may stand for several: that one of them is dead says nothing of it.
  return { kind: 'bounced', ...rest, verdict: { ...verdict, suppress: verdict.suppress && named } }
}

function byText(read: ReadMessage, explained: string, about: About): Returned {
  const headers = fieldMap(read.headers)
  const subject = read.subject ?? ''
  const bounceSubject = isBounceSubject(subject)
  const daemon = isMailDaemon(read.from ?? read.sender ?? { name: '', address: '' })
  const listed = headers['x-failed-recipients'] !== undefined
  if (!daemon && !listed && !bounceSubject && isAutoReply(headers, subject))
    return { kind: 'nothing', why: 'auto-reply' }
  const quoted = quotedReply(explained, about.recipient)
  const failure = tellsFailure(explained) || classifyReply({ code: 550, text: explained }).suppress
  // A vacation comes from nobody too, and a person may quote a code: one sign alone is none.
  const signs = [daemon || listed || about.from === '', bounceSubject, failure, quoted !== undefined]
  if (signs.filter(Boolean).length < 2) return { kind: 'nothing', why: 'not-understood' }
  if (/\bdelay|\bwarning/i.test(subject) || tellsDelay(explained)) {
    return { kind: 'delayed', reply: asReply(quoted ?? { text: explained }, '4.0.0') }
  }
  return { kind: 'bounced', ...judge(quoted ? [quoted] : [], [explained, subject], undefined) }
}
