/** Reads a mail as it comes in, for what makes SMTP refuse it; keeps no byte of its body. */
import { Refusal } from './refusal.ts'

/** What Cloudflare's own door takes, and therefore the API. */
export const MAX_MESSAGE_BYTES = 25 * 1024 * 1024

/** Real headers stay below a fifth of it; more only serves to make a reader work. */
const MAX_HEADER_BYTES = 512 * 1024

/** A mail that passed more servers goes in a circle (RFC 5321 section 6.3 asks for a limit this large or larger). */
const MAX_RECEIVED = 25

const CR = 13
const LF = 10
const COLON = 58
const WHITE = new Set([9, 32])
const RECEIVED = Buffer.from('received')

/** Takes the chunks of one mail in their order; then `end()` says why it is refused, if it is. */
export class Scan {
  size = 0
  #fault: Refusal | undefined
  #endsWithCr = false
  #header = new ReceivedCounter()

  write(chunk: Buffer): void {
    this.size += chunk.length
    if (this.#fault || chunk.length === 0) return
    if (this.size > MAX_MESSAGE_BYTES) this.#fault = tooLarge()
    else if (!this.#breaksAreWhole(chunk)) this.#fault = bareBreak()
    else this.#header.write(chunk)
    if (this.#header.bytes > MAX_HEADER_BYTES) this.#fault ??= headerTooLarge()
  }

  /** Whether what follows need not be kept. */
  get refused(): boolean {
    return this.#fault !== undefined
  }

  end(): Refusal | undefined {
    if (this.#endsWithCr) this.#fault ??= bareBreak()
    if (this.#header.count > MAX_RECEIVED) this.#fault ??= loop()
    return this.#fault
  }

  /** Every CR before an LF, every LF behind a CR: else two servers may see two different ends (RFC 5321 section 2.3.8). */
  #breaksAreWhole(chunk: Buffer): boolean {
    if (this.#endsWithCr && chunk[0] !== LF) return false
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
      if (at === 0 ? !this.#endsWithCr : chunk[at - 1] !== CR) return false
    }
    this.#endsWithCr = chunk.at(-1) === CR
    for (let at = chunk.indexOf(CR); at >= 0; at = chunk.indexOf(CR, at + 1)) {
      if (at + 1 < chunk.length && chunk[at + 1] !== LF) return false
    }
    return true
  }
}

/** Counts the Received fields of a header, up to its empty line. */
class ReceivedCounter {
  bytes = 0
  count = 0
  #column = 0
  /** How many letters of the name the line has shown so far; undefined once it is another field. */
  #matched: number | undefined = 0
  #ended = false

  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#ended; at++) this.#take(chunk[at] ?? 0)
  }

  #take(byte: number): void {
    this.bytes++
    if (byte === CR) return
    if (byte === LF) {
      this.#ended = this.#column === 0
      this.#column = 0
      this.#matched = 0
      return
    }
    this.#column++
    if (this.#matched === undefined) return
    // Lower case by one bit; no other byte becomes one of the name's letters by it that a field name may hold.
    if (this.#matched < RECEIVED.length)
      this.#matched = (byte | 32) === RECEIVED[this.#matched] ? this.#matched + 1 : undefined
    else if (byte === COLON) {
      this.count++
      this.#matched = undefined
    } else if (!WHITE.has(byte)) this.#matched = undefined
  }
}

function tooLarge(): Refusal {
  return new Refusal(552, '5.3.4', `the mail is larger than ${MAX_MESSAGE_BYTES} octets`)
}

function headerTooLarge(): Refusal {
  return new Refusal(552, '5.3.4', `the header is larger than ${MAX_HEADER_BYTES} octets`)
}

function bareBreak(): Refusal {
  return new Refusal(550, '5.6.11', 'lines must end in CR LF: a bare CR or LF is not taken')
}

function loop(): Refusal {
  return new Refusal(554, '5.4.6', `more than ${MAX_RECEIVED} Received lines: the mail goes in a circle`)
}
