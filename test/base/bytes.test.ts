import { expect, test } from 'vitest'
import { fromBase32, fromBase64Url, toBase32, toBase64Url } from '../../src/base/bytes.ts'
import { isUuid, uuidBytes, uuidFromBytes, uuidTime, uuidv7 } from '../../src/base/id.ts'

const bytes = Uint8Array.from({ length: 41 }, (_, at) => (at * 37 + 11) % 256)

test('base32 and base64url give back every length of bytes', () => {
  for (let length = 0; length <= bytes.length; length++) {
    const some = bytes.slice(0, length)
    expect(fromBase32(toBase32(some).toUpperCase())).toEqual(some)
    expect(fromBase64Url(toBase64Url(some))).toEqual(some)
  }
  expect(toBase32(new TextEncoder().encode('foobar'))).toBe('mzxw6ytboi')
  expect(fromBase32('mz!w')).toBeUndefined()
})

test('ids are UUIDv7: valid, sorted by time, and readable back to it', () => {
  const early = uuidv7(1_700_000_000_000, bytes)
  const late = uuidv7(1_700_000_000_001, bytes)
  expect(isUuid(early)).toBe(true)
  expect(early[14]).toBe('7')
  expect(early < late).toBe(true)
  expect(uuidTime(late)).toBe(1_700_000_000_001)
  expect(uuidFromBytes(uuidBytes(late))).toBe(late)
})
