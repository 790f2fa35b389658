import { expect, test } from 'vitest'
import { latin1, utf8 } from '../../src/base/bytes.ts'
import { Problem } from '../../src/base/problem.ts'
import { makeReady, scanHeader, scanOutgoing } from '../../src/mail/ready.ts'

const added = { now: Date.UTC(2026, 10, 23, 20, 8, 17), messageId: '<new@x.example>' }
const crlf = (text: string) => utf8(text.replace(/\r?\n/g, '\r\n'))
const ready = (text: string) => makeReady(crlf(text), added)
const out = (text: string) => latin1(ready(text).bytes).replaceAll('\r\n', '\n')

/** The paths and reasons of a refusal. */
function faults(text: string | Uint8Array): string[] {
  try {
    makeReady(typeof text === 'string' ? crlf(text) : text, added)
  } catch (error) {
    if (error instanceof Problem) return (error.detail.fields ?? []).map(({ path, reason }) => `${path} ${reason}`)
    throw error
  }
  return []
}

const WHOLE = 'From: Ann <a@x.example>\nDate: Mon, 23 Nov 2026 20:00:00 +0100\nMessage-ID: <own@x.example>\n'

test('a complete message leaves byte for byte as it came', () => {
  const bytes = crlf(
    `${WHOLE}X-Odd :  two  spaces \n\tfolded\nSubject: =?utf-8?q?=C3=A9?=\n\n.body\n \nBcc: not a header\n`,
  )
  const made = makeReady(bytes, added)
  expect(made.bytes).toBe(bytes)
  expect(made).toMatchObject({
    messageId: '<own@x.example>',
    date: Date.UTC(2026, 10, 23, 19),
    subject: '=?utf-8?q?=C3=A9?=',
  })
  expect(made).toMatchObject({ eightBit: false, utf8Headers: false })
})

test('every Bcc, Resent-Bcc and Return-Path goes, folds and odd spellings included', () => {
  const bcc =
    'Bcc: b@y.example,\n c@y.example\nBCC :d@y.example\nresent-bcc: e@y.example\nReturn-Path: <f@y.example>\nbcc:\n'
  expect(out(`${bcc}${WHOLE}${bcc}To: t@y.example\n${bcc}\nhi\n`)).toBe(`${WHOLE}To: t@y.example\n\nhi\n`)
  expect(out(`${WHOLE}Bcc: b@y.example`)).toBe(`${WHOLE}\n`)
})

test('Date and Message-ID are added where they are missing or empty', () => {
  const lines = 'Date: Mon, 23 Nov 2026 20:08:17 +0000\nMessage-ID: <new@x.example>\n'
  expect(out('From: a@x.example\n\nhi')).toBe(`From: a@x.example\n${lines}\nhi`)
  expect(out('Date:\nFrom: a@x.example\nMessage-ID: \n\nhi')).toBe(`From: a@x.example\n${lines}\nhi`)
  for (const headerOnly of ['From: a@x.example', 'From: a@x.example\n', 'From: a@x.example\n\n']) {
    expect(out(headerOnly)).toBe(`From: a@x.example\n${lines}\n`)
  }
  expect(ready('From: a@x.example\n\nhi')).toMatchObject({ messageId: '<new@x.example>', date: added.now })
  expect(ready('From: a@x.example\nMessage-ID:\n <f@y>\nDate: nonsense\n\n')).toMatchObject({
    messageId: '<f@y>',
    date: added.now,
  })
})

test('bare CR and LF become CRLF before anything is read', () => {
  const made = makeReady(utf8('From: a@x.example\rBcc: b@y.example\nTo: c@y.example\r\n\nhi\n.\n'), added)
  expect(latin1(made.bytes)).not.toContain('Bcc')
  expect(latin1(made.bytes)).toMatch(/\r\n\r\nhi\r\n\.\r\n$/)
})

test('the parties and the subject are told as written', () => {
  const made = ready(
    'From: "Lee, Ann" (boss)\n\t<a@x.example>, b@x.example\nSender: s@x.example\nTo: Team: t@y.example, broken;\nCc: c@y.example\nReply-To: r@x.example\nSubject: one\n two\n\n',
  )
  expect(made.headerFrom.map((each) => [each.name, each.address.address])).toEqual([
    ['Lee, Ann', 'a@x.example'],
    [undefined, 'b@x.example'],
  ])
  expect(made.sender?.address.address).toBe('s@x.example')
  expect([made.to, made.cc, made.replyTo].map((list) => list.map((each) => each.address.address))).toEqual([
    ['t@y.example'],
    ['c@y.example'],
    ['r@x.example'],
  ])
  expect(made.subject).toBe('one two')
})

