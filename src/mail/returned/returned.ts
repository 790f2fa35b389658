/**
 * What a mail to one of our return paths says of the one recipient it was sent to: by its machine-readable part where
 * there is one, else by what it says to a person. Nothing in it makes this throw, and all of it is one pass.
 */
import { latin1 } from '../../base/bytes.ts'
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
  enhancedIn,
  explanation,
  isBounceSubject,
  isMailDaemon,
  type QuotedReply,
  quotedReply,
  tellsDelay,
  tellsFailure,
} from './bounce-text.ts'
import { actionOf, chooseRecipient, type DsnRecipient, MAX_DIAGNOSTIC, readDsn } from './dsn.ts'
import { classifyReply, isBareUnknown, type ReplyLike, type Verdict } from './verdict.ts'

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
  const explained = explanation(text)
  const status = parts.filter(({ type }) => DELIVERY_STATUS.has(type))
  const entries = status.flatMap((part) => readDsn(body(part)))
  // Torn reports, and those that a person forwards, have their fields in the text.
  const chosen = chooseRecipient(entries.length > 0 ? entries : readDsn(explained), about.recipient)
  const told = chosen && byEntry(chosen, explained, about)
  if (told) return told
  return wrapped(parts, raw, about, depth) ?? byText(read, explained, about)
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

export type Judged = { reply: ReplyLike; verdict: Verdict }

/** Judges a diagnosis as a report or a service quotes it (`smtp; 550 5.1.1 who?`), with the code given beside it. */
export function judgeReply(diagnostic: string, status: string | undefined): Judged {
  const bare = diagnostic
    .replace(/^[A-Za-z0-9-]{1,40}[ \t]*;/, '')
    .trim()
    .slice(0, MAX_DIAGNOSTIC)
  return judgeOne(diagnosed({ addresses: [], diagnostic: bare, ...(status ? { status } : {}) }), status)
}

/**
 * Judges a failure by the first of the replies that says something; where none does, by the words around them.
 * `status` is the report's own code, for replies without one.
 */
function judge(replies: QuotedReply[], texts: string[], status: string | undefined): Judged {
  const telling = replies.find((reply) => tells(reply, status))
  const candidates = telling ? [telling] : [...replies, ...texts.map((text) => ({ text }))]
  const judged = candidates.map((one) => judgeOne(one, status))
  return judged.find(({ verdict }) => verdict.subType !== 'General') ?? judged[0] ?? judgeOne({ text: '' }, status)
}

/** Whether a reply says something itself, so that the words around it, which speak in general, need not be asked. */
function tells({ text, enhanced }: QuotedReply, status: string | undefined): boolean {
  const code = enhanced ?? status
  return text.trim() !== '' || (code !== undefined && vagueness(code) === 0)
}

function judgeOne(quoted: QuotedReply, status: string | undefined): Judged {
  const reply = asReply(quoted, status)
  // Without a code the words have it: a dead address is for good, whoever says so.
  const coded = reply.code === 0 && classifyReply(reply).subType !== 'General' ? { ...reply, code: 550 } : reply
  const verdict = classifyReply(coded)
  // Who takes a recipient and calls him unknown after the content has read it: so do carriers whose user filters his mail.
  const filtered = quoted.toData === true && isBareUnknown(reply)
  if (verdict.subType !== 'NoEmail' || !(quoted.toSender || filtered)) return { reply, verdict }
  return { reply, verdict: { ...verdict, subType: 'General', suppress: false } }
}

/** The reply that an entry quotes, with whichever of the entry's codes tells more. */
function diagnosed({ diagnostic = '', status }: DsnRecipient): QuotedReply {
  const quoted = quotedReply(diagnostic, '') ?? { text: diagnostic }
  const inner = quoted.enhanced ?? enhancedIn(quoted.text)
  const codes = [inner, status].filter((code) => code !== undefined)
  const enhanced = codes.sort((a, b) => vagueness(a) - vagueness(b))[0]
  return enhanced === undefined ? quoted : { ...quoted, enhanced }
}

/** 0 for a code that tells, 1 for one that names the subject alone, 2 for "other" (RFC 3463 section 3.1). */
function vagueness(enhanced: string): number {
  if (/^[245]\.0\.0$/.test(enhanced)) return 2
  return enhanced.endsWith('.0') ? 1 : 0
}

function asReply({ code, enhanced, text }: QuotedReply, status: string | undefined): ReplyLike {
  const known = enhanced ?? status
  return {
    code: code ?? CODES.get((known ?? '').slice(0, 1)) ?? 0,
    ...(known ? { enhanced: known } : {}),
    text: text.trim().slice(0, MAX_DIAGNOSTIC).toWellFormed(),
  }
}

/** The plainest basic code of each class, for those who give an enhanced one alone. */
const CODES = new Map([
  ['2', 250],
  ['4', 450],
  ['5', 550],
])
