/** Ids: UUIDv7 (RFC 9562 section 5.7), which sort by the time they were made. */
import { toHex } from './bytes.ts'

/** Ten random bytes and a time in ms make a UUIDv7. */
export function uuidv7(now: number, random: Uint8Array): string {
  if (random.length < 10) throw new RangeError('uuidv7 needs 10 random bytes')
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.trunc(now)) << 16n)
  bytes.set(random.subarray(0, 10), 6)
  return formatUuid(bytes, 7)
}

/** A UUID of our own making out of 16 bytes, usually of a hash (version 8, RFC 9562 section 5.8). */
export function uuidv8(bytes: Uint8Array): string {
  return formatUuid(Uint8Array.from(bytes.subarray(0, 16)), 8)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether the text is a UUID as we write it, in lower case. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

export function uuidBytes(id: string): Uint8Array<ArrayBuffer> {
  const hex = id.replaceAll('-', '')
  return Uint8Array.from({ length: 16 }, (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16))
}

export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = toHex(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

/** The time in ms at which a UUIDv7 was made. */
export function uuidTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

function formatUuid(bytes: Uint8Array, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4)
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return uuidFromBytes(bytes)
}
