/** The last touch before mail leaves: its Date, and a signature over all of it. A mail that waits has neither. */
import { concat } from '../base/bytes.ts'
import type { Sender } from '../directory/senders.ts'
import { signDkim } from '../mail/dkim.ts'
import { fieldBytes, makeReady, scanHeader } from '../mail/ready.ts'

/** Takes the Date out of a composed message. */
export function withoutDate(bytes: Uint8Array): Uint8Array {
  const { fields, bodyStart } = scanHeader(bytes)
  const end = fields.at(-1)?.end ?? 0
  const kept = fields.filter(({ name }) => name !== 'date').map((field) => fieldBytes(bytes, field))
  return concat([...kept, bytes.subarray(end, bodyStart), bytes.subarray(bodyStart)])
}

/** Dates and signs a message that waited. `messageId` is what it has already. */
export function sealWaiting(bytes: Uint8Array, sender: Sender, messageId: string, at: number): Promise<Uint8Array> {
  return signDkim(makeReady(bytes, { now: at, messageId }).bytes, sender.dkim, at)
}
