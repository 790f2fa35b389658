/** A mail that waits has neither Date nor signature: both tell when it left. */
import { concat } from '../../base/bytes.ts'
import { fieldBytes, scanHeader } from '../../mail/ready.ts'

/** Takes the Date out of a composed message. */
export function withoutDate(bytes: Uint8Array): Uint8Array {
  const { fields, bodyStart } = scanHeader(bytes)
  const end = fields.at(-1)?.end ?? 0
  const kept = fields.filter(({ name }) => name !== 'date').map((field) => fieldBytes(bytes, field))
  return concat([...kept, bytes.subarray(end, bodyStart), bytes.subarray(bodyStart)])
}
