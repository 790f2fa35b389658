import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { hash64 } from '../../src/mail/fingerprint.ts'
import { MimeIntake } from '../../src/mail/mime/indexer.ts'
import { mailBytes } from '../fixtures/mail/mails.ts'

function fingerprint(text: string, recipient = 'me@x.test') {
  const intake = new MimeIntake()
  intake.write(mailBytes(text))
  return intake.end().fingerprint(recipient)
}

const MAIL =
  'From: a@x.test\r\nSubject: one\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n\r\nHello\r\n'

test('a message has one fingerprint, whatever trace fields each attempt to deliver it adds', () => {
  const again = `Return-Path: <x@x.test>\r\nReceived: from a by b;\r\n now\r\nAuthentication-Results: b; spf=pass\r\n${MAIL}`
  expect(fingerprint(again)).toBe(fingerprint(MAIL))
  expect(fingerprint(MAIL.replace('Subject: one', 'Subject:\r\n one'))).toBe(fingerprint(MAIL))
})

test.each([
  ['From', MAIL.replace('a@x', 'b@x')],
  ['Subject', MAIL.replace('one', 'two')],
  ['Date', MAIL.replace('00:00:00', '00:00:01')],
  ['Message-ID', MAIL.replace('<1@', '<2@')],
  ['body', MAIL.replace('Hello', 'hello')],
  ['body length', `${MAIL}\r\n`],
  ['missing field', MAIL.replace('Subject: one\r\n', '')],
])('another %s makes another fingerprint', (_, other) => {
  expect(fingerprint(other)).not.toBe(fingerprint(MAIL))
})

test('each envelope recipient of a message has its own', () => {
  expect(fingerprint(MAIL, 'you@x.test')).not.toBe(fingerprint(MAIL))
  expect(fingerprint(MAIL)).toMatch(/^[0-9a-f]{16}$/)
})

test('what moves from one field to the next is not the same message', () => {
  expect(fingerprint('From: a\r\nSubject: b\r\n\r\n')).not.toBe(fingerprint('From: b\r\nSubject: a\r\n\r\n'))
  expect(fingerprint('From: a","b\r\n\r\n')).not.toBe(fingerprint('From: a\r\nDate: b\r\n\r\n'))
})

test('hash64 is the first 64 bits of SHA-256', () => {
  expect(hash64('grün')).toBe(createHash('sha256').update('grün').digest('hex').slice(0, 16))
})
