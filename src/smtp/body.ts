/** The transfer of one body: streamed, dot-stuffed, timed, and stopped before the dot wherever anything is wrong. */
import { concat } from '../base/bytes.ts'
import type { Dialogue } from './dialogue.ts'
import { DotStuffer, withCrlf } from './dotstuff.ts'
import type { Body, Transaction } from './envelope.ts'
import { Broken } from './errors.ts'
import { forget, within } from './pipe.ts'
import { localReply, type Reply, toReply } from './reply.ts'

/** Of a body given in one piece, so much is stuffed and written at a time: it bounds copies and lets timers see progress. */
const SLICE = 64 * 1024

/**
 * Writes the body and the final dot. Calls `beforeDot` right before the write which may carry the dot; a break before that
 * has sent no message. Throws Broken; the connection is then of no more use, because only its end ends a body without a dot.
 */
export async function sendBody(dialogue: Dialogue, transaction: Transaction, beforeDot: () => void): Promise<void> {
  const stuffer = new DotStuffer()
  const transfer = new Transfer(dialogue)
  // A server that refuses early, or leaves, is heard while the body is still being written.
  dialogue.listen()
  const source = readPieces(await transfer.fetched(openBody(transaction)))
  let held: Uint8Array = new Uint8Array()
  let octets = 0
  try {
    for (;;) {
      const piece = await transfer.fetched(source.next())
      if (!piece) break
      octets += piece.length
      if (octets > transaction.size) break
      await transfer.refuseEarlyReply()
      if (held.length > 0) await transfer.write(held)
      held = stuffer.push(piece)
    }
  } finally {
    source.cancel()
  }
  if (octets !== transaction.size) throw wrongSize(transaction)
  await transfer.refuseEarlyReply()
  beforeDot()
  await transfer.write(concat([held, stuffer.end()]), dialogue.timers.block)
}

/** The whole body with CRLF line ends, for BDAT. Throws Broken where it cannot be had, or is not of its size. */
export async function readBody(dialogue: Dialogue, transaction: Transaction): Promise<Uint8Array> {
  const transfer = new Transfer(dialogue)
  const source = readPieces(await transfer.fetched(openBody(transaction)))
  const pieces: Uint8Array[] = []
  let octets = 0
  try {
    while (octets <= transaction.size) {
      const piece = await transfer.fetched(source.next())
      if (!piece) break
      octets += piece.length
      pieces.push(piece)
    }
  } finally {
    source.cancel()
  }
  if (octets !== transaction.size) throw wrongSize(transaction)
  return withCrlf(concat(pieces))
}

/** Half a message must not arrive as a whole one. */
function wrongSize({ size }: Transaction): Broken {
  return unreadable(`it is not of the ${size} octets it should have`)
}

/** Trouble of ours, and not of the next hop: RFC 3463 has 4.3.0 for it. */
function unreadable(why: string): Broken {
  const reason = `the stored body could not be read: ${why}`
  return new Broken(reason, localReply(451, '4.3.0', reason))
}

class Transfer {
  private readonly dialogue: Dialogue
  private readonly deadline: number

  constructor(dialogue: Dialogue) {
    this.dialogue = dialogue
    this.deadline = dialogue.clock.now() + dialogue.timers.body
  }

  async fetched<T>(promise: Promise<T>): Promise<T> {
    try {
      return await within(this.dialogue.clock, this.left(), promise, 'reading')
    } catch (error) {
      throw unreadable(error instanceof Error ? error.message : 'no reason given')
    }
  }

  /** Writes, and where that fails hears what the server may have said before it stopped reading. */
  async write(bytes: Uint8Array, ms = this.left()): Promise<void> {
    try {
      await this.dialogue.write(bytes, ms)
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'writing failed'
      throw new Broken(reason, await this.lastWord().catch(() => undefined))
    }
  }

  /** An answer to a message that is not yet complete is a refusal (some servers say 421 or 552 in the middle), or nonsense. */
  async refuseEarlyReply(): Promise<void> {
    if (this.dialogue.heard)
      throw new Broken('the server answered before the message was complete', await this.lastWord())
  }

  private async lastWord(): Promise<Reply> {
    return toReply(await this.dialogue.reply(this.dialogue.timers.quit, 'an early reply'))
  }

  private left(): number {
    const { clock, timers } = this.dialogue
    return Math.min(timers.block, this.deadline - clock.now())
  }
}

async function openBody(transaction: Transaction): Promise<Body> {
  return transaction.body()
}

type Pieces = { next(): Promise<Uint8Array | undefined>; cancel(): void }

function readPieces(body: Body): Pieces {
  if (body instanceof Uint8Array) {
    let at = 0
    return {
      next: async () => {
        const piece = body.subarray(at, at + SLICE)
        at += SLICE
        return piece.length > 0 ? piece : undefined
      },
      cancel: () => undefined,
    }
  }
  const reader = body.getReader()
  return {
    next: async () => (await reader.read()).value,
    cancel: () => forget(() => reader.cancel()),
  }
}
