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
  /** On a list of the service that relays: of the addresses that bounced to anybody, or of its customer's own. */
  | 'Suppressed'
  | 'OnAccountSuppressionList'

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
  const type = digit === 5 ? 'Permanent' : digit === 4 ? 'Transient' : 'Undetermined'
  const subType = byCode(reply.code, detail, words) ?? (UNTOLD.test(detail) ? byWords(words) : 'General')
  const dead = type === 'Permanent' && subType === 'NoEmail'
  // QUIRK: some say 5.1.1 of a full mailbox and 5.2.1 of one that gets too much; their words then save the address.
  if (dead && wordsDeny(words, all))
    return { type, subType: says(words, FULL) ? 'MailboxFull' : 'General', suppress: false }
  return { type, subType, suppress: dead }
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
const SENDER = ['sender', 'mail from', 'return path', 'unauthenticated']
const POLICY = [
  'spam',
  'blocked',
  'block list',
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
  'banned',
  'bulk e',
  'unsolicited',
  'prohibited',
  'not permitted',
  'reverse',
  'rdns',
  ' ptr',
  'client host',
  'helo',
  'ehlo',
  'hostname',
  'ip address',
  'your ip',
  'your host',
  'your domain',
  'your server',
  'your mail server',
  'does not resolve',
  'temporar',
  'found, try again',
  'try again later',
  'try later',
  'suspended',
]
const FULL = [
  'quota',
  'mailbox full',
  'mailbox is full',
  'mail box full',
  'mail box is full',
  'inbox is full',
  'folder is full',
  'user is full',
  'mailbox exceed',
  'mailbox has exceed',
  'mailbox over',
  'account is over',
  'mailbox size',
  'exceeded storage',
  'over limit',
  'storage',
  'insufficient disk',
  'disk full',
  'disk is full',
  'no space',
  'not enough space',
  'out of space',
  'overquota',
  'over the limit',
  'over limit',
  'disk space',
  'is full',
  'mailbox overflow',
  'exceeded the limit',
  'exceeds the limit',
]
const NO_USER = [
  'user unknown',
  'unknown user',
  'unknown local',
  'unknown or illegal',
  'unknown account',
  'unknown virtual',
  'no such user',
  'no such recipient',
  'no such address',
  'no such mailbox',
  'no such account',
  'no such person',
  'no such local',
  'no such alias',
  'no mailbox',
  'no account by',
  'no account here',
  'no account with',
  'no users here',
  'no user here',
  'no user by',
  'no valid recipient',
  'does not exist',
  "doesn't exist",
  'did not exist',
  'nonexist',
  'non-exist',
  'user does not have',
  "user doesn't have",
  'mailbox not found',
  'user not found',
  'recipnotfound',
  'recipient not found',
  'address not found',
  'account not found',
  'mailbox was not found',
  'user was not found',
  'recipient was not found',
  'address was not found',
  "couldn't be found",
  'could not be found',
  'user not known',
  'recipient not known',
  'address not known',
  'unknown recipient',
  'recipient unknown',
  'recipient is unknown',
  'user is unknown',
  'unknown address',
  'address unknown',
  'address is unknown',
  'addressee unknown',
  'unknown addressee',
  'unknown mailbox',
  'mailbox unknown',
  'account unknown',
  'name is not recognized',
  'recipient not recognized',
  'user not recognized',
  'address not recognized',
  'not our customer',
  'not a registered',
  'not listed in',
  'not a known',
  'not a valid mailbox',
  'not a valid user',
  'not a valid recipient',
  'not a valid address',
  'not a valid email',
  'invalid recipient',
  'invalid mailbox',
  'invalid user',
  'invalid address',
  'invalid final delivery',
  'illegal user',
  'illegal alias',
  'bad destination mailbox',
  'account disabled',
  'account is disabled',
  'account has been disabled',
  'account inactive',
  'account is inactive',
  'account expired',
  'account has been deleted',
  'account has been closed',
  'account closed',
  'mailbox disabled',
  'mailbox is disabled',
  'mailbox is inactive',
  'account deactivated',
  'account has been deactivated',
  'mailbox deactivated',
  'no longer available',
  'no longer valid',
  'no longer exist',
  'no longer on',
  'no longer with',
  'no longer accepts mail',
  'no longer in use',
  'no longer active',
  'has moved',
  'user not local',
  'unrouteable address',
  'unroutable address',
  'undeliverable address',
]
const NO_HOST = [
  'host unknown',
  'unknown host',
  'host not found',
  'host or domain',
  'domain not found',
  'domain unknown',
  'unknown domain',
  'no such domain',
  'no such host',
  'invalid domain',
  'domain is not valid',
  'domain does not exist',
  'domain does not accept',
  'domain does not receive',
  "domain doesn't exist",
  "domain doesn't accept",
  "domain doesn't receive",
  'domain name not found',
  'name or service not known',
  'nonexistent domain',
  'mail exchanger',
  'no mx',
  'mx records point',
  'unrouteable mail domain',
  'unroutable mail domain',
  "couldn't find any host",
  'null mx',
  'nullmx',
  'not accept mail',
  'no mail server',
]
/** Of which some say "access denied" as they close an address. */
const REJECTED_RECIPIENT = ['recipient address rejected']
const DEAD = [...NO_USER, ...NO_HOST]

/** The order counts: what does not speak of the address stands first. */
const BY_PHRASE: [BounceSubType, string[]][] = [
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
  ['ContentRejected', ['virus', 'malware', 'phish', 'content reject', 'message content', 'message rejected']],
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
    .toLowerCase()
    .replace(/[^\s<>@:;,()[\]]{1,64}@[^\s<>,;()[\]]{1,255}/g, ' ')
    .replace(/[’`]/g, "'")
    .replace(/\b(?:to|the|original) sender/g, ' ')
    .replace(/\s+/g, ' ')
}

function says(words: string, phrases: readonly string[]): boolean {
  return phrases.some((phrase) => words.includes(phrase))
}
