/** The skeleton of a message: its bytes without the bodies of attachments, so that a small buffer is enough to read it. */
import { concat } from '../../base/bytes.ts'
import type { Part } from './parts.ts'
import { allParts, isBodyText } from './parts.ts'

/** A parser that dies takes the isolate with it, and the mail would be refused for days: more than this is never parsed. */
export const MAX_PARSED_BYTES = 2 * 1024 * 1024

/** Two ranges nearer than this are read as one: the bytes between cost less than a second request. */
const SMALL_GAP = 64 * 1024

/** Octets [start, end) of the raw message. */
export type Range = { start: number; end: number }

/** Collects the skeleton while a message streams by; what comes beyond the limit is left out. */
export class SkeletonBuffer {
  cut = false
  private buffer: Uint8Array<ArrayBuffer> = new Uint8Array(16 * 1024)
  private length = 0

  /** Keeps the bytes [from, to) of the chunk. */
  keep(chunk: Uint8Array, from: number, to: number): void {
    const end = Math.min(to, from + MAX_PARSED_BYTES - this.length)
    if (end < to) this.cut = true
    if (end <= from) return
    const length = this.length + end - from
    if (length > this.buffer.length) this.grow(length)
    this.buffer.set(chunk.subarray(from, end), this.length)
    this.length = length
  }

  /** The skeleton so far: a view, not a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length)
  }

  /** Octets of memory that are held. */
  get held(): number {
    return this.buffer.length
  }

  private grow(needed: number): void {
    const larger = new Uint8Array(Math.min(MAX_PARSED_BYTES, Math.max(needed, this.buffer.length * 2)))
    larger.set(this.bytes())
    this.buffer = larger
  }
}

/** Whether a part's body is left out of the skeleton. */
export function isLeftOut(part: Part): boolean {
  return !part.parts && !isBodyText(part)
}

/** What the skeleton consists of, exactly, up to the limit. */
export function keptRanges(root: Part): Range[] {
  const kept: Range[] = []
  const size = root.body + root.length
  let room = MAX_PARSED_BYTES
  let at = 0
  const keepTo = (to: number) => {
    const end = Math.min(to, at + room)
    if (end > at) kept.push({ start: at, end })
    room -= Math.max(0, end - at)
  }
  for (const part of allParts(root)) {
    if (!isLeftOut(part) || part.length === 0) continue
    keepTo(part.body)
    at = part.body + part.length
  }
  keepTo(size)
  return kept
}

/** The ranges of the raw message to read so that `cutSkeleton` can make its skeleton; one where the message is small. */
export function skeletonRanges(root: Part): Range[] {
  const merged: Range[] = []
  for (const range of keptRanges(root)) {
    const last = merged.at(-1)
    if (last && range.start - last.end < SMALL_GAP) last.end = range.end
    else merged.push({ ...range })
  }
  return merged
}

/** Makes the skeleton out of the bytes of `skeletonRanges`, in that order: the same bytes as while the message streamed in. */
export function cutSkeleton(root: Part, pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const ranges = skeletonRanges(root)
  let at = 0
  return concat(
    keptRanges(root).map(({ start, end }) => {
      while (at + 1 < ranges.length && (ranges[at]?.end ?? 0) < end) at++
      const offset = ranges[at]?.start ?? 0
      return pieces[at]?.subarray(start - offset, end - offset) ?? new Uint8Array(0)
    }),
  )
}

/** Where a raw offset stands in the skeleton; an offset that was left out stands where its bytes would. */
export function inSkeleton(root: Part): (offset: number) => number {
  const ranges = keptRanges(root)
  let index = 0
  let before = 0
  // Offsets are asked for in ascending order, so the ranges are walked once.
  return (offset) => {
    for (;;) {
      const range = ranges[index]
      if (!range) return before
      if (offset < range.end) return before + Math.max(0, offset - range.start)
      before += range.end - range.start
      index++
    }
  }
}
