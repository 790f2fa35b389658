/** Finds the lines that part a multipart (RFC 2046 section 5.1.1). */

const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d

/** Which of the open multiparts a delimiter belongs to, and whether it is the one that ends it. */
export type Delimiter = { index: number; final: boolean }

type Bounded = { boundary: Uint8Array }

/** Whether what has come of the line at `at`, known to begin with a dash, could be the start of a delimiter. */
export function mayDelimit(open: readonly Bounded[], chunk: Uint8Array, at: number): boolean {
  return open.some(({ boundary }) => sameStart(chunk, at + 2, boundary))
}

/** Reads the line [from, to) without its break as a delimiter; the innermost multipart that it fits has it. */
export function readDelimiter(
  open: readonly Bounded[],
  line: Uint8Array,
  from: number,
  to: number,
): Delimiter | undefined {
  if (line[from] !== DASH || line[from + 1] !== DASH) return undefined
  for (let index = open.length - 1; index >= 0; index--) {
    const boundary = open[index]?.boundary
    if (!boundary || to - from - 2 < boundary.length || !sameStart(line, from + 2, boundary)) continue
    const rest = from + 2 + boundary.length
    const final = rest + 1 < to && line[rest] === DASH && line[rest + 1] === DASH
    if (isBlank(line, final ? rest + 2 : rest, to)) return { index, final }
  }
  return undefined
}

function sameStart(bytes: Uint8Array, at: number, start: Uint8Array): boolean {
  const length = Math.min(start.length, bytes.length - at)
  for (let index = 0; index < length; index++) if (bytes[at + index] !== start[index]) return false
  return true
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false
  return true
}

/** The end of the line [from, to) without the carriage returns before its line feed. */
export function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to
  while (end > from && bytes[end - 1] === CR) end--
  return end
}

/** Whether the line at `at` opens with two dashes, or with one where nothing more has come. */
export function mayOpenDelimiter(chunk: Uint8Array, at: number): boolean {
  return chunk[at] === DASH && (at + 1 === chunk.length || chunk[at + 1] === DASH)
}

/** Where the next line begins that opens with two dashes, or with one at the very end; -1 where none does. */
export function findDashes(chunk: Uint8Array, from: number): number {
  // Looks at the third byte of `LF - -` and skips all places that it rules out, so two bytes of three are never read.
  for (let at = from + 2; at < chunk.length; ) {
    const byte = chunk[at]
    if (byte === LF) at += 2
    else if (byte !== DASH) at += 3
    else if (chunk[at - 1] === LF) at += 1
    else if (chunk[at - 1] === DASH && chunk[at - 2] === LF) return at - 1
    else at += 3
  }
  const end = chunk.length - 1
  return end - 1 >= from && chunk[end] === DASH && chunk[end - 1] === LF ? end : -1
}
