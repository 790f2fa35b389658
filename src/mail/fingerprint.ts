/** What tells one message from another, however often and over whatever road it is delivered. */
import { createHash } from 'node:crypto'

/**
 * The fields that count. Trace fields (Received, Return-Path, Authentication-Results, …) do not,
 * since each attempt to deliver the same message carries others.
 */
export const FINGERPRINT_FIELDS = ['message-id', 'from', 'date', 'subject'] as const

/** 64 bits of SHA-256 of a text, as 16 hexadecimal digits: short enough for a key, and nobody's password. */
export function hash64(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Hashes a message while its bytes come by; holds nothing of it. */
export class Fingerprint {
  private readonly body = createHash('sha256')
  private fields = ''

  /** The raw values of the fields that count, by lower-case name, unfolded, a character a byte. */
  setFields(values: ReadonlyMap<string, string>): void {
    this.fields = JSON.stringify(FINGERPRINT_FIELDS.map((name) => values.get(name) ?? null))
  }

  /** Bytes behind the header block, in their order. */
  addBody(bytes: Uint8Array): void {
    this.body.update(bytes)
  }

  /** Ends the message; the result names it for one envelope recipient. */
  end(): (recipient: string) => string {
    const message = `${this.fields}\n${this.body.digest('hex')}`
    return (recipient) => hash64(`${JSON.stringify(recipient)}\n${message}`)
  }
}
