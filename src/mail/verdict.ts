/** What an SMTP refusal means: for whom it lasts, why, and whether the address is dead (RFC 3463). */

export type ReplyLike = {
  /** The basic code, 400 to 599 (RFC 5321 section 4.2). */
  code: number
  /** The enhanced code, `5.1.1`, where the server gave one. */
  enhanced?: string
  text: string
}

export type BounceSubType =
  | 'General'
  | 'NoEmail'
  | 'MailboxFull'
  | 'MessageTooLarge'
  | 'ContentRejected'
  | 'AttachmentRejected'

export type Verdict = {
  type: 'Permanent' | 'Transient' | 'Undetermined'
  subType: BounceSubType
  /** Whether the address is dead: no more mail may go to it. Never set by policy, reputation, size or a full mailbox. */
  suppress: boolean
}

/** Judges one reply: by its enhanced code where that says enough, else by its words. */
export function classifyReply(reply: ReplyLike): Verdict {
  const { digit, detail } = readCodes(reply)
  const type = digit === 5 ? 'Permanent' : digit === 4 ? 'Transient' : 'Undetermined'
  const subType = BY_DETAIL.get(detail) ?? (UNTOLD.test(detail) ? byWords(reply.text) : 'General')
  const dead = type === 'Permanent' && subType === 'NoEmail'
  // QUIRK: some say 5.1.1 of a full mailbox and 5.2.1 of one that gets too much; their words then save the address.
  if (dead && wordsDeny(reply.text)) return { type, subType: 'General', suppress: false }
  return { type, subType, suppress: dead }
}

/** The class, and the `subject.detail` of the enhanced code; empty where there is none to believe. */
function readCodes({ code, enhanced }: ReplyLike): { digit: number; detail: string } {
  const match = /^([245])\.(\d{1,3}\.\d{1,3})$/.exec(enhanced ?? '')
  const digit = Math.floor(code / 100)
  // A server whose two codes contradict each other is believed by the basic one, which SMTP itself goes by.
  return { digit, detail: Number(match?.[1]) === digit ? (match?.[2] ?? '') : '' }
}

/** RFC 3463 section 3 and the IANA registry; a code that is not here says nothing of the address. */
const BY_DETAIL = new Map<string, BounceSubType>([
  ['1.1', 'NoEmail'], // bad destination mailbox
  ['1.2', 'NoEmail'], // bad destination system
  ['1.3', 'NoEmail'], // bad destination syntax
  ['1.6', 'NoEmail'], // mailbox has moved
  ['1.10', 'NoEmail'], // null MX (RFC 7505)
  ['2.1', 'NoEmail'], // mailbox disabled
  ['2.2', 'MailboxFull'],
  ['2.3', 'MessageTooLarge'],
  ['3.1', 'MailboxFull'], // mail system full
  ['3.4', 'MessageTooLarge'],
  ['6.0', 'ContentRejected'],
  ['6.1', 'ContentRejected'], // media not supported
  ['6.3', 'ContentRejected'], // conversion required but not supported
])

/** No enhanced code, or one that only says "other": the words may know more. Policy (x.7.x) is never read further. */
const UNTOLD = /^$|^[01235]\.0$/

/** Phrases that many systems use, in lower case. */
const POLICY = [
  'spam',
  'blocked',
  'blacklist',
  'blocklist',
  'reputation',
  'policy',
  'dmarc',
  'spf',
  'dkim',
  'greylist',
  'rate limit',
  'at a rate',
  'too quickly',
  'too many',
  'relaying',
  'relay access',
  'relay not',
  'denied',
  'authenticat',
]
const FULL = ['quota', 'mailbox full', 'mailbox is full', 'over limit', 'storage', 'insufficient disk']
const DEAD = [
  'user unknown',
  'unknown user',
  'no such user',
  'no such recipient',
  'no such address',
  'no such mailbox',
  'no mailbox here',
  'does not exist',
  "doesn't exist",
  "user doesn't have",
  'mailbox not found',
  'user not found',
  'recipient not found',
  'unknown recipient',
  'recipient unknown',
  'unknown address',
  'address unknown',
  'unknown mailbox',
  'invalid recipient',
  'invalid mailbox',
  'not a valid mailbox',
  'account disabled',
  'account has been disabled',
  'mailbox disabled',
  'account closed',
  'no longer available',
  'no longer valid',
  'no longer exist',
  'unrouteable address',
]

/** The order counts: what does not speak of the address stands first. */
const BY_PHRASE: [BounceSubType, string[]][] = [
  ['General', POLICY],
  ['AttachmentRejected', ['attachment', 'file type', 'executable']],
  ['MailboxFull', FULL],
  ['MessageTooLarge', ['too large', 'too big', 'message size', 'size limit']],
  ['ContentRejected', ['virus', 'malware', 'phish', 'content rejected', 'message content', 'message rejected']],
  ['NoEmail', DEAD],
]

function byWords(text: string): BounceSubType {
  return BY_PHRASE.find(([, phrases]) => says(text, phrases))?.[0] ?? 'General'
}

/** Whether the words say that the address lives: policy or a full mailbox, and nothing of an unknown user. */
function wordsDeny(text: string): boolean {
  return !says(text, DEAD) && (says(text, POLICY) || says(text, FULL))
}

// The words that tell stand at the start; a server may send sixty lines after them.
const MAX_TEXT = 2048

function says(text: string, phrases: string[]): boolean {
  const words = text.slice(0, MAX_TEXT).toLowerCase().replace(/\s+/g, ' ')
  return phrases.some((phrase) => words.includes(phrase))
}
