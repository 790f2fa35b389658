/** Counts what a part's body will be once decoded, while it streams by and without keeping it. */
import { Base64Counter, encodingKind, QuotedPrintableDecoder } from './decode.ts'

/** Takes the encoded bytes [from, to) of chunks; `delimited` says that the last line break belongs to a delimiter behind it. */
export type Counter = {
  add(chunk: Uint8Array, from: number, to: number): void
  size(length: number, delimited: boolean): number
}

/** The counter for a transfer encoding: exactly as long as what `decodeStream` gives. */
export function makeCounter(encoding: string): Counter {
  const kind = encodingKind(encoding)
  if (kind === 'base64') {
    const counter = new Base64Counter()
    return { add: (chunk, from, to) => counter.add(chunk, from, to), size: () => counter.total() }
  }
  if (kind === 'identity') return { add: () => {}, size: (length) => length }
  const decoder = new QuotedPrintableDecoder()
  let octets = 0
  return {
    add: (chunk, from, to) => {
      octets += decoder.write(chunk.subarray(from, to)).length
    },
    size: (_, delimited) => {
      octets += decoder.end().length
      return octets - (delimited ? decoder.endBreak : 0)
    },
  }
}
