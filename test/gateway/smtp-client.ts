/** Speaks SMTP by hand over a raw socket, so that a test can say what no client library would. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type Talk = {
  /** Sends text as it is, byte for character. */
  send(text: string | Buffer): void
  /** The next whole reply, its lines joined by a line feed; rejects where the connection ends first. */
  reply(): Promise<string>
  /** Sends a line with CR LF, and reads the reply. */
  say(line: string): Promise<string>
  /** Cuts the connection as a crash would. */
  cut(): void
  /** Resolves when the other side has closed. */
  closed: Promise<unknown>
}

/** Connects and reads the greeting; with `login`, it greets and logs in too. */
export async function talkTo(port: number, login?: { user: string; password: string }): Promise<Talk> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const reply = replyReader(socket)
  const talk: Talk = {
    send: (text) => void socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text),
    reply,
    say: (line) => {
      socket.write(Buffer.from(`${line}\r\n`))
      return reply()
    },
    cut: () => void socket.resetAndDestroy(),
    closed: new Promise((resolve) => socket.once('close', resolve)),
  }
  await talk.reply()
  if (login) {
    await talk.say('EHLO client.example')
    await talk.say(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`)
  }
  return talk
}

/** One mail from MAIL to the final dot; answers the last reply, or the first that refuses. */
export async function sendMail(talk: Talk, from: string, to: string[], mail: string | Buffer): Promise<string> {
  for (const line of [`MAIL FROM:<${from}>`, ...to.map((one) => `RCPT TO:<${one}>`), 'DATA']) {
    const reply = await talk.say(line)
    if (!/^[23]/.test(reply)) return reply
  }
  talk.send(mail)
  talk.send('\r\n.\r\n')
  return talk.reply()
}

function replyReader(socket: Socket): () => Promise<string> {
  let held = ''
  let ended = false
  let wake = () => {}
  socket.on('data', (chunk) => {
    held += chunk.toString('utf8')
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
    wake()
  })
  return async () => {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n/.exec(held)?.[0]
      if (whole !== undefined) {
        held = held.slice(whole.length)
        return whole.trimEnd().replaceAll('\r\n', '\n')
      }
      if (ended) throw new Error(`the connection ended; held: ${JSON.stringify(held)}`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}
