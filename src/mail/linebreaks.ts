/** Line ends of mail: CRLF only (RFC 5321 section 2.3.8), lest a bare CR or LF end a message for one host and not for the next. */

const CR = 13
const LF = 10

/** Makes every bare CR and bare LF a CRLF; gives back the same array where there is none. */
export function normaliseLineBreaks(bytes: Uint8Array): Uint8Array {
  const first = firstBareBreak(bytes)
  if (first < 0) return bytes
  const out = new Uint8Array(bytes.length + countBareBreaks(bytes, first))
  out.set(bytes.subarray(0, first))
  let to = first
  for (let at = first; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte !== CR && byte !== LF) {
      out[to++] = byte
      continue
    }
    out[to++] = CR
    out[to++] = LF
    if (byte === CR && bytes[at + 1] === LF) at++
  }
  return out
}

/** Whether a CR stands without its LF, or an LF without its CR. */
export function hasBareBreaks(bytes: Uint8Array): boolean {
  return firstBareBreak(bytes) >= 0
}

/** By indexOf, which the engines run many times faster than a loop over bytes. */
function firstBareBreak(bytes: Uint8Array): number {
  const lf = bareIndex(bytes, LF, (at) => bytes[at - 1] === CR)
  const cr = bareIndex(bytes, CR, (at) => bytes[at + 1] === LF)
  return lf < 0 || cr < 0 ? Math.max(lf, cr) : Math.min(lf, cr)
}

function bareIndex(bytes: Uint8Array, byte: number, paired: (at: number) => boolean): number {
  let at = bytes.indexOf(byte)
  while (at >= 0 && paired(at)) at = bytes.indexOf(byte, at + 1)
  return at
}

function countBareBreaks(bytes: Uint8Array, from: number): number {
  let count = 0
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === LF && bytes[at - 1] !== CR) count++
    if (bytes[at] === CR && bytes[at + 1] !== LF) count++
  }
  return count
}
