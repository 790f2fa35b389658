/**
 * Mailboxes as one file (RFC 4155, in the form called mboxrd): each message behind a line `From sender date`, and every
 * line of its own that begins with `From `, after any number of `>`, written with one `>` more. One pass, of any size.
 */
import { concat, latin1, utf8 } from '../base/bytes.ts'

const LF = 0x0a
const CR = 0x0d
const GT = 0x3e
const FROM = utf8('From ')

/** A line is judged by so much of it: what is longer is no separator, and quoted by more `>` than anybody writes. */
const MAX_HEAD = 4096

/** A message taken out of the file. `pieces` is absent where it is larger than was allowed. */
export type MboxMessage = { sender: string; size: number; pieces?: Uint8Array[]; ours?: ExportNote }

/** What an export of ours notes of a message, beside its bytes. */
export type ExportNote = { id: string; mailbox: string; keywords: string[]; missing: boolean }

/** A stretch of a chunk; lines that follow one another are one. */
type Run = { of: Uint8Array; start: number; end: number }

/** The message that is being read; the first `gathered` of its runs are copies of many. `last` is its last line's length. */
type Open = { sender: string; runs: Run[]; gathered: number; size: number; last: number }

/** Each quoted line begins a run, and a run takes many times the memory of a short line: of so many one is made. */
const MAX_RUNS = 1024

/** Takes a file in chunks of any size and gives the messages as they end. */
export class MboxReader {
  private held: Uint8Array = new Uint8Array(0)
  private inLine = false
  /** The line before was blank, or there was none. */
  private blank = true
  private open: Open | undefined
  private readonly max: number
  /** What stands before the first separator is no mailbox's. */
  strange = false

  constructor(max: number) {
    this.max = max
  }

  write(chunk: Uint8Array): MboxMessage[] {
    const bytes = this.held.length > 0 ? joined(this.held, chunk) : chunk
    const ended: MboxMessage[] = []
    this.held = new Uint8Array(0)
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(LF, at) + 1
      if (end === 0 && !this.inLine && bytes.length - at < MAX_HEAD) {
        this.held = bytes.slice(at)
        break
      }
      const next = end === 0 ? bytes.length : end
      if (this.inLine) this.keep(bytes, at, next)
      else this.line(bytes, at, next, ended)
      this.inLine = end === 0
      at = next
    }
    return ended
  }

  end(): MboxMessage[] {
    const ended: MboxMessage[] = []
    if (this.held.length > 0) this.line(this.held, 0, this.held.length, ended)
    this.close(ended, this.blank)
    return ended
  }

  private line(bytes: Uint8Array, start: number, end: number, ended: MboxMessage[]): void {
    const behindBlank = this.blank
    const sender = behindBlank ? separatorSender(bytes, start, end) : undefined
    const length = end - start
    this.blank = (length === 1 && bytes[start] === LF) || (length === 2 && bytes[start] === CR && bytes[end - 1] === LF)
    if (sender !== undefined) {
      this.close(ended, behindBlank)
      this.open = { sender, runs: [], gathered: 0, size: 0, last: 0 }
      return
    }
    if (!this.open && !this.blank) this.strange = true
    const quoted = bytes[start] === GT && isFromLine(bytes, start, end)
    this.keep(bytes, quoted ? start + 1 : start, end)
    if (this.open) this.open.last = length
  }

  private keep(of: Uint8Array, start: number, end: number): void {
    const { open } = this
    if (!open) return
    open.size += end - start
    if (open.size > this.max + 2) {
      open.runs = []
      open.gathered = 0
      return
    }
    const last = open.runs.at(-1)
    if (last?.of === of && last.end === start) last.end = end
    else open.runs.push({ of, start, end })
    if (open.runs.length - open.gathered > MAX_RUNS) gather(open)
  }

  /** The blank line before a separator is the file's, not the message's. */
  private close(ended: MboxMessage[], isBlank: boolean): void {
    const { open } = this
    if (!open) return
    this.open = undefined
    const blank = isBlank ? open.last : 0
    if (open.size > this.max + 2) {
      ended.push({ sender: open.sender, size: open.size })
      return
    }
    const bytes = open.runs.map(({ of, start, end }) => of.subarray(start, end))
    const cut = trimmed(bytes, blank)
    const noted = takeNote(cut.pieces)
    const pieces =
      noted && blank === 2 ? trimmed(noted.pieces, lastBreak(noted.pieces)).pieces : (noted?.pieces ?? cut.pieces)
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (size > this.max) ended.push({ sender: open.sender, size })
    else ended.push({ sender: open.sender, size, pieces, ...(noted ? { ours: noted.note } : {}) })
  }
}

/** Makes one run of those that came since the last time. */
function gather(open: Open): void {
  const of = concat(open.runs.splice(open.gathered).map((run) => run.of.subarray(run.start, run.end)))
  open.gathered = open.runs.push({ of, start: 0, end: of.length })
}

