import { expect, test } from 'vitest'
import { concat, utf8 } from '../../src/base/bytes.ts'
import { readForm, textOf } from '../../src/base/form.ts'

const MULTIPART = 'multipart/form-data; charset=utf-8; boundary="b0"'
const part = (head: string, value: string) => `--b0\r\n${head}\r\n\r\n${value}\r\n`
const named = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value)

test('fields of a multipart form are its octets, whatever they are', () => {
  const octets = Uint8Array.of(0, 255, 13, 10, 45, 45, 13, 13, 10, 45, 45, 98)
  const head = 'Content-Disposition: form-data; filename="name"; name="raw"\r\nContent-Type: message/rfc822'
  const body = concat([
    utf8(`preamble\r\n${named('to', 'a@x.test')}${named('empty', '')}--b0\r\n${head}\r\n\r\n`),
    octets,
    utf8(`\r\n${named('to', 'second')}--b0--\r\n`),
  ])
  const form = readForm(MULTIPART, body) ?? new Map()
  expect([...form.keys()]).toEqual(['to', 'empty', 'raw'])
  expect(textOf(form, 'to')).toBe('a@x.test')
  expect(form.get('empty')).toHaveLength(0)
  expect(form.get('raw')).toEqual(octets)
  expect(textOf(form, 'raw')).toBe('')
})

test('a multipart form whose end is missing is none', () => {
  const whole = `${named('a', '1')}${named('b', '2')}--b0--`
  expect(readForm(MULTIPART, utf8(whole))).toBeDefined()
  for (let length = 0; length < whole.length; length++) {
    expect(readForm(MULTIPART, utf8(whole.slice(0, length))), `${length}`).toBeUndefined()
  }
})

test('what is urlencoded is decoded to octets; what is no escape stays', () => {
  const form = readForm('application/x-www-form-urlencoded', utf8('a=1+2%2B%ff%0d&&b&=c&a=3&d=%zz%4&e=%')) ?? new Map()
  expect(form.get('a')).toEqual(Uint8Array.of(0x31, 0x20, 0x32, 0x2b, 0xff, 0x0d))
  expect(['b', 'd', 'e', ''].map((name) => textOf(form, name))).toEqual(['', '%zz%4', '%', ''])
})

test('no other type is a form', () => {
  for (const type of ['', 'text/plain', 'application/json', 'multipart/form-data', 'multipart/mixed; boundary=b0']) {
    expect(readForm(type, utf8(`${named('a', '1')}--b0--`)), type).toBeUndefined()
  }
})

test('hostile forms are read in linear time', () => {
  const size = 4 * 1024 * 1024
  const flood = (text: string) => utf8(text.repeat(Math.ceil(size / text.length)))
  const began = performance.now()
  for (const text of ['\r', '\r\n--b', '\r\n--b0', '\r\n--b0\r\n', '\r\n--b0\r\n\r\n']) readForm(MULTIPART, flood(text))
  for (const text of ['&', '=', '%', '%4', 'a&']) readForm('application/x-www-form-urlencoded', flood(text))
  readForm(`multipart/form-data;${' ;boundary'.repeat(100_000)}`, utf8('x'))
  // Forty MiB in all take half a second; the square of four would take hours.
  expect(performance.now() - began).toBeLessThan(20_000)
})
