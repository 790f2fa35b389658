/** Incoming bytes, cut into replies: bounded, and never more than one read outstanding. */
import { Broken } from './errors.ts'
import { ReplyGatherer, type ReplyLines } from './reply.ts'

/** RFC 5321 section 4.5.3.1.5 allows 512 octets a reply line; real servers put links and long reasons in. */
const MAX_LINE_BYTES = 2048

const CR = 13
const LF = 10

/** Reads replies from a byte stream. Its timers are the caller's. */
export class ReplyReader {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>
  private chunk: Uint8Array = new Uint8Array()
  private at = 0
  private filling: Promise<void> | undefined
  private end: Broken | undefined
  private readonly line = new Uint8Array(MAX_LINE_BYTES)
  private length = 0

  constructor(readable: ReadableStream<Uint8Array>) {
    this.reader = readable.getReader()
  }

  /** The next reply. Throws Broken where the stream ends or fails first, or what comes is no reply. */
  async read(): Promise<ReplyLines> {
    const gatherer = new ReplyGatherer()
    for (;;) {
      const line = this.takeLine()
      const reply = line && gatherer.take(line)
      if (reply) return reply
      if (line) continue
      if (this.end) throw this.end
      await this.fill()
    }
  }

  /** Whether anything was heard that nobody has read: bytes, or the end. */
  get heard(): boolean {
    return this.at < this.chunk.length || this.length > 0 || this.end !== undefined
  }

  /** Begins to listen although nothing is asked, so that a server that speaks or leaves early is noticed. */
  listen(): void {
    // What is filled in the background is awaited by whoever reads next; it never rejects.
    if (!this.heard) void this.fill()
  }

  /** Frees the stream for another reader. No read may be outstanding. */
  release(): void {
    this.reader.releaseLock()
  }

  cancel(): Promise<void> {
    return this.reader.cancel()
  }

  /** One line without its end, or undefined where more bytes are needed. Valid until the next call. */
  private takeLine(): Uint8Array | undefined {
    while (this.at < this.chunk.length) {
      const byte = this.chunk[this.at++] ?? 0
      if (byte === LF) {
        const end = this.line[this.length - 1] === CR ? this.length - 1 : this.length
        this.length = 0
        return this.line.subarray(0, Math.max(0, end))
      }
      if (this.length === MAX_LINE_BYTES) throw new Broken('a reply line never ends')
      this.line[this.length++] = byte
    }
    return undefined
  }

  /** Waits for more bytes or the end; never rejects. One read at a time, shared by all who wait. */
  private fill(): Promise<void> {
    this.filling ??= this.reader
      .read()
      .then(
        ({ done, value }) => {
          // A reader that ignores `done` would spin here for ever.
          if (done) this.end = new Broken('the server closed the connection')
          this.chunk = value ?? new Uint8Array()
          this.at = 0
        },
        (error: unknown) => {
          this.end = new Broken(`reading failed: ${error instanceof Error ? error.message : String(error)}`)
        },
      )
      .finally(() => {
        this.filling = undefined
      })
    return this.filling
  }
}
