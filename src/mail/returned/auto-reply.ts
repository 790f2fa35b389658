/** Automatic answers (RFC 3834): vacations, receipts and the like, which say nothing of a delivery. */

/** Fields by lower-case name, as `fieldMap` gives them. */
type Headers = Readonly<Record<string, readonly string[]>>

/** Fields that only answering programs write. */
const TELLING = ['x-autoreply', 'x-autorespond', 'x-autoreply-from', 'x-mail-autoreply', 'x-auto-reply']

/** How their subjects begin, in lower case. */
const SUBJECTS = [
  'auto:',
  'auto-reply',
  'autoreply',
  'auto reply',
  'auto response',
  'autoresponse',
  'automatic reply',
  'automatic response',
  'automated reply',
  'automated response',
  'out of office',
  'out of the office',
  'out-of-office',
  'on vacation',
  'vacation',
  'away',
  'i am away',
  'thank you for your',
  'thanks for your',
]

/** Whether a mail calls itself an automatic answer. Bounces do so too: this is asked where nothing of a bounce was found. */
export function isAutoReply(headers: Headers, subject: string): boolean {
  const first = (name: string) => headers[name]?.[0]?.trim().toLowerCase() ?? ''
  const submitted = first('auto-submitted')
  if (submitted.startsWith('auto-replied') || submitted.startsWith('auto-notified')) return true
  if (TELLING.some((name) => first(name) !== '' && first(name) !== 'no')) return true
  if (first('precedence').startsWith('auto')) return true
  return hasAutoReplySubject(subject)
}

/** Whether the subject alone says so. */
export function hasAutoReplySubject(subject: string): boolean {
  const start = subject.trim().slice(0, 100).toLowerCase()
  return SUBJECTS.some((phrase) => start.startsWith(phrase))
}
