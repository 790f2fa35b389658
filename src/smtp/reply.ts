/** Replies: what the server says, made safe to keep and to show (RFC 5321 section 4.2, RFC 2034, RFC 3463). */
import { Broken } from './errors.ts'

/** One reply, ours to keep: printable, capped. */
export type Reply = {
  /** 200 to 599. */
  code: number
  /** The enhanced status code where the reply had one of the same class: '4.7.1'. */
  enhanced?: string
  /** The text without codes, printable, at most 1000 characters, lines joined by a line feed. */
  text: string
  /** True on a reply that no server gave: this client judged by itself. */
  local?: true
}

/** A reply as it was read: every line's text, for EHLO whose lines are data. */
export type ReplyLines = { code: number; lines: string[] }

/** A server that never ends its reply must not eat our memory or our time; EHLO, the longest there is, has some 20 lines. */
const MAX_REPLY_LINES = 100
const MAX_REPLY_BYTES = 64 * 1024

/** Kept with every recipient and shown to users: enough for any sentence and the link in it. */
const MAX_TEXT = 1000

const REPLY_LINE = /^([2-5][0-9]{2})(?:([ -])(.*))?$/s
const ENHANCED = /^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)/

/** Gathers the lines of one reply. */
export class ReplyGatherer {
  private code: number | undefined
  private readonly lines: string[] = []
  private bytes = 0

  /** Takes the next line; gives the reply when that was its last. Throws Broken where no reply can look so. */
  take(line: Uint8Array): ReplyLines | undefined {
    this.bytes += line.length
    if (this.lines.length >= MAX_REPLY_LINES || this.bytes > MAX_REPLY_BYTES) throw new Broken('the reply never ends')
    const [, digits, mark, text = ''] = REPLY_LINE.exec(printable(line)) ?? []
    if (!digits) throw new Broken(`not an SMTP reply: ${JSON.stringify(printable(line).slice(0, 80))}`)
    const code = Number(digits)
    // Two codes in one reply (RFC 5321 section 4.2.1 forbids it) leave open which one counts.
    if (this.code !== undefined && this.code !== code) throw new Broken(`one reply with codes ${this.code} and ${code}`)
    this.code = code
    this.lines.push(text)
    return mark === '-' ? undefined : { code, lines: this.lines }
  }
}

/** The reply as it is kept. */
export function toReply({ code, lines }: ReplyLines): Reply {
  const enhanced = ENHANCED.exec(lines[0] ?? '')?.[1]
  // A status of another class than the code's is a mistake of the server, and the code is what counts.
  const agrees = enhanced !== undefined && enhanced[0] === String(code)[0]
  const texts = agrees
    ? lines.map((line) => (line.startsWith(enhanced) ? line.slice(enhanced.length).trim() : line))
    : lines
  const text = texts.join('\n').trim().slice(0, MAX_TEXT).toWellFormed()
  return agrees ? { code, enhanced, text } : { code, text }
}

/** A reply of our own making. */
export function localReply(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, text: text.slice(0, MAX_TEXT).toWellFormed(), local: true }
}

/** '451 4.7.1 come back later', for messages. */
export function showReply({ code, enhanced, text }: Reply): string {
  return [code, enhanced, text.replaceAll('\n', ' ')].filter(Boolean).join(' ')
}

/** First digit 2 (RFC 5321 section 4.2.1). */
export function isPositive(reply: { code: number }): boolean {
  return reply.code >= 200 && reply.code < 300
}

const lossy = new TextDecoder('utf-8')

/** Text without controls and line separators, whatever the bytes: a reply ends up in logs, pages and headers. */
function printable(line: Uint8Array): string {
  return lossy.decode(line).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ')
}
