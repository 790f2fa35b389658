/** A session with an SMTP server: opened and secured, then used for any number of transactions (RFC 5321, 3207, 4954). */
import { heloFault } from './commands.ts'
import type { Next, Report } from './desk.ts'
import { Dialogue } from './dialogue.ts'
import { Broken, SessionError, type SessionStage } from './errors.ts'
import { type Extensions, NO_EXTENSIONS, readExtensions } from './extensions.ts'
import { type Clock, DEFAULT_TIMERS, forget, type Pipe, type Timers } from './pipe.ts'
import { isPositive, type ReplyLines, showReply, toReply } from './reply.ts'
import { authenticate, type Credentials, credentialsFault } from './sasl.ts'
import { type RunEnd, Runner } from './transactions.ts'

/** implicit: the pipe is TLS already. starttls: TLS or nothing. none: in clear, also where the server offers TLS. */
export type Security = 'implicit' | 'starttls' | 'none'

export type SessionSettings = {
  /** Our own full domain name, or an address literal such as '[192.0.2.1]'. */
  helo: string
  security: Security
  /** Logs in where given. Without it nothing is said of AUTH, whatever the server offers. */
  auth?: Credentials
  /** Lets the password go over a pipe that is not encrypted. For loopback only. */
  allowClearAuth: boolean
  timers?: Partial<Timers>
}

export type Session = {
  /** What the server offers, as last heard: under TLS where there is TLS. */
  readonly extensions: Extensions
  /**
   * Sends transactions until `next` gives none, over one connection, pipelined across messages where the server allows it
   * (RFC 2920 section 3.1). Every transaction that `next` handed over is reported exactly once, whatever happens.
   * Rejects only with what `next` or `report` threw, after all is reported. May be called again after an end of kind 'idle'.
   */
  run(next: Next, report: Report): Promise<RunEnd>
  /** Says QUIT and closes; bounded by the timer `quit`; never rejects. */
  quit(): Promise<void>
  /** Drops the connection at once. */
  close(): void
}

/**
 * Greets, secures and logs in. Takes over the pipe: it is closed where this throws (always SessionError).
 * Bounded by `longestOpening(settings)`.
 */
export async function openSession(pipe: Pipe, settings: SessionSettings, clock: Clock): Promise<Session> {
  const fault = settingsFault(pipe, settings)
  if (fault) {
    forget(() => pipe.close())
    throw new SessionError('permanent', 'settings', fault)
  }
  const opening = new Opening(new Dialogue(pipe, clock, { ...DEFAULT_TIMERS, ...settings.timers }), settings)
  try {
    await opening.greet()
    if (settings.security === 'starttls') await opening.startTls()
    if (settings.auth) await opening.logIn(settings.auth)
  } catch (error) {
    opening.dialogue.close()
    if (!(error instanceof Broken)) throw error
    // No platform says why a handshake failed, so we say what it mostly is.
    const hint =
      opening.stage === 'starttls' ? '; is the certificate trusted, and of the name that was connected to?' : ''
    throw new SessionError('temporary', opening.stage, `at ${opening.stage}: ${error.message}${hint}`, error.reply)
  }
  const { dialogue, extensions } = opening
  const runner = new Runner(dialogue, extensions)
  return {
    extensions,
    run: (next, report) => runner.run(next, report),
    quit: () => dialogue.quit(),
    close: () => dialogue.close(),
  }
}

function settingsFault(pipe: Pipe, { helo, security, auth, allowClearAuth }: SessionSettings): string | undefined {
  if (security === 'starttls' && !pipe.startTls) return 'STARTTLS is asked for, but the pipe was not opened for it'
  if (security === 'none' && auth && !allowClearAuth) {
    return 'a password is never sent in clear: use TLS (implicit or STARTTLS) for this relay, or no login'
  }
  return heloFault(helo) ?? (auth && credentialsFault(auth))
}

class Opening {
  dialogue: Dialogue
  extensions: Extensions = NO_EXTENSIONS
  stage: SessionStage = 'greeting'
  private readonly settings: SessionSettings

  constructor(dialogue: Dialogue, settings: SessionSettings) {
    this.dialogue = dialogue
    this.settings = settings
  }

  async greet(): Promise<void> {
    const greeting = await this.dialogue.reply(this.dialogue.timers.greeting, 'the greeting')
    if (greeting.code !== 220) throw this.refused('the server does not serve us', greeting)
    this.stage = 'ehlo'
    await this.hello()
  }

  /** EHLO; HELO where the server does not know it (RFC 5321 section 3.2). */
  private async hello(): Promise<void> {
    const ehlo = await this.dialogue.ask(`EHLO ${this.settings.helo}`, 'EHLO')
    if (isPositive(ehlo)) {
      this.extensions = readExtensions(ehlo)
      return
    }
    if (![500, 501, 502, 504, 550].includes(ehlo.code)) throw this.refused('the server refused EHLO', ehlo)
    const helo = await this.dialogue.ask(`HELO ${this.settings.helo}`, 'HELO')
    if (!isPositive(helo)) throw this.refused('the server refused HELO', helo)
    this.extensions = NO_EXTENSIONS
  }

  async startTls(): Promise<void> {
    this.stage = 'starttls'
    if (!this.extensions.starttls) {
      throw new SessionError(
        'permanent',
        'starttls',
        'the server does not offer STARTTLS, so nothing was sent: use its port for implicit TLS (mostly 465)',
      )
    }
    const reply = await this.dialogue.ask('STARTTLS', 'STARTTLS')
    if (reply.code !== 220) throw this.refused('the server refused STARTTLS', reply)
    this.dialogue = this.dialogue.secured()
    // What was offered in clear may have been written by anybody: EHLO again, and only its answer counts (RFC 3207 section 4.2).
    await this.hello()
  }

  async logIn(credentials: Credentials): Promise<void> {
    this.stage = 'auth'
    await authenticate(this.dialogue, this.extensions.auth, credentials)
  }

  private refused(what: string, lines: ReplyLines): SessionError {
    const reply = toReply(lines)
    return new SessionError(
      reply.code >= 500 ? 'permanent' : 'temporary',
      this.stage,
      `${what}: ${showReply(reply)}`,
      reply,
    )
  }
}