test('a message whose From leaves any doubt is refused', () => {
  expect(faults('To: t@y.example\n\n')).toEqual(['From is missing'])
  expect(faults('\nFrom: a@x.example\n')).toEqual(['From is missing'])
  expect(faults('')).toEqual(['From is missing'])
  expect(faults('From: a@x.example\nfrom : b@x.example\n\n')).toEqual(['From stands more than once'])
  for (const doubtful of [
    '',
    'ann',
    'a@x.example, ann',
    'a@x.example (b@x.example',
    '"a@x.example',
    'a@x.example <b@x.example> c',
    'Team:;',
  ]) {
    expect(faults(`From: ${doubtful}\n\n`), doubtful).toEqual(['From cannot be read as addresses'])
  }
  expect(faults('From: a@x.example\nSender: b@x.example\nSender: c@x.example\n\n')).toEqual([
    'Sender stands more than once',
  ])
  expect(faults('From: a@x.example\nSender: b@x.example, c@x.example\n\n')).toEqual(['Sender is not one address'])
})

test('a header line that is no field is refused, not passed over', () => {
  for (const odd of [
    'From a@x.example Mon Nov 23',
    'Sub ject: x',
    'X\x01Y: x',
    'Sübject: x',
    ': x',
    'no colon',
    `${'x'.repeat(201)}: y`,
  ]) {
    expect(faults(`${WHOLE}${odd}\nBcc: b@y.example\n\nhi`), odd).toEqual([
      expect.stringContaining('header has a line that is no field'),
    ])
  }
  expect(faults(` folded first\n${WHOLE}\n`)).toEqual(['header has a line that is no field: " folded first"'])
  expect(faults(`${WHOLE}X: a\0b\n\n`)).toEqual(['header holds a NUL'])
})

test('a header beyond its limits is refused, with the limit', () => {
  const lines = (count: number) => 'X: y\n'.repeat(count)
  expect(faults(`${lines(997)}${WHOLE}\n`)).toEqual([])
  expect(faults(`${lines(998)}${WHOLE}\n`)).toEqual(['header has more than 1000 fields'])
  expect(faults(`${WHOLE}X: ${'y'.repeat(256 * 1024)}\n\n`)).toEqual(['header is larger than 262144 bytes'])
  expect(faults(`${WHOLE}X: ${' y\n'.repeat(128 * 1024)}\n\n`)).toEqual(['header is larger than 262144 bytes'])
})

test('bytes above ASCII are told, in the header and in the body', () => {
  expect(ready(`${WHOLE}\né`)).toMatchObject({ eightBit: true, utf8Headers: false })
  expect(ready(`${WHOLE}Subject: é\n\n`)).toMatchObject({ eightBit: true, utf8Headers: true, subject: 'é' })
  const latin = Uint8Array.from([...utf8('Subject: '), 0xe9, ...crlf(`\n${WHOLE}\n`)])
  expect(makeReady(latin, added).subject).toBe('é')
})

test('a From at fault is told apart from a header at fault', () => {
  const code = (text: string) => {
    try {
      ready(text)
    } catch (error) {
      return error instanceof Problem ? error.code : undefined
    }
    return 'taken'
  }
  expect(code('To: t@y.example\n\n')).toBe('invalid_from_address')
  expect(code(`${WHOLE}odd\nodder\n\n`)).toBe('validation_error')
  expect(code('odd\n\n')).toBe('validation_error')
  expect(faults('odd\nodder\n\n')).toEqual(['header has a line that is no field: "odd"', 'From is missing'])
})

test('fields are read without a blank after the colon, with digits, and to the longest name', () => {
  expect(ready('From:a@x.example\nX-19: y\n\n').headerFrom[0]?.address.address).toBe('a@x.example')
  expect(faults(`${WHOLE}${'x'.repeat(200)}: y\n\n`)).toEqual([])
})

test('the longest line is counted without its break', () => {
  expect(scanOutgoing(utf8('ab\r\nabcd\r\nabc'))).toEqual({ eightBit: false, longestLine: 4 })
  expect(scanOutgoing(utf8('abc'))).toEqual({ eightBit: false, longestLine: 3 })
  expect(scanOutgoing(utf8('\r\n\r\n'))).toEqual({ eightBit: false, longestLine: 0 })
  expect(scanOutgoing(Uint8Array.of(127, 13))).toEqual({ eightBit: false, longestLine: 1 })
  expect(scanOutgoing(Uint8Array.of(128))).toEqual({ eightBit: true, longestLine: 1 })
})

test('twice the hostile header takes no more than some twice the time', () => {
  for (const piece of ['X: (\r\n', ' \r\n', 'From: "\r\n', '(((((((\r\n', '\r\r\r\n\n']) {
    const took = (size: number) => {
      const bytes = utf8(`From: ${piece.repeat(size / piece.length)}`)
      const start = performance.now()
      faults(bytes)
      scanHeader(bytes)
      return performance.now() - start
    }
    took(1 << 16)
    expect(took(1 << 21), piece).toBeLessThan(Math.max(500, took(1 << 20) * 8))
  }
})
