/** Judges what a report quotes: which of several replies tells, and with whichever of its codes tells more. */
import { enhancedIn, type QuotedReply, quotedReply } from './bounce-text.ts'
import { type DsnRecipient, MAX_DIAGNOSTIC } from './dsn.ts'
import { classifyReply, isBareUnknown, type ReplyLike, type Verdict } from './verdict.ts'

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
export function judge(replies: QuotedReply[], texts: string[], status: string | undefined): Judged {
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
export function diagnosed({ diagnostic = '', status }: DsnRecipient): QuotedReply {
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

export function asReply({ code, enhanced, text }: QuotedReply, status: string | undefined): ReplyLike {
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
