/**
 * Small messages to a server that offers CHUNKING (RFC 3030): a body whose length is said first needs no 354, so whole messages
 * go one behind the other without waiting. What is not small goes by DATA, once all before it is judged.
 */
import { concat, utf8 } from '../base/bytes.ts'
import { readBody } from './body.ts'
import type { Desk } from './desk.ts'
import { type Attempt, judgeBreak, judgeDot, judgeRecipient, judgeRefusal, settle } from './envelope.ts'
import { Broken } from './errors.ts'
import { isPositive } from './reply.ts'
import type { Runner } from './transactions.ts'

/** A body up to this size is held whole, for its length on the wire is known only when its line ends are set right. */
const MAX_CHUNK = 256 * 1024

/** So many messages are of unknown fate at most when the connection breaks: few, and yet a quarter of the round trips. */
const MAX_IN_FLIGHT = 4

export class Flight {
  private readonly runner: Runner
  private readonly desk: Desk
  /** The judging of what was sent and is not known to be judged, oldest first; each waits for the one before it. */
  private readonly flying: Promise<void>[] = []
  private fresh: boolean

  constructor(runner: Runner, desk: Desk) {
    this.runner = runner
    this.desk = desk
    this.fresh = runner.judged === 0
  }

  async run(): Promise<void> {
    let attempt = await this.runner.begin(this.desk)
    while (attempt) {
      // What became of those before may not be known yet; RSET makes sure that nothing of them is left.
      attempt.reset ||= !this.fresh
      if (attempt.transaction.size > MAX_CHUNK) {
        await this.land(0)
        this.runner.sendGroup(attempt)
        attempt = await this.runner.transact(attempt, this.desk)
      } else {
        await this.launch(attempt)
        await this.land(MAX_IN_FLIGHT - 1)
        attempt = await this.runner.begin(this.desk)
      }
      this.fresh = false
    }
    await this.land(0)
  }

  /** Waits until at most so many are in flight. */
  private async land(most: number): Promise<void> {
    while (this.flying.length > most) await this.flying.shift()
  }

  private async launch(attempt: Attempt): Promise<void> {
    const { dialogue } = this.runner
    let body: Uint8Array
    try {
      body = await readBody(dialogue, attempt.transaction)
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      // Nothing was said of it yet, so the connection can go on.
      settle(attempt, judgeBreak(error, 'body', this.fresh))
      this.desk.report(attempt)
      return
    }
    const { clock, timers } = dialogue
    const deadline = clock.now() + timers.block + timers.dot
    const before = this.flying.at(-1)
    if (this.runner.closed) {
      this.flying.push(this.judge(attempt, deadline, before))
      return
    }
    attempt.stage = 'dot'
    const commands = [attempt.mail, ...attempt.rcpts.map(({ command }) => command), `BDAT ${body.length} LAST`]
    const lines = [...(attempt.reset ? ['RSET'] : []), ...commands].map((command) => `${command}\r\n`)
    const written = dialogue.write(concat([utf8(lines.join('')), body]))
    this.flying.push(this.judge(attempt, deadline, before))
    // A failed write shows to whoever reads the replies; there is nothing to be written after it.
    await written.catch(() => this.land(0))
  }

  private async judge(attempt: Attempt, deadline: number, before: Promise<void> | undefined): Promise<void> {
    await before
    const { runner } = this
    const { clock, timers } = runner.dialogue
    const hear = (ms: number, what: string) => runner.hear(Math.min(ms, deadline - clock.now()), what)
    let began = false
    try {
      if (runner.closed) throw runner.closed
      if (attempt.reset) await hear(timers.command, 'RSET')
      const mail = await hear(timers.command, 'MAIL')
      began = true
      for (const { index } of attempt.rcpts) {
        const reply = await hear(timers.command, 'RCPT')
        if (!isPositive(reply)) attempt.outcomes[index] ??= judgeRecipient(isPositive(mail) ? reply : mail)
      }
      const taken = judgeDot(await hear(timers.dot, 'BDAT'))
      if (taken.kind !== 'sent') runner.needsReset = true
      settle(attempt, taken.kind === 'sent' || isPositive(mail) ? taken : judgeRefusal(mail))
    } catch (error) {
      // A server that takes its leave before MAIL has looked at nothing that was sent behind its last reply.
      if (!began && error instanceof Broken && error.reply) attempt.stage = 'waiting'
      runner.breakOff(error, attempt)
    }
    runner.judged++
    this.desk.report(attempt)
  }
}
