/** Bounces without a machine-readable part: replies, codes and phrases in what a server wrote for a person to read. */
import type { ReplyLike } from './verdict.ts'

/** A reply that a report quotes; without a basic code where only an enhanced one or words stand there. */
export type QuotedReply = Omit<ReplyLike, 'code'> & {
  code?: number
  /** It answers MAIL FROM: so it is about the sender, whatever it says. */
  toSender?: boolean
}

/** An explanation has a page; what comes after that is the mail itself. */
const MAX_TEXT = 32 * 1024

/** What a reply is kept with. */
const MAX_REPLY = 1024

/** More replies than this are one server after the other saying the same. */
const MAX_REPLIES = 50

/** The part of a report that explains: without quote marks, and up to where the returned message begins. */
export function explanation(text: string): string {
  const kept: string[] = []
  for (const line of text.slice(0, MAX_TEXT).split(/\r\n|\r|\n/)) {
    const bare = withoutQuoting(line)
    if (opensOriginal(bare.trim())) break
    kept.push(bare)
  }
  return kept.join('\n')
}

/** The reply that a report gives for a recipient: the first at or after the line that names it, else the first of all. */
export function quotedReply(explained: string, recipient: string): QuotedReply | undefined {
  const replies = quotedReplies(explained)
  const named = recipient === '' ? -1 : explained.toLowerCase().indexOf(recipient.toLowerCase())
  const from = named < 0 ? 0 : explained.lastIndexOf('\n', named) + 1
  const coded = replies.filter(({ reply }) => reply.code !== undefined)
  const own = (found: typeof replies) => found.find(({ at }) => at >= from) ?? found[0]
  return (own(coded) ?? own(replies))?.reply
}

/** Whether the words say that a mail did not arrive, for good or for now. */
export function tellsFailure(text: string): boolean {
  const words = folded(text)
  return FAILURE.some((phrase) => words.includes(phrase))
}

/** Whether they say that it is still being tried. */
export function tellsDelay(text: string): boolean {
  const words = folded(text)
  return DELAY.some((phrase) => words.includes(phrase)) && !FINAL.some((phrase) => words.includes(phrase))
}

/** Whether a subject is a bounce's. */
export function isBounceSubject(subject: string): boolean {
  const words = folded(subject)
  return SUBJECT.some((phrase) => words.includes(phrase))
}

/** Whether a sender is the program that delivers mail, by its address or its name. */
export function isMailDaemon({ name, address }: { name: string; address: string }): boolean {
  const local = address.slice(0, Math.max(0, address.lastIndexOf('@'))).toLowerCase() || address.toLowerCase()
  return DAEMON_LOCAL.test(local) || DAEMON_NAME.test(name.toLowerCase())
}

const DAEMON_LOCAL = /^(?:mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|po+stmaster|bounces?|double-bounce)$/
const DAEMON_NAME = /mailer[- ]daemon|mail delivery|delivery (?:sub)?system|postmaster|system administrator/

const SUBJECT = [
  'undeliver',
  'non-deliver',
  'nondeliver',
  'not deliver',
  'delivery status',
  'delivery fail',
  'delivery has failed',
  'delivery problem',
  'delivery error',
  'delivery report',
  'delivery delay',
  'delivery notification',
  'failed delivery',
  'mail delivery',
  'message delivery',
  'failure notice',
  'failure notification',
  'returned mail',
  'returned to sender',
  'returned message',
  'mail failure',
  'mail error',
  'mail system error',
  'could not be delivered',
  'could not send',
  'permanent delivery',
  'not a member',
  'not member',
  'members only',
]

const FAILURE = [
  'not be delivered',
  'not been delivered',
  "n't be delivered",
  'not delivered',
  "wasn't delivered",
  'undeliverable',
  'non-deliverable',
  'unable to deliver',
  'unable to send',
  'able to deliver',
  'able to be delivered',
  'cannot deliver',
  'could not deliver',
  'failed to deliver',
  'failed to send',
  'delivery failed',
  'delivery fail',
  'delivery error',
  'delivery problem',
  'delivery has failed',
  'deliver your mail',
  'delivering your m',
  'deliver your message',
  'deliver the m',
  'not reach',
  'failed permanently',
  'permanent error',
  'permanent fatal error',
  'fatal error',
  'permanent failure',
  'unrecoverable error',
  'not be sent',
  'not sent',
  'giving up',
  'given up',
  'returned to sender',
  'was rejected',
  'been rejected',
  'not a member',
  'members only',
  'not allowed to post',
]

const DELAY = [
  'been delayed',
  'is delayed',
  'delay in the delivery',
  'warning message only',
  'only a warning',
  'not need to resend',
  'no need to resend',
  'be retried',
  'still being',
  'will retry',
  'continue to try',
  'continue trying',
  'keep trying',
  'still trying',
  'not yet been delivered',
  'not yet received',
]

