/** The message that is answered: what it says, and the bytes of what it carries. */
import { notFound, Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import { decodeBytes } from '../../mail/mime/decode.ts'
import { MimeIntake } from '../../mail/mime/indexer.ts'
import { allParts, isAttachment, type Part } from '../../mail/mime/parts.ts'
import { type Readable, type ReadMessage, readMessage } from '../../mail/mime/read.ts'
import { cutSkeleton, type Range, skeletonRanges } from '../../mail/mime/skeleton.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { getRaw } from '../../store/objects.ts'

export type Original = {
  stored: StoredMessage
  read: ReadMessage
  root: Part
  /** The leaves that are no text of the message, in its order. */
  attachments: Part[]
  /** All its bytes, where they were read at once. */
  whole?: Uint8Array
}

/** Up to here one get of everything is quicker than several of parts. */
const SMALL = 1024 * 1024

/** Words that lie in more places than this are read by reading all of it: one get instead of many. */
const MANY_RANGES = 8

/** Reads a message of the account: its header and its words, not what is attached. @throws Problem not_found. */
export async function readOriginal(ctx: Caller, id: string): Promise<Original> {
  const stored = await findMessage(ctx.stores, ctx.account, id)
  if (!stored) throw notFound('Message')
  const whole = stored.size <= SMALL ? await bytesOf(ctx, stored) : undefined
  const readable = whole ? indexed(whole) : await open(ctx, stored)
  const attachments = allParts(readable.root).filter(isAttachment)
  return { stored, read: readMessage(readable), root: readable.root, attachments, ...(whole ? { whole } : {}) }
}

/**
 * The octets of these attachments, decoded, in their order: one ranged get.
 * @throws Problem payload_too_large, before anything is read, where they would not fit a message.
 */
export async function readParts(
  ctx: Caller,
  { stored, whole }: Original,
  parts: readonly Part[],
): Promise<Uint8Array[]> {
  if (parts.length === 0) return []
  refuseTooLarge(
    ctx,
    parts.reduce((sum, part) => sum + encodedSize(part.size), 0),
  )
  const range = {
    start: Math.min(...parts.map(({ body }) => body)),
    end: Math.max(...parts.map(({ body, length }) => body + length)),
  }
  const raw = whole ? whole.subarray(range.start, range.end) : await bytesOf(ctx, stored, range)
  return parts.map((part) => {
    const from = part.body - range.start
    return decodeBytes(encodingOf(part), raw.subarray(from, from + part.length))
  })
}

/** The whole message byte for byte. @throws Problem payload_too_large. */
export async function readWhole(ctx: Caller, { stored, whole }: Original): Promise<Uint8Array> {
  refuseTooLarge(ctx, stored.size)
  return whole ?? bytesOf(ctx, stored)
}

async function open(ctx: Caller, stored: StoredMessage): Promise<Readable> {
  const root = stored.parts
  const ranges = root ? skeletonRanges(root) : []
  if (!root || ranges.length > MANY_RANGES) {
    const intake = new MimeIntake()
    for await (const chunk of await streamOf(ctx, stored)) intake.write(chunk)
    return intake.end()
  }
  const pieces = await Promise.all(ranges.map((range) => bytesOf(ctx, stored, range)))
  return { root, skeleton: cutSkeleton(root, pieces), problems: stored.problems }
}

function indexed(bytes: Uint8Array): Readable {
  const intake = new MimeIntake()
  intake.write(bytes)
  return intake.end()
}

async function bytesOf(ctx: Caller, stored: StoredMessage, range?: Range): Promise<Uint8Array<ArrayBuffer>> {
  // R2 refuses a range of nothing.
  if (range && range.end <= range.start) return new Uint8Array(0)
  return new Uint8Array(await new Response(await streamOf(ctx, stored, range)).arrayBuffer())
}

async function streamOf(ctx: Caller, stored: StoredMessage, range?: Range): Promise<ReadableStream<Uint8Array>> {
  const object = await getRaw(ctx.stores, stored.rawKey, range)
  if (object) return object.body
  // It was deleted for good between the two reads; if it was not, the log must say so.
  ctx.log('warn', 'raw message missing', { message: stored.id })
  throw notFound('Message')
}

/** Base64 in lines of 76 characters. */
function encodedSize(size: number): number {
  return Math.ceil((Math.ceil(size / 3) * 4 * 78) / 76)
}

function refuseTooLarge(ctx: Caller, size: number): void {
  if (size <= ctx.config.MAX_MESSAGE_BYTES) return
  throw new Problem('payload_too_large', `The message is larger than ${ctx.config.MAX_MESSAGE_BYTES} bytes.`, {
    fix: 'Forward it without its attachments, by a link to them.',
  })
}

/** RFC 2045 section 6.4: a multipart has no encoding of its own, whatever it says. */
function encodingOf(part: Part): string {
  return part.parts ? '7bit' : part.encoding
}
