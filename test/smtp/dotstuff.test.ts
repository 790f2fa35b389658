import { expect, test } from 'vitest'
import { concat, latin1, utf8 } from '../../src/base/bytes.ts'
import { DotStuffer } from '../../src/smtp/dotstuff.ts'

function wire(...chunks: (string | Uint8Array)[]): string {
  const stuffer = new DotStuffer()
  const pieces = chunks.map((chunk) => stuffer.push(typeof chunk === 'string' ? utf8(chunk) : chunk))
  return latin1(concat([...pieces, stuffer.end()]))
}

/** Sends the text whole, and cut in two at every place. */
function everyWay(text: string): string[] {
  const bytes = utf8(text)
  const cuts = Array.from(bytes, (_, at) => wire(bytes.subarray(0, at), bytes.subarray(at)))
  const single = wire(...Array.from(bytes, (byte) => Uint8Array.of(byte)))
  return [...new Set([wire(bytes), single, ...cuts])]
}

test.each([
  [
    'a dot that opens a line is doubled, wherever chunks end',
    '.a\r\n.\r\nb.c\r\n..\r\n',
    '..a\r\n..\r\nb.c\r\n...\r\n.\r\n',
  ],
  ['a body without a last line end gets one', 'a', 'a\r\n.\r\n'],
  ['a body that ends in a dot is not the end', '\r\n.', '\r\n..\r\n.\r\n'],
  ['a body that ends in CR LF gets no empty line', 'a\r\n', 'a\r\n.\r\n'],
  ['bare LF becomes CR LF', 'a\nb\n', 'a\r\nb\r\n.\r\n'],
  ['bare CR becomes CR LF', 'a\rb\r', 'a\r\nb\r\n.\r\n'],
  ['CR CR LF is a bare CR and a line end', 'a\r\r\nb', 'a\r\n\r\nb\r\n.\r\n'],
  ['LF CR is two line ends', 'a\n\rb', 'a\r\n\r\nb\r\n.\r\n'],
  ['LF dot LF smuggles nothing', 'a\n.\nMAIL FROM:<e@x>', 'a\r\n..\r\nMAIL FROM:<e@x>\r\n.\r\n'],
  ['CR dot CR smuggles nothing', 'a\r.\rMAIL', 'a\r\n..\r\nMAIL\r\n.\r\n'],
  ['LF dot CR LF smuggles nothing', 'a\n.\r\nMAIL', 'a\r\n..\r\nMAIL\r\n.\r\n'],
  ['CR LF dot LF smuggles nothing', 'a\r\n.\nMAIL', 'a\r\n..\r\nMAIL\r\n.\r\n'],
  ['CR LF dot CR smuggles nothing', 'a\r\n.\rMAIL', 'a\r\n..\r\nMAIL\r\n.\r\n'],
])('%s', (_promise, text, expected) => {
  expect(everyWay(text)).toEqual([expected])
})

test('an empty body is the dot alone', () => {
  expect(wire()).toBe('.\r\n')
})

test('U+2028, U+2029, U+0085, form feed and NUL open no line', () => {
  const text = 'a\u2028.b\u2029.c\u0085.d\f.e\v.f\0.g\r\n'
  expect(everyWay(text)).toEqual([`${latin1(utf8(text))}.\r\n`])
})

test('bytes over 127 pass as they are', () => {
  const every = Uint8Array.from({ length: 128 }, (_, at) => at + 128)
  expect(wire(every)).toBe(`${latin1(every)}\r\n.\r\n`)
})

test('only what a receiver takes for the end is at the end', () => {
  // Every text of up to six of the bytes that matter, read back as a server does.
  const alphabet = ['\r', '\n', '.', 'a']
  let texts = ['']
  for (let length = 1; length <= 6; length++) {
    texts = texts.flatMap((text) => alphabet.map((character) => text + character))
    for (const text of texts) {
      const sent = wire(text)
      expect(sent.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      expect(`\r\n${sent}`.indexOf('\r\n.\r\n')).toBe(sent.length - 3)
      const kept = sent
        .slice(0, -3)
        .split('\r\n')
        .map((line) => line.replace(/^\./, ''))
        .join('\r\n')
      const lines = text.replace(/\r\n|\r|\n/g, '\r\n')
      expect(kept).toBe(lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`)
    }
  }
})
