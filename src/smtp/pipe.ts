/** What the client speaks over, a byte pipe and a clock, both passed in so that it runs anywhere and tests are exact; and how long it waits. */

/** A duplex byte pipe: what a Worker's socket and a Node socket are wrapped to. */
export type Pipe = {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  /**
   * Only on a pipe opened for STARTTLS: the encrypted pipe over the same connection.
   * Called once, after the locks of the old streams were released. A failed handshake shows as a failed read or write.
   */
  startTls?(): Pipe
  /** Ends the connection at once. May hang or reject: never awaited without a timer. */
  close(): Promise<void>
}

/** Time, in ms. `setTimer` calls `fire` once after `ms` and returns what cancels it. */
export type Clock = { now(): number; setTimer(ms: number, fire: () => void): () => void }

/** Thrown by `within`. */
export class TimedOut extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`)
    this.name = 'TimedOut'
  }
}

/**
 * What the promise gives, or TimedOut after `ms`. The promise itself is not stopped, only no longer waited for:
 * close the pipe it hangs on. Use it for opening a connection too, as nothing else bounds that.
 */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(Math.max(0, ms), () => reject(new TimedOut(what, ms)))
    promise.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(error)
      },
    )
  })
}

/** Runs what may throw, reject or never end, and does not care which. */
export function forget(act: () => Promise<unknown> | undefined): void {
  try {
    act()?.catch(() => undefined)
  } catch {
    // What is being thrown away may refuse to go; there is nothing left to do about it.
  }
}

export type Timers = {
  /** From the open connection to the end of the greeting. */
  greeting: number
  /** Any one command to the end of its reply: EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, RSET. */
  command: number
  /** MAIL, every RCPT and DATA of one transaction together, so that many slow replies do not add up. */
  envelope: number
  /** Any one write, and any one piece of a body to come from the store. */
  block: number
  /** The whole body up to the final dot. */
  body: number
  /** The final dot to the end of its reply. */
  dot: number
  /** QUIT and its reply. */
  quit: number
}

/**
 * QUIRK: RFC 5321 section 4.5.3.2 asks for five minutes a command and ten for the dot, but a queue consumer
 * lives fifteen in all. Giving up on a command only defers; giving up on the dot may send twice, so it waits longest.
 */
export const DEFAULT_TIMERS: Timers = {
  greeting: 30_000,
  command: 30_000,
  envelope: 90_000,
  block: 60_000,
  body: 120_000,
  dot: 180_000,
  quit: 5_000,
}

/**
 * The longest that one transaction may take, in ms, from the moment `next` hands it over to its outcomes:
 * what is under way before it, then its own envelope, body and dot, and a last word after a break.
 */
export function longestTransaction(settings: { timers?: Partial<Timers> } = {}): number {
  const timers = { ...DEFAULT_TIMERS, ...settings.timers }
  return timers.block + timers.dot + timers.envelope + timers.body + timers.block + timers.dot + timers.quit
}

/** The most commands that opening a session may send: EHLO, HELO, STARTTLS, EHLO, and four for AUTH over two mechanisms. */
const OPENING_COMMANDS = 9

/** The longest that `openSession` may take, in ms. The opening of the connection before it is the caller's own. */
export function longestOpening(settings: { timers?: Partial<Timers> } = {}): number {
  const timers = { ...DEFAULT_TIMERS, ...settings.timers }
  return timers.greeting + OPENING_COMMANDS * (timers.command + timers.block)
}
