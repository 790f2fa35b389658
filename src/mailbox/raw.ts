/** The raw bytes of a stored message: whole where it is small, else only the octets that are wanted. */
import { notFound } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { MimeIntake } from '../mail/mime/indexer.ts'
import { allParts, isBodyText, type Part } from '../mail/mime/parts.ts'
import type { Readable } from '../mail/mime/read.ts'
import { cutSkeleton, type Range, skeletonRanges } from '../mail/mime/skeleton.ts'
import type { StoredMessage } from '../store/mail/rows.ts'
import { getRaw } from '../store/objects.ts'

/** Up to here one get of everything is quicker than several of parts. */
const SMALL = 1024 * 1024

/** Ranges nearer than this are read as one: the bytes between cost less than a second request. */
const SMALL_GAP = 64 * 1024

/** Reads octets of a message; the answers are in the order of the ranges. */
export type ReadRanges = (ranges: readonly Range[]) => Promise<Uint8Array[]>

/** A message ready for `readMessage`, and what else of its bytes may be wanted. */
export type OpenedMessage = { readable: Readable; read: ReadRanges }

/** Opens a message with one get where it is small; of a large one, only its header and its text are read. @throws Problem not_found. */
export async function openMessage(ctx: Context, message: StoredMessage): Promise<OpenedMessage> {
  const root = message.parts
  if (!root) return { readable: await indexAgain(ctx, message), read: (ranges) => readRanges(ctx, message, ranges) }
  const read = await reader(ctx, message)
  const skeleton = cutSkeleton(root, await readWanted(root, read))
  return { readable: { root, skeleton, problems: message.problems }, read }
}

/** The part tree: out of the row, or where it was too large for one, read from the bytes as they stream by. */
export async function treeOf(ctx: Context, message: StoredMessage): Promise<Part> {
  return message.parts ?? (await indexAgain(ctx, message)).root
}

/** The raw message, or a range of it, as a stream. @throws Problem not_found. */
export async function streamRaw(
  ctx: Context,
  message: StoredMessage,
  range?: Range,
): Promise<ReadableStream<Uint8Array>> {
  // R2 refuses a range of nothing.
  if (range && range.end <= range.start) return new Blob([]).stream()
  const object = await getRaw(ctx.stores, message.rawKey, range)
  if (object) return object.body
  // It was deleted for good between the two reads; if it was not, the log must say so.
  ctx.log('warn', 'raw message missing', { message: message.id })
  throw notFound('Message')
}

async function reader(ctx: Context, message: StoredMessage): Promise<ReadRanges> {
  if (message.size > SMALL) return (ranges) => readRanges(ctx, message, ranges)
  const whole = await bytesOf(await streamRaw(ctx, message))
  return async (ranges) => ranges.map(({ start, end }) => whole.subarray(start, end))
}

/** Of the skeleton only the message's header and its texts: the headers of other parts are in the tree already, so nulls stand for them. */
async function readWanted(root: Part, read: ReadRanges): Promise<Uint8Array[]> {
  const wanted = allParts(root)
    .filter(isBodyText)
    .map((part) => ({ start: part.body, end: part.body + part.length }))
    .concat({ start: 0, end: root.body })
  const ranges = skeletonRanges(root)
  const isWanted = (range: Range) => wanted.some(({ start, end }) => start < range.end && end > range.start)
  const needed = ranges.filter(isWanted)
  const pieces = await read(needed)
  return ranges.map((range) => pieces[needed.indexOf(range)] ?? new Uint8Array(range.end - range.start))
}

async function readRanges(ctx: Context, message: StoredMessage, ranges: readonly Range[]): Promise<Uint8Array[]> {
  const spans: Range[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = spans.at(-1)
    if (last && range.start - last.end < SMALL_GAP) last.end = Math.max(last.end, range.end)
    else spans.push({ ...range })
  }
  const read = await Promise.all(spans.map(async (span) => bytesOf(await streamRaw(ctx, message, span))))
  return ranges.map(({ start, end }) => {
    const at = spans.findIndex((span) => span.start <= start && end <= span.end)
    const offset = spans[at]?.start ?? 0
    return read[at]?.subarray(start - offset, end - offset) ?? new Uint8Array(0)
  })
}

async function indexAgain(ctx: Context, message: StoredMessage) {
  const intake = new MimeIntake()
  for await (const chunk of await streamRaw(ctx, message)) intake.write(chunk)
  return intake.end()
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
