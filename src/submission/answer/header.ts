/** What an answer's header has of the message it answers: the subject, and the ids that make a thread (RFC 5322 section 3.6.4). */
import type { ReadMessage } from '../../mail/mime/read.ts'

/** The marks by which mailers of several languages begin an answer, `Re[2]:` and `Re :` among them. */
const MARKS = {
  Re: /^(?:re|aw|sv|antw)(?:\[\d{1,3}\])? ?[:：]/i,
  Fwd: /^(?:fwd?|wg|tr)(?:\[\d{1,3}\])? ?[:：]/i,
} as const

/** Room for the mark within the longest word that a header line can hold. */
const MAX_SUBJECT = 800

/** The subject with its mark, which it is given once. */
export function markedSubject(mark: keyof typeof MARKS, subject: string | undefined): string {
  const line = oneLine(subject ?? '', MAX_SUBJECT)
  return MARKS[mark].test(line) ? line : `${mark}: ${line}`.trimEnd()
}

/** More ids than these tell a reader nothing; the first names the thread, the last are the nearest. */
const MAX_REFERENCES = 20

/** In-Reply-To and References; none where the message has no id that could be written. */
export function threadFields({ messageId, references, inReplyTo }: ReadMessage): [name: string, value: string][] {
  const own = writtenId(messageId ?? '')
  if (own === undefined) return []
  const named = references.length > 0 ? references : inReplyTo.slice(0, 1)
  const earlier = [...new Set(named.flatMap((id) => writtenId(id) ?? []))].filter((id) => id !== own)
  const kept =
    earlier.length > MAX_REFERENCES ? [...earlier.slice(0, 1), ...earlier.slice(1 - MAX_REFERENCES)] : earlier
  return [
    ['In-Reply-To', own],
    ['References', [...kept, own].join(' ')],
  ]
}

/** A stranger's text as one line that a header or a quote can hold: white space folded, no control or steering characters. */
export function oneLine(text: string, most: number): string {
  const line = text
    .slice(0, 4 * most)
    .toWellFormed()
    .replace(/\p{Bidi_Control}/gu, '')
    .replace(/[\p{Cc}\u2028\u2029 ]+/gu, ' ')
    .trim()
  return cut(line, most)
}

/** So many UTF-16 units at most, and no half of a character. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const whole = /[\ud800-\udbff]/.test(text.charAt(most - 1)) ? most - 1 : most
  return text.slice(0, whole)
}

/** An id cannot be folded, and RFC 5322 section 2.1.1 allows 998 octets a line; its name takes some. */
const MAX_ID = 800

/** The id in its brackets; undefined where it holds what no id may, and an answer that named it would be malformed. */
function writtenId(id: string): string | undefined {
  const bare = id.replace(/\s/g, '')
  return /^[!-;=?-~]+$/.test(bare) && bare.length <= MAX_ID ? `<${bare}>` : undefined
}
