/** Transfer encodings (RFC 2045 section 6), decoded as a stream; broken input gives what can be read of it. */
import { concat } from '../../base/bytes.ts'

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const EQUALS = 0x3d

/** White space at the end of a line is dropped, so a run of it waits for what follows; a longer run counts as text. */
const MAX_BLANK_RUN = 1024

/** Takes encoded bytes in any pieces; `write` gives what is certain by then, `end` the rest. */
export type Decoder = { write(chunk: Uint8Array): Uint8Array; end(): Uint8Array }

/** Which decoder an encoding's name asks for. QUIRK: `base64;` or `x-base64` mean base64, as everyone reads them. */
export function encodingKind(encoding: string): 'base64' | 'quoted-printable' | 'identity' {
  const name = encoding.toLowerCase()
  if (name.includes('base64')) return 'base64'
  return name.includes('quoted-printable') ? 'quoted-printable' : 'identity'
}

export function makeDecoder(encoding: string): Decoder {
  const kind = encodingKind(encoding)
  if (kind === 'base64') return new Base64Decoder()
  return kind === 'quoted-printable' ? new QuotedPrintableDecoder() : { write: (chunk) => chunk, end: () => EMPTY }
}

/** Asked for in large pieces: a storage hands out small ones, and each costs a turn of the loop. */
const PIECE = 64 * 1024

/** Decodes a part's body as it streams: the bytes [body, body + length) of the raw message become `size` bytes. */
export function decodeStream(encoded: ReadableStream<Uint8Array>, encoding: string): ReadableStream<Uint8Array> {
  const decoder = makeDecoder(encoding)
  const reader = encoded.getReader({ mode: 'byob' })
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(PIECE))
        const bytes = done ? decoder.end() : decoder.write(value)
        if (bytes.length > 0) controller.enqueue(bytes)
        if (done) controller.close()
        if (done || bytes.length > 0) return
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

export function decodeBytes(encoding: string, bytes: Uint8Array): Uint8Array {
  const decoder = makeDecoder(encoding)
  return concat([decoder.write(bytes), decoder.end()])
}

const EMPTY = new Uint8Array(0)

const PAD = 64
const JUNK = 65
const SIX_BITS = new Uint8Array(256).fill(JUNK)
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
for (let at = 0; at < 64; at++) SIX_BITS[ALPHABET.charCodeAt(at)] = at
SIX_BITS[EQUALS] = PAD

/**
 * Base64 (RFC 2045 section 6.8): characters outside the alphabet are skipped, missing padding is forgiven.
 * QUIRK: padding ends a unit, not the data, because some mailers encode line by line; one lone character is dropped.
 */
class Base64Decoder implements Decoder {
  private held = 0
  private count = 0

  write(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array(Math.ceil(((chunk.length + this.count) * 3) / 4) + 3)
    let { held, count } = this
    let to = 0
    for (let at = 0; at < chunk.length; at++) {
      if (count === 0) {
        // Nearly all of it is whole units: four at once is several times as fast.
        for (const last = chunk.length - 4; at <= last; at += 4) {
          const unit = unitAt(chunk, at)
          if (unit < 0) break
          out[to++] = unit >>> 16
          out[to++] = unit >>> 8
          out[to++] = unit
        }
        if (at >= chunk.length) break
      }
      const bits = SIX_BITS[chunk[at] ?? 0] ?? JUNK
      if (bits < PAD) {
        held = (held << 6) | bits
        if (++count === 4) {
          out[to++] = held >>> 16
          out[to++] = held >>> 8
          out[to++] = held
          held = 0
          count = 0
        }
      } else if (bits === PAD && count > 0) {
        if (count > 1) out[to++] = held >>> (count === 2 ? 4 : 10)
        if (count > 2) out[to++] = held >>> 2
        held = 0
        count = 0
      }
    }
    this.held = held
    this.count = count
    return out.subarray(0, to)
  }

  end(): Uint8Array {
    return this.write(PADDING)
  }
}

const PADDING = Uint8Array.of(EQUALS)

/** The 24 bits that four digits stand for; negative where one of the four is none. */
function unitAt(chunk: Uint8Array, at: number): number {
  const first = SIX_BITS[chunk[at] ?? 0] ?? JUNK
  const second = SIX_BITS[chunk[at + 1] ?? 0] ?? JUNK
  const third = SIX_BITS[chunk[at + 2] ?? 0] ?? JUNK
  const fourth = SIX_BITS[chunk[at + 3] ?? 0] ?? JUNK
  if ((first | second | third | fourth) >= PAD) return -1
  return (first << 18) | (second << 12) | (third << 6) | fourth
}

