/** A mail server in memory, behind `ctx.net.connect`: speaks SMTP with PIPELINING, keeps what it took, and misbehaves as told. */
import { latin1, utf8 } from '../../src/base/bytes.ts'
import type { Net, Socket } from '../../src/context.ts'

export type Taken = { from: string; to: string[]; data: string }

/** Each answers a reply line; 'drop' ends the connection, 'silence' says nothing any more. Left out, all is taken. */
export type Manners = {
  greeting?(connection: number): string
  ehlo?: string[]
  auth?(line: string): string
  mail?(from: string): string
  rcpt?(address: string): string
  /** Before each line is obeyed, and after each message was taken. */
  step?(): void
  quit?(): void
  /** When the message is whole. */
  dot?(mail: Taken): string | Promise<string>
}

export class Remote {
  readonly taken: Taken[] = []
  /** What was asked for, in order: `host:port`. */
  readonly asked: string[] = []
  connections = 0
  mostOpen = 0
  private readonly standing = new Set<{ end(): void }>()
  manners: Manners

  constructor(manners: Manners = {}) {
    this.manners = manners
  }

  readonly connect: Net['connect'] = async ({ host, port }) => {
    this.asked.push(`${host}:${port}`)
    const connection = new Connection(this, ++this.connections)
    this.standing.add(connection)
    this.mostOpen = Math.max(this.mostOpen, this.standing.size)
    return connection.socket
  }

  /** Ends every connection, as when the other side dies. */
  cut(): void {
    for (const connection of this.standing) connection.end()
  }

  left(connection: { end(): void }): void {
    this.standing.delete(connection)
  }

  /** How often each address was sent to. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const address of this.taken.flatMap(({ to }) => to)) counts[address] = (counts[address] ?? 0) + 1
    return counts
  }
}

class Connection {
  readonly socket: Socket
  private readonly remote: Remote
  private feed: ReadableStreamDefaultController<Uint8Array> | undefined
  private said = ''
  private mail: Taken | undefined
  private inData = false
  private ended = false
  private silent = false
  private work: Promise<void> = Promise.resolve()

  constructor(remote: Remote, number: number) {
    this.remote = remote
    const readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.feed = controller
      },
      cancel: () => this.end(),
    })
    const writable = new WritableStream<Uint8Array>({
      write: (chunk) => {
        this.said += latin1(chunk)
        // One after the other, but never holding up the writer.
        this.work = this.work.then(() => this.listen())
      },
      abort: () => this.end(),
    })
    this.socket = { readable, writable, close: async () => this.end() }
    this.say(remote.manners.greeting?.(number) ?? '220 remote.example ESMTP')
  }

  private async listen(): Promise<void> {
    for (;;) {
      const mark = this.inData ? '\r\n.\r\n' : '\r\n'
      const end = this.said.indexOf(mark)
      if (end < 0 || this.ended) return
      const text = this.said.slice(0, end)
      this.said = this.said.slice(end + mark.length)
      this.remote.manners.step?.()
      if (this.ended) return
      if (this.inData) await this.keep(text)
      else this.obey(text)
    }
  }

  private obey(line: string): void {
    const { ehlo = ['PIPELINING', '8BITMIME', 'SIZE'], auth, mail, rcpt } = this.remote.manners
    const path = /<(.*)>/.exec(line)?.[1] ?? ''
    if (line.startsWith('EHLO'))
      this.say(['250-remote.example', ...ehlo.map((word) => `250-${word}`), '250 HELP'].join('\r\n'))
    else if (line.startsWith('AUTH')) this.say(auth?.(line) ?? '235 welcome')
    else if (line.startsWith('MAIL')) {
      const reply = mail?.(path) ?? '250 ok'
      this.mail = reply.startsWith('2') ? { from: path, to: [], data: '' } : undefined
      this.say(reply)
    } else if (line.startsWith('RCPT')) {
      const reply = this.mail ? (rcpt?.(path) ?? '250 ok') : '503 MAIL first'
      if (reply.startsWith('2')) this.mail?.to.push(path)
      this.say(reply)
    } else if (line === 'DATA') {
      this.inData = (this.mail?.to.length ?? 0) > 0
      this.say(this.inData ? '354 go on' : '503 no recipients')
    } else if (line === 'QUIT') {
      this.remote.manners.quit?.()
      this.say('221 bye')
      this.end()
    } else this.say('250 ok')
  }

  private async keep(data: string): Promise<void> {
    this.inData = false
    const mail = { ...(this.mail ?? { from: '', to: [] }), data: `${data}\r\n` }
    this.mail = undefined
    const reply = (await this.remote.manners.dot?.(mail)) ?? '250 2.0.0 taken'
    // A drop after the dot is the case in which the sender cannot know.
    if (reply.startsWith('2') || reply === 'drop') this.remote.taken.push(mail)
    this.remote.manners.step?.()
    this.say(reply)
  }

  private say(reply: string): void {
    if (reply === 'silence') this.silent = true
    if (this.ended || this.silent) return
    if (reply !== 'drop') this.feed?.enqueue(utf8(`${reply}\r\n`))
    if (reply === 'drop' || reply.startsWith('421')) this.end()
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    this.remote.left(this)
    try {
      this.feed?.close()
    } catch {
      // The reader has cancelled it.
    }
  }
}
