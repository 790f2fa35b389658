/** How a session fails: to be opened (for the caller), or in the middle (inside this folder). */
import type { Reply } from './reply.ts'

/** Where opening a session failed. `settings`: before a byte was sent, because what was asked for is not safe or not possible. */
export type SessionStage = 'settings' | 'greeting' | 'ehlo' | 'starttls' | 'auth'

/** Thrown by `openSession`. Never holds a password, whatever the server said. */
export class SessionError extends Error {
  /** temporary: worth trying again as it is. permanent: somebody has to change something first. */
  readonly kind: 'temporary' | 'permanent'
  readonly stage: SessionStage
  readonly reply?: Reply

  constructor(kind: 'temporary' | 'permanent', stage: SessionStage, message: string, reply?: Reply) {
    super(message)
    this.name = 'SessionError'
    this.kind = kind
    this.stage = stage
    this.reply = reply
  }
}

/** The dialogue cannot go on: the connection broke, a timer fired, the server broke the protocol or said goodbye. */
export class Broken extends Error {
  /** The last word, where there was one: the server's 421 or its answer to half a body, or our own on a body we could not read. */
  readonly reply?: Reply

  constructor(reason: string, reply?: Reply) {
    super(reason)
    this.name = 'Broken'
    this.reply = reply
  }
}
