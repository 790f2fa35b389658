/** The JSON inside message rows. */
import type { Part } from '../../mail/mime/parts.ts'

/** 0 received, 1 sent: the second part of a message's key. */
export const RECEIVED = 0
export const SENT = 1

/** Mailboxes that every account has, by number. */
export const MAILBOXES = [
  { number: 1, name: 'Inbox', role: 'inbox' },
  { number: 2, name: 'Sent', role: 'sent' },
  { number: 3, name: 'Drafts', role: 'drafts' },
  { number: 4, name: 'Archive', role: 'archive' },
  { number: 5, name: 'Junk', role: 'junk' },
  { number: 6, name: 'Trash', role: 'trash' },
] as const

export const INBOX = 1
export const SENT_BOX = 2
export const DRAFTS = 3
export const JUNK = 5
export const TRASH = 6

/** Header parties as the reader sees them: `a@b` or `Name <a@b>`. */
export type Parties = { from: string[]; to: string[]; cc: string[]; bcc: string[]; reply_to: string[] }

/** JSON beyond this goes into no row (2 MB is the row's limit); lists are cut, a part tree is left out. */
export const MAX_JSON = 256 * 1024

export type RecipientState =
  | 'queued'
  | 'deferred'
  | 'sent'
  | 'delivered'
  | 'bounced'
  | 'failed'
  | 'complained'
  | 'suppressed'
  | 'canceled'

/** How far each state is: a recipient only climbs. */
export const RANK: Readonly<Record<RecipientState, number>> = {
  queued: 0,
  deferred: 0,
  sent: 1,
  delivered: 2,
  bounced: 2,
  failed: 2,
  suppressed: 2,
  canceled: 2,
  complained: 3,
}

/** A mail server's last word on a recipient. */
export type StoredReply = { code: number; enhanced?: string; text: string }

/** One envelope recipient of a sent message; its place in the list is the number in its VERP address. */
export type Recipient = {
  address: string
  /** The list it is sent to; who has left that is not sent to. Absent where it is to no list. */
  list?: string
  state: RecipientState
  attempts: number
  reply?: StoredReply
  /** ms; the next attempt, while queued or deferred. */
  due?: number
  /** ms; since when it is tried, where that is not when the message was made: a scheduled mail's release. */
  since?: number
  /** ms; set when an attempt begins, cleared by its outcome: a lapsed claim with this set means the outcome is unknown. */
  begun?: number
  /** An attempt ended without our learning its outcome: it may have arrived. */
  unknown?: true
  updatedAt: number
}

export type Tag = { name: string; value: string }

export type Verdicts = { spf: string | null; dkim: string | null; dmarc: string | null }

export type StoredParts = Part