/** Counts what Base64Decoder would give, without giving it. */
export class Base64Counter {
  private whole = 0
  private count = 0

  /** Counts the bytes [from, to) of the chunk. */
  add(chunk: Uint8Array, from: number, to: number): void {
    let digits = this.count
    for (let at = from; at < to; at++) {
      const bits = SIX_BITS[chunk[at] ?? 0] ?? JUNK
      if (bits < PAD) digits++
      else if (bits === PAD) {
        this.whole += decodedLength(digits)
        digits = 0
      }
    }
    this.whole += (digits >>> 2) * 3
    this.count = digits & 3
  }

  /** Decoded octets so far, taking what came as all there is. */
  total(): number {
    return this.whole + decodedLength(this.count)
  }
}

function decodedLength(digits: number): number {
  return (digits >>> 2) * 3 + Math.max(0, (digits & 3) - 1)
}

/**
 * Quoted-printable (RFC 2045 section 6.7). White space before a line break or the end is dropped (rule 3), also behind
 * a soft break's `=`; an escape that is none stays as it is; line breaks stay as they were sent.
 */
export class QuotedPrintableDecoder implements Decoder {
  /** Octets of the line break that ended the output so far; 0 where something else ended it. */
  endBreak = 0
  private carry: Uint8Array = EMPTY
  private afterReturn = false

  write(chunk: Uint8Array): Uint8Array {
    return this.decode(this.carry.length > 0 ? concat([this.carry, chunk]) : chunk, false)
  }

  end(): Uint8Array {
    return this.decode(this.carry, true)
  }

  private decode(input: Uint8Array, final: boolean): Uint8Array {
    const out = new Uint8Array(input.length)
    const length = input.length
    let at = 0
    let to = 0
    let rest = length
    while (at < length) {
      const byte = input[at] ?? 0
      if (byte === LF) {
        this.endBreak = this.afterReturn ? 2 : 1
        this.afterReturn = false
        out[to++] = byte
        at++
        continue
      }
      if (byte !== EQUALS && byte !== SPACE && byte !== TAB) {
        this.literal(byte)
        out[to++] = byte
        at++
        continue
      }
      const octet = byte === EQUALS ? hexPair(input[at + 1], input[at + 2]) : -1
      if (octet >= 0) {
        this.literal(0)
        out[to++] = octet
        at += 3
        continue
      }
      const start = byte === EQUALS ? at + 1 : at
      let stop = start
      while (stop < length && stop - start < MAX_BLANK_RUN && isBlank(input[stop])) stop++
      const long = stop - start >= MAX_BLANK_RUN
      const breaks = long ? 0 : breakAt(input, stop)
      if (!final && !long && undecided(input, at, stop)) {
        rest = at
        break
      }
      if (byte === EQUALS) {
        const soft = breaks > 0 || (final && stop === length)
        if (!soft) out[to++] = byte
        this.literal(0)
        at = soft ? stop + breaks : at + 1
      } else {
        const dropped = breaks > 0 || (final && stop === length && !long)
        for (let blank = at; blank < stop && !dropped; blank++) out[to++] = input[blank] ?? 0
        this.literal(0)
        at = stop
      }
    }
    this.carry = input.slice(rest)
    return out.subarray(0, to)
  }

  private literal(byte: number): void {
    this.afterReturn = byte === CR
    this.endBreak = 0
  }
}

/** Whether what stands at `at` can only be told by bytes that have not come yet; its blanks end at `stop`. */
function undecided(input: Uint8Array, at: number, stop: number): boolean {
  if (stop === input.length) return true
  if (input[stop] === CR) return stop + 1 === input.length
  return stop === at + 1 && stop + 1 === input.length && input[at] === EQUALS && nibble(input[stop]) >= 0
}

function breakAt(input: Uint8Array, at: number): number {
  if (input[at] === LF) return 1
  return input[at] === CR && input[at + 1] === LF ? 2 : 0
}

function hexPair(high: number | undefined, low: number | undefined): number {
  const first = nibble(high)
  const second = nibble(low)
  return first < 0 || second < 0 ? -1 : (first << 4) | second
}

function nibble(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}