/** The separator of a message, and what an export of ours notes of it in the fields that other programs know, too. */
export function mboxHead(message: { sender: string; at: number }, note: ExportNote): Uint8Array {
  const { id, mailbox, keywords, missing } = note
  const has = (keyword: string, letter: string) => (keywords.includes(keyword) ? letter : '')
  const sender = /^[!-~]{1,320}$/.test(message.sender) ? message.sender : 'MAILER-DAEMON'
  return utf8(
    [
      `From ${sender} ${asctime(message.at)}`,
      `X-Pochta-Export: 1; id=${id}; mailbox=${encodeURIComponent(mailbox)}${missing ? '; missing' : ''}`,
      `Status: ${has('$seen', 'R')}O`,
      `X-Status: ${has('$answered', 'A')}${has('$flagged', 'F')}${has('$draft', 'T')}`,
      `X-Keywords: ${keywords.join(' ')}`,
      '',
    ].join('\n'),
  )
}

/** Quotes a message's lines as it streams by; what `end` gives closes it, so that the next separator may follow. */
export class MboxQuoter {
  private held: Uint8Array = new Uint8Array(0)
  private inLine = false
  private last = LF

  write(chunk: Uint8Array): Uint8Array[] {
    const bytes = this.held.length > 0 ? joined(this.held, chunk) : chunk
    this.held = new Uint8Array(0)
    const out: Uint8Array[] = []
    let from = 0
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(LF, at) + 1
      if (end === 0 && !this.inLine && bytes.length - at < MAX_HEAD) {
        this.held = bytes.slice(at)
        if (at > from) out.push(bytes.subarray(from, at))
        this.last = at > 0 ? LF : this.last
        return out
      }
      if (!this.inLine && isFromLine(bytes, at, end === 0 ? bytes.length : end)) {
        if (at > from) out.push(bytes.subarray(from, at))
        out.push(QUOTE)
        from = at
      }
      this.inLine = end === 0
      at = end === 0 ? bytes.length : end
    }
    if (bytes.length > from) out.push(bytes.subarray(from))
    this.last = bytes.at(-1) ?? this.last
    return out
  }

  /** A message without a line break at its end is told by a blank line that ends in CR LF. */
  end(): Uint8Array[] {
    const { held } = this
    const quoted = held.length > 0 && isFromLine(held, 0, held.length) ? [QUOTE, held] : held.length > 0 ? [held] : []
    const last = held.at(-1) ?? this.last
    return [...quoted, last === LF ? utf8('\n') : utf8('\n\r\n')]
  }
}

const QUOTE = Uint8Array.of(GT)

/** Any number of `>`, then `From `. */
function isFromLine(bytes: Uint8Array, start: number, end: number): boolean {
  const limit = Math.min(end, start + MAX_HEAD)
  let at = start
  while (at < limit && bytes[at] === GT) at++
  return at + FROM.length <= limit && FROM.every((byte, n) => bytes[at + n] === byte)
}

/** Who is named by a line that separates messages; undefined where it is none. Some programs quote nothing: so it must hold a time, too. */
function separatorSender(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (bytes[start] !== FROM[0] || end - start > MAX_HEAD || !isFromLine(bytes, start, end)) return undefined
  const text = latin1(bytes.subarray(start, end))
  if (!/\d\d?:\d\d/.test(text)) return undefined
  return /^From +(\S+)/.exec(text)?.[1] ?? ''
}

/** Takes the fields that an export of ours put before a message off it; undefined where there are none. */
function takeNote(pieces: readonly Uint8Array[]): { note: ExportNote; pieces: Uint8Array[] } | undefined {
  const head = latin1(firstOf(pieces, 2 * MAX_HEAD))
  const found =
    /^X-Pochta-Export: 1; id=([0-9a-f-]{36}); mailbox=([^\s;]{0,2304})(; missing)?\nStatus: [^\n]*\nX-Status: [^\n]*\nX-Keywords: ([^\n]*)\n/.exec(
      head,
    )
  if (!found) return undefined
  const [all, id = '', mailbox = '', missing, keywords = ''] = found
  const note = {
    id,
    mailbox: decoded(mailbox),
    keywords: keywords.split(' ').filter(Boolean),
    missing: missing !== undefined,
  }
  return { note, pieces: without(pieces, all.length) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function firstOf(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const first: Uint8Array[] = []
  let left = length
  for (const piece of pieces) {
    if (left <= 0) break
    first.push(piece.subarray(0, left))
    left -= piece.length
  }
  return first.reduce(joined, new Uint8Array(0))
}

function without(pieces: readonly Uint8Array[], length: number): Uint8Array[] {
  let left = length
  return pieces.flatMap((piece) => {
    const cut = Math.min(left, piece.length)
    left -= cut
    return cut === piece.length ? [] : [piece.subarray(cut)]
  })
}

function trimmed(pieces: readonly Uint8Array[], length: number): { pieces: Uint8Array[] } {
  const kept = [...pieces]
  let left = length
  while (left > 0) {
    const last = kept.pop()
    if (!last) break
    if (last.length > left) kept.push(last.subarray(0, last.length - left))
    left -= last.length
  }
  return { pieces: kept }
}

function lastBreak(pieces: readonly Uint8Array[]): number {
  return pieces.at(-1)?.at(-1) === LF ? 1 : 0
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Mon Nov 23 12:00:00 2026`, in UTC (RFC 4155 appendix A). */
function asctime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  const day = String(date.getUTCDate()).padStart(2, ' ')
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${clock} ${date.getUTCFullYear()}`
}
