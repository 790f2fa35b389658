/** What an SMTP refusal means: for whom it lasts, why, and whether the address is dead (RFC 3463). */
import { CONTENT, DEAD, FULL, NO_HOST, POLICY, REJECTED_RECIPIENT, SENDER, UNREACHED } from './phrases.ts'

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
  /** On a list of the service that relays: of the addresses that bounced to anybody, or of its customer's own. */
  | 'Suppressed'
  | 'OnAccountSuppressionList'

/** Whether a reply says no more than that a user is unknown, without a code of the address beside it. */
export function isBareUnknown({ text, enhanced }: ReplyLike): boolean {
  return (!enhanced || UNTOLD.test(enhanced.slice(2))) && says(wordsOf(text), ['user unknown', 'unknown user'])
}

export type Verdict = {
  type: 'Permanent' | 'Transient' | 'Undetermined'
  subType: BounceSubType
  /** Whether the address is dead: no more mail may go to it. Never set by policy, reputation, size or a full mailbox. */
  suppress: boolean
}

/** Judges one reply: by its enhanced code where that says enough, else by its words. */
export function classifyReply(reply: ReplyLike): Verdict {
  const { digit, detail } = readCodes(reply)
  const all = wordsOf(reply.text)
  const words = all.replace(LINK, ' ')
  const type = typeOf(digit, reply.enhanced, words)
  const untold = UNTOLD.test(detail)
  const told = byCode(reply.code, detail, words) ?? (untold ? byWords(words) : 'General')
  const filtered = untold && told === 'NoEmail' && FILTERING.test(reply.text.slice(0, MAX_TEXT))
  const subType =
    told === 'General' || filtered
      ? says(words, CONTENT) && !UNPROVED.test(detail)
        ? 'ContentRejected'
        : 'General'
      : told
  const dead = type === 'Permanent' && subType === 'NoEmail'
  // QUIRK: some say 5.1.1 of a full mailbox and 5.2.1 of one that gets too much; their words then save the address.
  if (dead && wordsDeny(words, all))
    return { type, subType: says(words, FULL) ? 'MailboxFull' : 'General', suppress: false }
  return { type, subType, suppress: dead }
}

/** Delivery time expired (RFC 3463 section 3.5) is the end of what was transient, whatever class it is told in. */
function typeOf(digit: number, enhanced: string | undefined, words: string): Verdict['type'] {
  if (digit === 4 || enhanced?.slice(1) === '.4.7') return 'Transient'
  if (digit === 5) return 'Permanent'
  return says(words, UNREACHED) ? 'Transient' : 'Undetermined'
}

/** The class, and the `subject.detail` of the enhanced code; empty where there is none to believe. */
function readCodes({ code, enhanced }: ReplyLike): { digit: number; detail: string } {
  const match = /^([245])\.(\d{1,3}\.\d{1,3})$/.exec(enhanced ?? '')
  const digit = Math.floor(code / 100)
  // A server whose two codes contradict each other is believed by the basic one, which SMTP itself goes by.
  return { digit, detail: Number(match?.[1]) === digit ? (match?.[2] ?? '') : '' }
}

function byCode(code: number, detail: string, words: string): BounceSubType | undefined {
  // RFC 7504: the host takes no mail at all, nor does the domain. QUIRK: 521 is also said to senders who are blocked.
  if (code === 556 && !detail.startsWith('7.')) return 'NoEmail'
  if (code === 521 && (detail === '3.2' || (detail === '' && says(words, ['accept mail'])))) return 'NoEmail'
  // QUIRK: routing codes are given for a domain that does not exist, and for recipients that an edge does not know.
  if (ROUTING.has(detail) && says(words, [...NO_HOST, ...REJECTED_RECIPIENT]) && !says(words, SENDER)) return 'NoEmail'
  if (detail === '1.0' && says(words, ['address rejected']) && !says(words, [...SENDER, ...POLICY])) return 'NoEmail'
  // QUIRK: Outlook.com says no more than this of an unknown user; others use the words without the code for anything.
  if (detail === '5.0' && says(words, ['mailbox unavailable']) && !says(words, POLICY)) return 'NoEmail'
  return BY_DETAIL.get(detail)
}

