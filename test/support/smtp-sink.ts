/** An SMTP server for tests: takes everything, remembers it to the byte, and misbehaves where it is told to. Loopback only. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'

export type SunkMessage = {
  /** The connection it came on, counted from 0. */
  connection: number
  from: string
  fromParameters: string[]
  recipients: { address: string; parameters: string[] }[]
  /** As sent, without doubled dots and final dot. */
  bytes: Buffer
  secure: boolean
  user?: string
}

export type SinkOptions = {
  /** Needed for `secure` and for STARTTLS, which is then offered. */
  tls?: { key: string; cert: string }
  /** TLS from the first byte. */
  secure?: boolean
  /** Offered besides STARTTLS and AUTH. */
  extensions?: string[]
  /** Requires this login; any is taken without. */
  login?: { user: string; password: string }
  /** Every answer comes so many ms after its command: the round trip. */
  delay?: number
  /** Instead of 220, 250, 250, 354 or 250; may hold many lines with CR LF between. The argument is the address, or the message. */
  reply?: {
    greeting?: () => string | undefined
    mail?: (address: string) => string | undefined
    rcpt?: (address: string) => string | undefined
    data?: () => string | undefined
    message?: (message: SunkMessage) => string | undefined
  }
  /** Closes instead of answering; 'dot' closes after the message was taken and remembered. */
  dropAt?: 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot'
  /** Answers nothing from that stage on. */
  silentAt?: 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'dot'
}

export type Sink = {
  port: number
  messages: SunkMessage[]
  /** Every command line, logins without their secrets. */
  commands: string[]
  connections(): number
  close(): Promise<void>
}

