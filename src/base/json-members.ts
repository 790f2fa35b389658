/**
 * Members of one large JSON object, taken as it streams by: what nobody asked for is passed over and never held, and a
 * long text becomes bytes without having been a string. It is no judge of JSON: only of where the object ends.
 */
import { concat, utf8 } from './bytes.ts'
import { parseJson } from './json.ts'
import { Problem } from './problem.ts'

/** A name of ours is short; a longer one is not wanted. */
const MAX_NAME = 100

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Takes the object in chunks of any size. `wanted`: names, and how many octets their values may have as they are written. */
export class JsonMembers {
  private readonly wanted: ReadonlyMap<string, number>
  private readonly found = new Map<string, Uint8Array[]>()
  private depth = 0
  private ended = false
  private broken = false
  private inString = false
  private escaped = false
  /** The name that is being read, or was read last; undefined while a value is. */
  private name: string | undefined
  private taking: { pieces: Uint8Array[]; left: number } | undefined

  constructor(wanted: ReadonlyMap<string, number>) {
    this.wanted = wanted
  }

  /** @throws Problem payload_too_large where a wanted value is longer than it may be. */
  write(chunk: Uint8Array): void {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (this.inString) {
        this.readString(byte)
        continue
      }
      if (byte === QUOTE) {
        this.inString = true
        if (this.depth === 1 && this.name !== undefined) this.name = ''
      } else if (byte === 0x7b || byte === 0x5b) {
        if (this.depth === 0 && (byte !== 0x7b || this.ended)) this.broken = true
        if (++this.depth === 1) this.name = ''
      } else if (byte === 0x7d || byte === 0x5d) {
        if (this.depth === 1) {
          this.endValue(chunk, from, at)
          this.ended = true
        }
        if (--this.depth < 0) this.broken = true
      } else if (this.depth === 1 && byte === 0x3a && this.name !== undefined) {
        this.beginValue(this.name)
        from = at + 1
      } else if (this.depth === 1 && byte === 0x2c) {
        this.endValue(chunk, from, at)
        this.name = ''
      } else if (this.depth === 0 && byte > 0x20) this.broken = true
    }
    this.take(chunk, from, chunk.length)
  }

  /** The values as they are written, in pieces; undefined where it is no object, or its end is missing. */
  end(): ReadonlyMap<string, Uint8Array[]> | undefined {
    return this.ended && this.depth === 0 && !this.broken ? this.found : undefined
  }

  private readString(byte: number): void {
    if (this.escaped) this.escaped = false
    else if (byte === BACKSLASH) this.escaped = true
    else if (byte === QUOTE) {
      this.inString = false
      return
    }
    if (this.depth === 1 && this.name !== undefined && this.name.length <= MAX_NAME) {
      this.name += String.fromCharCode(byte)
    }
  }

  private beginValue(name: string): void {
    this.name = undefined
    const most = this.wanted.get(name)
    // Of a repeated member the first counts.
    if (most === undefined || this.found.has(name)) return
    const pieces: Uint8Array[] = []
    this.found.set(name, pieces)
    this.taking = { pieces, left: most }
  }

  private endValue(chunk: Uint8Array, from: number, to: number): void {
    this.take(chunk, from, to)
    this.taking = undefined
  }

  private take(chunk: Uint8Array, from: number, to: number): void {
    if (!this.taking || to <= from) return
    this.taking.left -= to - from
    if (this.taking.left < 0) throw new Problem('payload_too_large', 'A field of the body is larger than it may be.')
    this.taking.pieces.push(chunk.slice(from, to))
  }
}

/** A value that is small, parsed; undefined where it is none. */
export function parsePieces(pieces: readonly Uint8Array[] = []): unknown {
  return parseJson(concat(pieces))
}

/**
 * The bytes of a JSON string, in UTF-8, out of the pieces it is written in, which are let go one by one. Undefined where
 * it is no string. A lone surrogate becomes U+FFFD, as TextEncoder has it.
 */
export function unescapePieces(pieces: Uint8Array[] = []): Uint8Array[] | undefined {
  const text = new Unescaper()
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at]
    if (piece) pieces[at] = text.write(piece)
  }
  return text.whole ? pieces : undefined
}

const PLAIN: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, f: 12, r: 13, '"': 34, '/': 47, '\\': 92 }

/** The longest that an escape leaves: U+FFFD for the half before it, and itself. */
const LONGEST = 6

class Unescaper {
  private state: 'before' | 'in' | 'after' | 'broken' = 'before'
  /** What was read of an escape so far, its backslash aside. */
  private escape: string | undefined
  private high = 0

  get whole(): boolean {
    return this.state === 'after'
  }

  write(piece: Uint8Array): Uint8Array {
    // Each octet leaves one at most, but for what is left of the piece before.
    const out = new Uint8Array(piece.length + LONGEST)
    let to = 0
    const put = (bytes: Uint8Array) => {
      out.set(bytes, to)
      to += bytes.length
    }
    for (const byte of piece) {
      if (this.state !== 'in') this.outside(byte)
      else if (this.escape !== undefined) put(this.inEscape(byte))
      else if (byte === BACKSLASH) this.escape = ''
      else {
        if (this.high) put(this.lone())
        if (byte === QUOTE) this.state = 'after'
        else out[to++] = byte
      }
    }
    return out.subarray(0, to)
  }

  private outside(byte: number): void {
    if (this.state === 'before' && byte === QUOTE) this.state = 'in'
    else if (byte > 0x20) this.state = 'broken'
  }

  private inEscape(byte: number): Uint8Array {
    const read = `${this.escape}${String.fromCharCode(byte)}`
    if (!read.startsWith('u')) {
      this.escape = undefined
      const plain = Object.hasOwn(PLAIN, read) ? PLAIN[read] : undefined
      if (plain === undefined) this.state = 'broken'
      return Uint8Array.of(...this.lone(), plain ?? 0)
    }
    this.escape = read
    if (read.length < 5) return NONE
    this.escape = undefined
    if (!/^u[0-9a-f]{4}$/i.test(read)) {
      this.state = 'broken'
      return NONE
    }
    return this.unit(Number.parseInt(read.slice(1), 16))
  }

  /** A code unit; the first half of a pair waits for the second. */
  private unit(unit: number): Uint8Array {
    const { high } = this
    if (high && unit >= 0xdc00 && unit <= 0xdfff) {
      this.high = 0
      return utf8(String.fromCharCode(high, unit))
    }
    const before = this.lone()
    if (unit >= 0xd800 && unit <= 0xdbff) {
      this.high = unit
      return before
    }
    return Uint8Array.of(...before, ...utf8(String.fromCharCode(unit)))
  }

  /** What stands for half of a pair whose other half did not come. */
  private lone(): Uint8Array {
    if (!this.high) return NONE
    this.high = 0
    return utf8('\ufffd')
  }
}

const NONE = new Uint8Array(0)
