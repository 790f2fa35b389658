/** The bytes of a message on their way out: one read of the object, whole where it is small, streamed where it is not. */
import { concat } from '../base/bytes.ts'
import type { Context } from '../context.ts'
import type { Body } from '../smtp/envelope.ts'
import { forget } from '../smtp/pipe.ts'
import type { Held } from '../store/mail/deliveries.ts'
import { getRaw } from '../store/objects.ts'

/** Up to here it is read once and kept for all recipients of the message; several connections hold one each, and the next. */
export const MAX_KEPT_BYTES = 1024 * 1024

/** Header fields that go on for longer are not looked through for UTF-8. */
const MAX_HEADER_BYTES = 256 * 1024

/** What SMTP needs to know of the bytes before it is given them. */
export type Content = {
  size: number
  /** Whether an octet over 127 is in it. */
  eightBit: boolean
  /** Whether one is in the header. */
  utf8: boolean
  body(): Body
  /** Lets go of what was not read. */
  discard(): void
}

/** Thrown where the object is gone, which no retry brings back. */
export class Gone extends Error {}

/** Reads a message that is small enough to keep. Throws Gone. */
export async function loadWhole(ctx: Context, held: Held): Promise<Content> {
  const bytes = new Uint8Array(await (await open(ctx, held)).arrayBuffer())
  const header = bytes.subarray(0, headerEnd(bytes))
  return { size: bytes.length, eightBit: isEightBit(bytes), utf8: isEightBit(header), body: () => bytes, discard() {} }
}

/**
 * Opens a large message: its header is looked at, the rest is only passed on. Whether it is to be called 8-bit has to be
 * said by the caller, who may always say so to a server that takes 8-bit content. Throws Gone.
 */
export async function loadStream(ctx: Context, held: Held, eightBit: boolean): Promise<Content> {
  const object = await open(ctx, held)
  const reader: ReadableStreamDefaultReader<Uint8Array> = object.body.getReader()
  const cancel = () => forget(() => reader.cancel())
  let head = new Uint8Array()
  while (head.length < MAX_HEADER_BYTES && headerEnd(head) === head.length) {
    const { value } = await reader.read()
    if (!value) break
    head = concat([head, value])
  }
  const utf8 = isEightBit(head.subarray(0, headerEnd(head)))
  const body = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(head),
      pull: async (controller) => {
        const { value } = await reader.read()
        if (value) controller.enqueue(value)
        else controller.close()
      },
      cancel,
    })
  return { size: object.size, eightBit, utf8, body, discard: cancel }
}

/** Looks through a large message without keeping it. Throws Gone. */
export async function hasEightBit(ctx: Context, held: Held): Promise<boolean> {
  const reader: ReadableStreamDefaultReader<Uint8Array> = (await open(ctx, held)).body.getReader()
  for (;;) {
    const { value } = await reader.read()
    if (!value) return false
    if (!isEightBit(value)) continue
    forget(() => reader.cancel())
    return true
  }
}

async function open(ctx: Context, held: Held): Promise<R2ObjectBody> {
  const object = await getRaw(ctx.stores, held.rawKey)
  if (!object) throw new Gone('the stored message is gone')
  return object
}

function isEightBit(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte > 127)
}

/** Where the empty line after the header stands; the end where there is none. */
function headerEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(10); at >= 0 && at + 2 < bytes.length; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at
  }
  return bytes.length
}
