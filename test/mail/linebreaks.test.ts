import { expect, test } from 'vitest'
import { latin1, utf8 } from '../../src/base/bytes.ts'
import { hasBareBreaks, normaliseLineBreaks } from '../../src/mail/linebreaks.ts'

const normal = (text: string) => latin1(normaliseLineBreaks(utf8(text)))

test('every bare CR and LF becomes a CRLF, and pairs stay', () => {
  expect(normal('a\nb\rc\r\nd')).toBe('a\r\nb\r\nc\r\nd')
  expect(normal('\n')).toBe('\r\n')
  expect(normal('\r')).toBe('\r\n')
  expect(normal('\n\r')).toBe('\r\n\r\n')
  expect(normal('\r\r\n\n')).toBe('\r\n\r\n\r\n')
  expect(normal('a\r\n\rb\n\n.\n')).toBe('a\r\n\r\nb\r\n\r\n.\r\n')
})

test('clean bytes come back as the same array', () => {
  for (const clean of ['', 'a', '\r\n', 'a\r\n.\r\n\r\nb\r\n']) {
    const bytes = utf8(clean)
    expect(normaliseLineBreaks(bytes)).toBe(bytes)
    expect(hasBareBreaks(bytes)).toBe(false)
  }
})

test('every text of CR, LF and a letter up to six long agrees with the plain rule', () => {
  for (let length = 0; length <= 6; length++) {
    for (let n = 0; n < 3 ** length; n++) {
      const text = Array.from({ length }, (_, at) => '\r\na'[Math.floor(n / 3 ** at) % 3]).join('')
      const ruled = text.replace(/\r\n|\r|\n/g, '\r\n')
      expect(normal(text)).toBe(ruled)
      expect(hasBareBreaks(utf8(text))).toBe(text !== ruled)
    }
  }
})

test('bytes above ASCII pass as they are', () => {
  expect([...normaliseLineBreaks(Uint8Array.of(0xff, 10, 0x00, 0xe9))]).toEqual([0xff, 13, 10, 0x00, 0xe9])
})