/** No answer from the host, unable to route (RFC 3463 section 3.5), and no mail host, taken for the sender's or not (RFC 7505). */
const ROUTING = new Set(['4.1', '4.4', '7.27'])

/** RFC 3463 section 3 and the IANA registry; a code that is not here says nothing of the address. */
const BY_DETAIL = new Map<string, BounceSubType>([
  ['1.1', 'NoEmail'], // bad destination mailbox
  ['1.2', 'NoEmail'], // bad destination system
  ['1.3', 'NoEmail'], // bad destination syntax
  ['1.6', 'NoEmail'], // mailbox has moved
  ['1.10', 'NoEmail'], // null MX (RFC 7505)
  ['1.350', 'NoEmail'], // QUIRK: Exchange Online: the next server called the address invalid
  ['1.351', 'NoEmail'], // QUIRK: or unknown
  ['2.1', 'NoEmail'], // mailbox disabled
  ['2.2', 'MailboxFull'],
  ['2.3', 'MessageTooLarge'],
  ['3.1', 'MailboxFull'], // mail system full
  ['3.4', 'MessageTooLarge'],
  ['6.0', 'ContentRejected'],
  ['6.1', 'ContentRejected'], // media not supported
  ['6.3', 'ContentRejected'], // conversion required but not supported
])

/** The sender's proofs failed (RFC 7372): whatever else is said of the mail then is said of that. */
const UNPROVED = /^7\.2\d$/

/** QUIRK: NTT docomo calls a user unknown whose own filter refused the mail (it says so at the end of the data). */
const FILTERING = /unknown user [^\s<>@]{1,64}@[a-z0-9.-]{0,200}docomo\./i

/** No enhanced code, or one that only says "other": the words may know more. Policy (x.7.x) is never read further. */
const UNTOLD = /^$|^[01235]\.0$/

/** The order counts: what does not speak of the address stands first. */
const BY_PHRASE: [BounceSubType, readonly string[]][] = [
  ['General', [...SENDER, ...POLICY]],
  ['AttachmentRejected', ['attachment', 'file type', 'executable']],
  ['MailboxFull', FULL],
  [
    'MessageTooLarge',
    [
      'too large',
      'too big',
      'message too long',
      'message is too long',
      'message size',
      'mail size',
      'size limit',
      'size exceeds',
      'message length',
      'maximum size',
      'larger than',
      'exceeds maximum',
      'exceeds the maximum',
      'exceeds fixed',
    ],
  ],
  ['ContentRejected', [...CONTENT, 'content reject', 'message rejected']],
  ['NoEmail', DEAD],
]

function byWords(words: string): BounceSubType {
  return BY_PHRASE.find(([, phrases]) => says(words, phrases))?.[0] ?? 'General'
}

/** Whether the words say that the address lives: a full mailbox, or policy and nothing of an unknown user. */
function wordsDeny(words: string, links: string): boolean {
  // Where nothing but a link is given, the name of a block list in it tells.
  return says(words, FULL) || (!says(words, [...DEAD, ...REJECTED_RECIPIENT]) && says(links, POLICY))
}

// The words that tell stand at the start; a server may send sixty lines after them.
const MAX_TEXT = 2048

const LINK = /\bhttps?:\/\/[^\s<>]{1,2048}/g

/** In lower case, on one line, without the addresses: their names say nothing of what happened. */
function wordsOf(text: string): string {
  return text
    .slice(0, MAX_TEXT)
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\s<>@:;,()[\]]{1,64}@[^\s<>,;()[\]]{1,255}/g, ' ')
    .replace(/[’`]/g, "'")
    .replace(/\b(?:to|the|original) sender/g, ' ')
    .replace(/\s+/g, ' ')
}

function says(words: string, phrases: readonly string[]): boolean {
  return phrases.some((phrase) => words.includes(phrase))
}
