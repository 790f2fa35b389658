/** Bounces without a machine-readable part: replies, codes and phrases in what a server wrote for a person to read. */
import { DELAY, FAILURE, FINAL, SUBJECTS } from './notices.ts'
import type { ReplyLike } from './verdict.ts'

/** A reply that a report quotes; without a basic code where only an enhanced one or words stand there. */
export type QuotedReply = Omit<ReplyLike, 'code'> & {
  code?: number
  /** It answers MAIL FROM: so it is about the sender, whatever it says. */
  toSender?: boolean
  /** It answers the content, after the recipient was taken. */
  toData?: boolean
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
  return SUBJECTS.some((phrase) => words.includes(phrase))
}

/** Whether a sender is the program that delivers mail, by its address or its name. */
export function isMailDaemon({ name, address }: { name: string; address: string }): boolean {
  const local = address.slice(0, Math.max(0, address.lastIndexOf('@'))).toLowerCase() || address.toLowerCase()
  return DAEMON_LOCAL.test(local) || DAEMON_NAME.test(name.toLowerCase())
}

const DAEMON_LOCAL = /^(?:mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|po+stmaster|bounces?|double-bounce)$/
const DAEMON_NAME = /mailer[- ]daemon|mail delivery|delivery (?:sub)?system|postmaster|system administrator/

/** A code needs a place where replies begin: the start of a line, or behind a mark that opens a quotation. */
const REPLY =
  /(?:^|[:;,'"(<>[\-=])[ \t]{0,4}([45][0-57]\d)(?=[ \t:\-,]|\n[ \t])[ \t:\-,]{0,3}(?:\1[ \t:-]{1,3})?\n?[ \t]{0,8}\(?#?(?:([245]\.\d{1,3}\.\d{1,3})(?![.\d]))?/gm
const ENHANCED = /(?:^|[\s#(:;,<['"-])(?:\d{3}[ -])?([45]\.\d{1,3}\.\d{1,3})(?![.\d])/gm

function quotedReplies(text: string): { at: number; reply: QuotedReply }[] {
  const found: { at: number; reply: QuotedReply }[] = []
  for (const match of text.matchAll(REPLY)) {
    if (found.length >= MAX_REPLIES) break
    const at = match.index + match[0].indexOf(match[1] ?? '')
    const words = replyText(text, at)
    const enhanced = match[2] ?? enhancedIn(words)
    const reply: QuotedReply = { code: Number(match[1]), ...(enhanced ? { enhanced } : {}), text: words }
    const command = commandBefore(text.slice(Math.max(0, at - MAX_CONTEXT), at), words)
    if (command === 'mail from') reply.toSender = true
    if (
      command === 'data' ||
      /^\s{1,9}-{0,9} ?smtp command\s{1,9}data\b/i.test(text.slice(at + words.length, at + words.length + 60))
    ) {
      reply.toData = true
    }
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

/** The command that a reply answers: named within it, or the last one before it. */
function commandBefore(before: string, words: string): string | undefined {
  const within = /in reply to\s+(?:end\s+of\s+)?(mail\s+from|rcpt\s+to|data\b)/i.exec(words)?.[1]
  const commands = [...before.toLowerCase().matchAll(/mail from|rcpt to|\bdata\b/g)]
  return within?.toLowerCase().replace(/\s+/g, ' ') ?? commands.at(-1)?.[0]
}

/** Whether the text quotes these words as an answer to the content of the mail, not to its recipient. */
export function answersData(explained: string, words: string): boolean {
  const wanted = start(words)
  if (wanted === '') return false
  return quotedReplies(explained).some(({ reply }) => reply.toData === true && start(reply.text).startsWith(wanted))
}

/** As much of a reply as tells it from others. */
function start(words: string): string {
  return folded(words.slice(0, 200)).trim().slice(0, 60)
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
  return text.slice(0, MAX_TEXT).normalize('NFC').toLowerCase().replace(/[’`]/g, "'").replace(/\s+/g, ' ')
}
