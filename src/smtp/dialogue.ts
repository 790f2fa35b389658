/** Both directions of one connection, every read and every write under a timer. */
import { utf8 } from '../base/bytes.ts'
import { Broken } from './errors.ts'
import { ReplyReader } from './lines.ts'
import { type Clock, forget, type Pipe, TimedOut, type Timers, within } from './pipe.ts'
import type { ReplyLines } from './reply.ts'

export class Dialogue {
  readonly clock: Clock
  readonly timers: Timers
  private readonly pipe: Pipe
  private readonly reader: ReplyReader
  private readonly writer: WritableStreamDefaultWriter<Uint8Array>
  /** Writes that the server has not taken yet. */
  private pending = 0

  constructor(pipe: Pipe, clock: Clock, timers: Timers) {
    this.pipe = pipe
    this.clock = clock
    this.timers = timers
    this.reader = new ReplyReader(pipe.readable)
    this.writer = pipe.writable.getWriter()
  }

  /** Writes; throws Broken where the pipe fails or does not take the bytes within `ms`. A server that stops reading blocks us here. */
  async write(data: string | Uint8Array, ms = this.timers.block): Promise<void> {
    const bytes = typeof data === 'string' ? utf8(data) : data
    this.pending++
    const writing = this.writer.write(bytes).finally(() => this.pending--)
    await this.guarded(ms, 'writing', writing)
  }

  /** The next reply, whole within `ms`: a server that drips bytes gains no time. Throws Broken. */
  reply(ms: number, what: string): Promise<ReplyLines> {
    return this.guarded(ms, what, this.reader.read())
  }

  /** One command line (without its end) and its reply. */
  async ask(command: string, what: string, ms = this.timers.command): Promise<ReplyLines> {
    await this.write(`${command}\r\n`)
    return this.reply(ms, `the reply to ${what}`)
  }

  /** Whether the server said something, or left, without being asked. */
  get heard(): boolean {
    return this.reader.heard
  }

  listen(): void {
    this.reader.listen()
  }

  /** The same connection under TLS. Throws Broken where the server spoke past its STARTTLS reply (RFC 3207 section 4.2 and CVE-2011-0411). */
  secured(): Dialogue {
    if (this.reader.heard) throw new Broken('the server sent bytes between its STARTTLS reply and TLS')
    if (!this.pipe.startTls) throw new Broken('this pipe cannot be upgraded to TLS')
    this.reader.release()
    this.writer.releaseLock()
    return new Dialogue(this.pipe.startTls(), this.clock, this.timers)
  }

  /** Drops the connection without waiting for anything. */
  close(): void {
    forget(() => this.reader.cancel())
    // QUIRK: after an abort workerd ends the connection only with the whole event, and the server goes on counting it.
    if (this.pending > 0) forget(() => this.writer.abort())
    forget(() => this.pipe.close())
  }

  /** Says QUIT, waits a little for the answer, and closes. Never throws. */
  async quit(): Promise<void> {
    await this.write('QUIT\r\n', this.timers.quit)
      .then(() => this.reply(this.timers.quit, 'the reply to QUIT'))
      .catch(() => undefined)
    this.close()
  }

  private async guarded<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
    try {
      return await within(this.clock, ms, promise, what)
    } catch (error) {
      if (error instanceof Broken) throw error
      if (error instanceof TimedOut) throw new Broken(error.message)
      throw new Broken(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
