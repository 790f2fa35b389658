import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { charsetOf, decodeUnlabelled } from '../../../src/mail/mime/charset.ts'
import {
  fieldMap,
  fieldName,
  firstField,
  parameter,
  parseStructured,
  readFields,
} from '../../../src/mail/mime/header.ts'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { listAttachments } from '../../../src/mail/mime/parts.ts'
import { mailBytes, seeded } from '../../fixtures/mail/mails.ts'

const read = (text: string, limit = 100) => readFields(mailBytes(text), limit)

test('fields are unfolded and keep their order, their case and their repetitions', () => {
  const { fields, cut } = read(
    'Subject: one\r\n  two\r\nX-A:b\r\nsubject : three \r\nno colon here\r\nEmpty:\r\n\r\nbody: no',
  )
  expect(fields).toEqual([
    ['Subject', 'one  two'],
    ['X-A', 'b'],
    ['subject', 'three'],
    ['no colon here', ''],
    ['Empty', ''],
  ])
  expect(cut).toBe(false)
  expect(firstField(fields, 'subject')).toBe('one  two')
  expect(firstField(fields, 'to')).toBeUndefined()
})

test('fields beyond the limit are left out, and that is told', () => {
  expect(read('A: 1\nB: 2\nC: 3\n\n', 2)).toEqual({
    fields: [
      ['A', '1'],
      ['B', '2'],
    ],
    cut: true,
  })
  expect(read('A: 1\nB: 2\nC: 3', 2)).toEqual({
    fields: [
      ['A', '1'],
      ['B', '2'],
    ],
    cut: true,
  })
  expect(read('A: 1\nB: 2\n\n', 2).cut).toBe(false)
})

test('a carriage return alone becomes a space, so that no value holds a line of its own', () => {
  expect(read('Subject: a\rBcc: b@x.test\r\n\r\n').fields).toEqual([['Subject', 'a Bcc: b@x.test']])
})

test('raw 8-bit fields are UTF-8 where they can be, else windows-1252', () => {
  expect(read('A: gr\xc3\xbcn\r\nB: gr\xfcn \x80\r\n').fields).toEqual([
    ['A', 'grün'],
    ['B', 'grün €'],
  ])
  expect(decodeUnlabelled(mailBytes('\xef\xbb\xbfFrom'))).toBe('\ufeffFrom')
})

test('a field named __proto__ is a field like any other', () => {
  const map = fieldMap([
    ['__proto__', 'x'],
    ['Constructor', 'y'],
    ['constructor', 'z'],
  ])
  expect(Object.getPrototypeOf(map)).toBeNull()
  expect(Object.keys(map)).toEqual(['__proto__', 'constructor'])
  expect(map.constructor).toEqual(['y', 'z'])
})

test('only space and tab may stand before the colon', () => {
  expect(fieldName(mailBytes('Content-Type \t: x'))).toBe('content-type')
  expect(fieldName(mailBytes('\xa0From: x'))).toBe('\xa0from')
  expect(fieldName(mailBytes('no colon'))).toBe('')
})

test.each([
  ['text/plain; charset=utf-8', 'text/plain', { charset: 'utf-8' }],
  ['TEXT/Plain ; Charset = "utf-8" (comment)', 'text/plain', { charset: 'utf-8' }],
  ['(a(b)c) text/plain', 'text/plain', {}],
  ['a/b; name="x;y\\"z"; name=second', 'a/b', { name: 'x;y"z' }],
  ['a/b; flag; name=x', 'a/b', { flag: '', name: 'x' }],
  ['a/b; name=C:\\Users\\a.txt', 'a/b', { name: 'C:\\Users\\a.txt' }],
  ['a/b; name=a  b ', 'a/b', { name: 'a  b' }],
  ['a/b; name="a" junk', 'a/b', { name: 'a' }],
  ['a/b; boundary="x" (never closed; name=y', 'a/b', { boundary: 'x', name: 'y' }],
  ['a/b; boundary="never closed', 'a/b', { boundary: 'never closed' }],
  ['', '', {}],
])('%s: value and parameters', (text, value, params) => {
  const parsed = parseStructured(text)
  expect(parsed.value).toBe(value)
  expect(Object.fromEntries(parsed.params)).toEqual(params)
})

test.each([
  ["x; filename*=utf-8'en'%e2%82%ac%20rates", '€ rates'],
  ["x; filename*0*=utf-8''%e2%82; filename*1*=%ac; filename*2=%41", '€%41'],
  ['x; filename*0=a; filename*2=c; filename*1=b', 'abc'],
  ['x; filename*=%41', 'A'],
  ["x; filename*=nonsense''%fc", 'ü'],
  ["x; filename*=cp932''%83%65", 'テ'],
  ["x; filename*=utf-8''a%zz%", 'a%zz%'],
  ['x; filename*x=a; filename=b', 'b'],
  ['x; name=a', undefined],
])('%s: the file name', (text, name) => {
  expect(parameter(parseStructured(text).params, 'filename')).toBe(name)
})

test.each([
  ['utf-8', 'utf-8', true],
  [' "UTF8" '.replaceAll('"', ''), 'utf-8', true],
  ['latin1', 'windows-1252', true],
  ['cp1251', 'windows-1251', true],
  ['x-cp936', 'gbk', true],
  ['ms932', 'shift_jis', true],
  ['x-unknown', 'windows-1252', false],
  ['utf-7', 'windows-1252', false],
  ['iso-2022-kr', 'windows-1252', false],
  ['\0', 'windows-1252', false],
  ['x'.repeat(100_000), 'windows-1252', false],
  [undefined, 'utf-8', true],
])('charset %.20s reads as %s', (label, encoding, known) => {
  const charset = charsetOf(label)
  expect([charset.decoder.encoding, charset.known]).toEqual([encoding, known])
  expect(() => charset.decoder.decode(mailBytes('\xff\xfe\x80'))).not.toThrow()
})

test('on noise of a thousand kinds, type and file name are what postal-mime reads', async () => {
  const random = seeded(5)
  const pieces = [
    'application/x',
    '; ',
    ';',
    'name',
    'filename',
    '*',
    '0',
    '1',
    '=',
    '=',
    '"',
    "'",
    '(',
    ')',
    '\\',
    ' ',
    'a',
    "utf-8''",
    '%41',
    'ü',
  ]
  for (let turn = 0; turn < 1000; turn++) {
    const noise = Array.from(
      { length: Math.floor(random() * 14) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join('')
    const mail = `Content-Type: application/x; ${noise}\nContent-Disposition: attachment; ${noise}\n\nx`
    const bytes = new TextEncoder().encode(mail)
    const intake = new MimeIntake()
    intake.write(bytes)
    const [ours] = listAttachments(intake.end().root)
    const [theirs] = (await PostalMime.parse(bytes)).attachments
    expect([ours?.type, ours?.disposition], noise).toEqual([theirs?.mimeType, theirs?.disposition])
    // A name of white space alone is none to us: it could not be shown.
    expect(ours?.filename ?? '', noise).toBe(theirs?.filename ?? '')
  }
})
