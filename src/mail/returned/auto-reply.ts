/** Automatic answers (RFC 3834): vacations, receipts and the like, which say nothing of a delivery. */
import { AUTO_SUBJECTS } from './notices.ts'

/** Fields by lower-case name, as `fieldMap` gives them. */
type Headers = Readonly<Record<string, readonly string[]>>

/** Fields that only answering programs write. */
const TELLING = ['x-autoreply', 'x-autorespond', 'x-autoreply-from', 'x-mail-autoreply', 'x-auto-reply']

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
  const start = subject.trim().slice(0, 100).normalize('NFC').toLowerCase()
  return AUTO_SUBJECTS.some((phrase) => start.startsWith(phrase))
}