export const SINK_EXTENSIONS = ['PIPELINING', 'SIZE 26214400', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES']

/** Listens on 127.0.0.1; ends with `close()`. The options may be changed while it runs. */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const messages: SunkMessage[] = []
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const onSocket = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
    new Peer(socket, connections++, options, messages, commands).greet()
  }
  const server: Server = options.secure ? createTlsServer({ ...options.tls }, onSocket) : createServer(onSocket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the sink has no port')
  return {
    port: address.port,
    messages,
    commands,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

type Stage = 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'dot'
type Envelope = Pick<SunkMessage, 'from' | 'fromParameters' | 'recipients'>

const END = Buffer.from('\r\n.\r\n')

class Peer {
  private socket: Socket
  private readonly connection: number
  private readonly options: SinkOptions
  private readonly messages: SunkMessage[]
  private readonly commands: string[]
  private unread: Buffer = Buffer.alloc(0)
  private mode: 'command' | 'data' | 'chunk' | 'user' | 'password' | 'plain' = 'command'
  private held: Buffer[] = []
  private secure: boolean
  private user: string | undefined
  private envelope: Envelope | undefined
  private silent = false
  private chunk = { length: 0, last: false }
  private chunks: Buffer[] = []

  constructor(socket: Socket, connection: number, options: SinkOptions, messages: SunkMessage[], commands: string[]) {
    this.socket = socket
    this.connection = connection
    this.options = options
    this.messages = messages
    this.commands = commands
    this.secure = options.secure ?? false
    this.attach(socket)
  }

  greet(): void {
    this.answer('greeting', this.options.reply?.greeting?.() ?? '220 sink.test ESMTP')
  }

  private attach(socket: Socket): void {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.unread = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk])
      this.read()
    })
  }

  private read(): void {
    while (!this.socket.destroyed) {
      const more =
        this.mode === 'data' ? this.readMessage() : this.mode === 'chunk' ? this.readChunk() : this.readLine()
      if (!more) return
    }
  }

  private readLine(): boolean {
    const end = this.unread.indexOf('\r\n')
    if (end < 0) return false
    const line = this.unread.toString('utf8', 0, end)
    this.unread = this.unread.subarray(end + 2)
    if (this.mode === 'command') this.obey(line)
    else this.logIn(line)
    return true
  }

  /** The message up to the final dot, which may be the first line. */
  private readMessage(): boolean {
    if (this.options.dropAt === 'body' && this.unread.length > 0) {
      this.socket.destroy()
      return false
    }
    const empty = this.held.length === 0 && this.unread.subarray(0, 3).toString() === '.\r\n'
    const end = empty ? -2 : this.unread.indexOf(END)
    if (!empty && end < 0) {
      // All but what may be the beginning of the end is put aside, so that a large message is not copied with every chunk.
      const sure = Math.max(0, this.unread.length - END.length + 1)
      if (sure > 0) this.held.push(this.unread.subarray(0, sure))
      this.unread = this.unread.subarray(sure)
      return false
    }
    const stuffed = Buffer.concat([...this.held, this.unread.subarray(0, end + 2)])
    this.held = []
    this.unread = this.unread.subarray(end + END.length)
    this.mode = 'command'
    const text = stuffed.toString('latin1')
    const bytes = Buffer.from((text.startsWith('.') ? text.slice(1) : text).replaceAll('\r\n.', '\r\n'), 'latin1')
    this.take(bytes)
    return true
  }

  /** A chunk of the length that BDAT said (RFC 3030). */
  private readChunk(): boolean {
    if (this.unread.length < this.chunk.length) return false
    this.chunks.push(this.unread.subarray(0, this.chunk.length))
    this.unread = this.unread.subarray(this.chunk.length)
    this.mode = 'command'
    if (this.chunk.last) this.take(Buffer.concat(this.chunks))
    else this.say('250 2.0.0 chunk taken')
    return true
  }

  private take(bytes: Buffer): void {
    this.chunks = []
    const { connection, secure, user } = this
    const envelope = this.envelope ?? { from: '', fromParameters: [], recipients: [] }
    const message: SunkMessage = { connection, ...envelope, bytes, secure, ...(user === undefined ? {} : { user }) }
    this.envelope = undefined
    const reply =
      envelope.recipients.length === 0 ? '554 5.5.1 no valid recipients' : this.options.reply?.message?.(message)
    if (!reply || reply.startsWith('2')) this.messages.push(message)
    this.answer('dot', reply ?? '250 2.0.0 taken')
  }

  private obey(line: string): void {
    const verb = line.slice(0, 4).toUpperCase()
    this.commands.push(verb === 'AUTH' ? line.split(' ').slice(0, 2).join(' ') : line)
    if (verb === 'EHLO' || verb === 'HELO') this.answer('ehlo', verb === 'EHLO' ? this.offers() : '250 sink.test')
    else if (verb === 'STAR') this.startTls()
    else if (verb === 'AUTH') this.beginLogin(line)
    else if (verb === 'MAIL') this.mail(line)
    else if (verb === 'RCPT') this.rcpt(line)
    else if (verb === 'DATA') this.data()
    else if (verb === 'BDAT') {
      const [, length, last] = line.split(' ')
      this.chunk = { length: Number(length), last: last?.toUpperCase() === 'LAST' }
      this.mode = 'chunk'
    } else if (verb === 'RSET') {
      this.envelope = undefined
      this.say('250 2.0.0 flushed')
    } else if (verb === 'NOOP') this.say('250 2.0.0 ok')
    else if (verb === 'QUIT') {
      this.say('221 2.0.0 bye', () => this.socket.end())
    } else this.say('500 5.5.2 what?')
  }

  private offers(): string {
    const { tls, extensions = SINK_EXTENSIONS } = this.options
    const all = ['sink.test', ...extensions, 'AUTH PLAIN LOGIN', ...(tls && !this.secure ? ['STARTTLS'] : [])]
    return all.map((offer, at) => `250${at === all.length - 1 ? ' ' : '-'}${offer}`).join('\r\n')
  }

  private startTls(): void {
    const { tls } = this.options
    if (!tls || this.secure) {
      this.say('502 5.5.1 no')
      return
    }
    this.say('220 2.0.0 go ahead', () => {
      this.socket.removeAllListeners('data')
      this.unread = Buffer.alloc(0)
      this.envelope = undefined
      this.secure = true
      const secured = new TLSSocket(this.socket, { isServer: true, ...tls })
      secured.on('error', () => this.socket.destroy())
      this.attach(secured)
    })
  }

  private beginLogin(line: string): void {
    const [, mechanism = '', response] = line.split(' ')
    if (mechanism.toUpperCase() === 'LOGIN') {
      this.mode = 'user'
      this.say('334 VXNlcm5hbWU6')
    } else if (response === undefined) {
      this.mode = 'plain'
      this.say('334 ')
    } else this.finishPlain(response)
  }

  private logIn(line: string): void {
    const { mode } = this
    this.mode = 'command'
    if (mode === 'plain') this.finishPlain(line)
    else if (mode === 'user') {
      this.mode = 'password'
      this.user = decode(line)
      this.say('334 UGFzc3dvcmQ6')
    } else this.judgeLogin(this.user ?? '', decode(line))
  }

  private finishPlain(response: string): void {
    const [, user = '', password = ''] = decode(response).split('\0')
    this.judgeLogin(user, password)
  }

  private judgeLogin(user: string, password: string): void {
    const { login } = this.options
    const welcome = !login || (login.user === user && login.password === password)
    this.user = welcome ? user : undefined
    this.say(welcome ? '235 2.7.0 welcome' : '535 5.7.8 wrong user name or password')
  }

  private mail(line: string): void {
    const { address, parameters } = readPath(line)
    const needsLogin = this.options.login !== undefined && this.user === undefined
    const reply = needsLogin
      ? '530 5.7.0 log in first'
      : this.envelope
        ? '503 5.5.1 nested MAIL'
        : this.options.reply?.mail?.(address)
    if (!reply || reply.startsWith('2')) this.envelope = { from: address, fromParameters: parameters, recipients: [] }
    this.answer('mail', reply ?? '250 2.1.0 ok')
  }

  private rcpt(line: string): void {
    const recipient = readPath(line)
    const reply = this.envelope ? this.options.reply?.rcpt?.(recipient.address) : '503 5.5.1 MAIL first'
    if (!reply || reply.startsWith('2')) this.envelope?.recipients.push(recipient)
    this.answer('rcpt', reply ?? '250 2.1.5 ok')
  }

  private data(): void {
    const nobody = this.envelope === undefined || this.envelope.recipients.length === 0
    const reply = nobody ? '503 5.5.1 RCPT first' : (this.options.reply?.data?.() ?? '354 go ahead')
    if (reply.startsWith('3')) {
      this.mode = 'data'
    }
    this.answer('data', reply)
  }

  /** Says the reply of a stage, or what else the options want of it. */
  private answer(stage: Stage, reply: string): void {
    if (this.options.silentAt === stage) this.silent = true
    if (this.options.dropAt === stage) this.socket.destroy()
    else this.say(reply)
  }

  private say(reply: string, then?: () => void): void {
    const { socket, silent } = this
    if (silent) return
    const speak = () => {
      if (!socket.destroyed) socket.write(`${reply}\r\n`)
      then?.()
    }
    // Each answer is late on its own, so that what is pipelined shares one round trip as it does on a real line.
    if (this.options.delay) setTimeout(speak, this.options.delay)
    else speak()
  }
}

function readPath(line: string): { address: string; parameters: string[] } {
  const [, address = '', rest = ''] = /^[^:]*:<([^>]*)>(.*)$/.exec(line) ?? []
  return { address, parameters: rest.split(' ').filter(Boolean) }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}
