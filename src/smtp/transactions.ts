/**
 * Transactions over one session. With PIPELINING (RFC 2920), MAIL, every RCPT and DATA go as one group, and the group of the
 * next message rides behind the final dot of the one before: in steady state a message costs one round trip. Without, lock-step.
 * With CHUNKING as well, small messages need not even that.
 */
import { sendBody } from './body.ts'
import { Flight } from './chunked.ts'
import { Desk, type Next, type Report } from './desk.ts'
import type { Dialogue } from './dialogue.ts'
import { type Attempt, judgeBreak, judgeDot, judgeRecipient, judgeRefusal, prepare, settle } from './envelope.ts'
import { Broken } from './errors.ts'
import type { Extensions } from './extensions.ts'
import { forget } from './pipe.ts'
import { isPositive, type Reply, showReply, toReply } from './reply.ts'

/** idle: `next` gave none, the session may be used again. closed: the connection is gone, with the server's last word if any. */
export type RunEnd = { kind: 'idle' } | { kind: 'closed'; reason: string; reply?: Reply }

export class Runner {
  readonly dialogue: Dialogue
  private readonly extensions: Extensions
  private running = false
  closed: Broken | undefined
  /** How many transactions this session has judged. */
  judged = 0
  /** The server may still hold an envelope of which nothing came. */
  needsReset = false

  constructor(dialogue: Dialogue, extensions: Extensions) {
    this.dialogue = dialogue
    this.extensions = extensions
  }

  private get chunked(): boolean {
    return this.extensions.pipelining && this.extensions.chunking
  }

  async run(next: Next, report: Report): Promise<RunEnd> {
    if (this.running) throw new Error('a session does one run at a time')
    this.running = true
    const desk = new Desk(next, report)
    if (this.chunked) await new Flight(this, desk).run()
    else {
      let attempt = await this.begin(desk)
      while (attempt) attempt = await this.transact(attempt, desk)
    }
    this.running = false
    await desk.close()
    if (!this.closed) return { kind: 'idle' }
    const { message: reason, reply } = this.closed
    return { kind: 'closed', reason, ...(reply && { reply }) }
  }

  /** Takes the next transaction that there is something to try of and, where commands are pipelined, sends its envelope off. */
  async begin(desk: Desk): Promise<Attempt | undefined> {
    while (!this.closed) {
      const transaction = await desk.take()
      if (!transaction) return undefined
      const attempt = prepare(transaction, this.extensions)
      if (attempt.rcpts.length > 0) {
        attempt.reset = this.needsReset
        this.needsReset = false
        if (this.extensions.pipelining && !this.chunked && !this.closed) this.sendGroup(attempt)
        return attempt
      }
      desk.report(attempt)
    }
    return undefined
  }

  sendGroup(attempt: Attempt): void {
    const commands = [
      ...(attempt.reset ? ['RSET'] : []),
      attempt.mail,
      ...attempt.rcpts.map(({ command }) => command),
      'DATA',
    ]
    // Not awaited: a server that answers a long group as it comes could block us, and we it. Where it fails, no reply comes.
    forget(() => this.dialogue.write(commands.map((command) => `${command}\r\n`).join('')))
  }

  /** One transaction to its end; gives the next, whose envelope may be under way. */
  async transact(attempt: Attempt, desk: Desk): Promise<Attempt | undefined> {
    let following: Promise<Attempt | undefined> | undefined
    try {
      if (this.closed) throw this.closed
      if (await this.offer(attempt)) {
        attempt.stage = 'body'
        await sendBody(this.dialogue, attempt.transaction, () => {
          attempt.stage = 'dot'
        })
        if (this.extensions.pipelining) following = this.begin(desk)
        settle(attempt, judgeDot(await this.hear(this.dialogue.timers.dot, 'the final dot')))
      }
    } catch (error) {
      this.breakOff(error, attempt)
    }
    this.judged++
    desk.report(attempt)
    return following ?? this.begin(desk)
  }

  /** MAIL, each RCPT, and DATA; true where the server waits for a body that a recipient was accepted for. */
  private async offer(attempt: Attempt): Promise<boolean> {
    const { clock, timers } = this.dialogue
    const deadline = clock.now() + timers.envelope
    const ask = async (command: string) => {
      if (!this.extensions.pipelining)
        await this.dialogue.write(`${command}\r\n`, Math.min(timers.block, deadline - clock.now()))
      return this.hear(Math.min(timers.command, deadline - clock.now()), command.slice(0, 4))
    }
    if (attempt.reset && !isPositive(await ask('RSET'))) throw new Broken('the server refused RSET')
    const mail = await ask(attempt.mail)
    attempt.stage = 'envelope'
    if (!isPositive(mail)) settle(attempt, judgeRefusal(mail))
    let accepted = 0
    // After a refused MAIL, pipelined commands still have replies to be read; in lock-step there is nothing more to say.
    for (const { index, command } of isPositive(mail) || this.extensions.pipelining ? attempt.rcpts : []) {
      const reply = await ask(command)
      if (isPositive(reply)) accepted++
      else attempt.outcomes[index] ??= judgeRecipient(reply)
    }
    const wanted = attempt.outcomes.includes(undefined)
    this.needsReset = true
    if (!wanted && !this.extensions.pipelining) return false
    const data = await ask('DATA')
    if (data.code !== 354) {
      settle(attempt, judgeRefusal(data))
      return false
    }
    this.needsReset = false
    // A dot now would send an empty message to whom the server took although it had refused MAIL.
    if (!wanted && accepted > 0) throw new Broken('the server wants a message that it refused')
    if (!wanted) await this.withdraw()
    return wanted
  }

  /** The server took DATA with no recipient: an empty message ends it (RFC 2920 section 3.1), whatever the answer. */
  private async withdraw(): Promise<void> {
    await this.dialogue.write('.\r\n')
    await this.hear(this.dialogue.timers.dot, 'the lone dot')
  }

  /** A reply; 421 ends everything, as the reply to whatever was asked (RFC 5321 section 3.8). */
  async hear(ms: number, what: string): Promise<Reply> {
    const reply = toReply(await this.dialogue.reply(ms, `the reply to ${what}`))
    if (reply.code === 421) throw new Broken(`the server closed the session: ${showReply(reply)}`, reply)
    return reply
  }

  breakOff(error: unknown, attempt: Attempt): void {
    // Anything else that is thrown is a mistake of ours, and no less a reason to close and to account for every message.
    const broken = error instanceof Broken ? error : new Broken(error instanceof Error ? error.message : String(error))
    this.closed ??= broken
    this.dialogue.close()
    settle(attempt, judgeBreak(broken, attempt.stage, this.judged === 0))
  }
}