const FINAL = [
  'permanent',
  'giving up',
  'given up',
  'not going to try',
  'not be retried',
  'not continue',
  'no longer',
  'will be deleted',
  'stopped trying',
  'no further',
  'undeliverable',
]

/** A code needs a place where replies begin: the start of a line, or behind a mark that opens a quotation. */
const REPLY =
  /(?:^|[:;,'"(<>[\-=])[ \t]{0,4}([45][0-57]\d)(?=[ \t:\-,])[ \t:\-,]{1,3}(?:\1[ \t:-]{1,3})?\n?[ \t]{0,8}\(?#?(?:([245]\.\d{1,3}\.\d{1,3})(?![.\d]))?/gm
const ENHANCED = /(?:^|[\s#(:;,<['"-])(?:\d{3}[ -])?([45]\.\d{1,3}\.\d{1,3})(?![.\d])/gm

function quotedReplies(text: string): { at: number; reply: QuotedReply }[] {
  const found: { at: number; reply: QuotedReply }[] = []
  for (const match of text.matchAll(REPLY)) {
    if (found.length >= MAX_REPLIES) break
    const at = match.index + match[0].indexOf(match[1] ?? '')
    const words = replyText(text, at)
    const enhanced = match[2] ?? enhancedIn(words)
    const reply: QuotedReply = { code: Number(match[1]), ...(enhanced ? { enhanced } : {}), text: words }
    if (answersSender(text.slice(Math.max(0, at - MAX_CONTEXT), at), words)) reply.toSender = true
    found.push({ at, reply })
  }
  if (found.length > 0) return found
  for (const match of text.matchAll(ENHANCED)) {
    if (found.length >= MAX_REPLIES) break
    // The words stand before such a code as often as behind it.
    const at = text.lastIndexOf('\n', match.index) + 1
    found.push({ at, reply: { enhanced: match[1], text: replyText(text, at) } })
  }
  return found
}

/** Whether the last command named before a reply, or within it, is MAIL FROM. */
function answersSender(before: string, words: string): boolean {
  const commands = [...before.toLowerCase().matchAll(/mail from|rcpt to|\bdata\b/g)]
  return commands.at(-1)?.[0] === 'mail from' || /in reply to\s+mail\s+from/i.test(words)
}

/** The enhanced code inside a reply, wherever in it: `550 sorry (#5.1.1)`. */
export function enhancedIn(text: string): string | undefined {
  for (const [, code] of text.slice(0, MAX_REPLY).matchAll(ENHANCED)) return code
  return undefined
}

/** From a place up to the empty line or the rule that ends what was said. */
function replyText(text: string, at: number): string {
  const lines: string[] = []
  for (const line of text.slice(at, at + MAX_REPLY).split('\n')) {
    const bare = line.trim()
    if (lines.length > 0 && (ENDS.test(bare) || isOtherReply(bare, lines[0] ?? ''))) break
    lines.push(bare)
  }
  return lines.join('\n')
}

/** The lines of one reply all begin with its code (RFC 5321 section 4.2.1). */
function isOtherReply(line: string, first: string): boolean {
  const code = /^(?:<+ ?)?([245]\d\d)[ -]/.exec(line)?.[1]
  return code !== undefined && !first.startsWith(code)
}

/** How far before a reply the command stands that it answers. */
const MAX_CONTEXT = 200

/** Nothing, a rule, the next attempt, or a line that opens the report of another recipient. */
const ENDS = /^$|^--|^\.\.\. while|^<[^\s<>@]{1,64}@[^\s<>]{1,255}>:?$/

function withoutQuoting(line: string): string {
  return line.replace(/^(?:>+ ?)+(?!>)/, '')
}

/** Whether a line is where the returned message begins: a rule that says so, a heading, or its first trace field. */
function opensOriginal(line: string): boolean {
  if (line.length > 200) return false
  const lower = line.toLowerCase()
  if (/^(?:received|return-path|dkim-signature|x-received|arc-seal):/.test(lower)) return true
  if (/^[-=_*#]{2,}/.test(lower)) {
    return /message|header|mail/.test(lower) && /original|copy|unsent|below|returned|enclosed|attached/.test(lower)
  }
  return (
    /^(?:the )?(?:original|unsent|returned) (?:message|mail|e-mail)(?: headers?)?(?: follows?| below| is attached| is enclosed)?\s*[.:]*$/.test(
      lower,
    ) ||
    /^message headers? follows?\s*[.:]*$/.test(lower) ||
    /^(?:included|attached|enclosed|below|here) is (?:a|the) copy of/.test(lower)
  )
}

function folded(text: string): string {
  return text.slice(0, MAX_TEXT).toLowerCase().replace(/[’`]/g, "'").replace(/\s+/g, ' ')
}
