import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { marksOf } from '../../src/mail/marks.ts'
import { MimeIntake } from '../../src/mail/mime/indexer.ts'
import { readMessage } from '../../src/mail/mime/read.ts'

function marks(...lines: string[]) {
  const intake = new MimeIntake()
  intake.write(utf8(lines.join('\r\n')))
  const indexed = intake.end()
  return marksOf({ root: indexed.root, ...readMessage(indexed) })
}

test('mail of a person bears no mark', () => {
  expect(marks('From: a@b.test', 'Auto-Submitted: no', 'X-Autoreply: no', '', 'Hi')).toBe(null)
})

test('a list tells its name, where to post, and how to leave', () => {
  const one = [
    'List-Id: Friends of <friends.lists.test>',
    'List-Post: <mailto:friends@lists.test> (moderated)',
    'List-Unsubscribe: <mailto:leave@lists.test?subject=x>, <HTTPS://lists.test/leave/',
    '  abc>, <javascript:alert(1)>, <ftp://x>',
    'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
  ]
  expect(marks(...one, '', 'x')).toEqual({
    list: {
      id: 'friends.lists.test',
      post: 'friends@lists.test',
      unsubscribe: ['mailto:leave@lists.test?subject=x', 'https://lists.test/leave/abc'],
      one_click: true,
    },
  })
  expect(marks('List-Post: NO', 'List-Id: bare.lists.test', '', 'x')).toEqual({ list: { id: 'bare.lists.test' } })
  expect(marks('List-Unsubscribe: <mailto:a@b>', 'List-Unsubscribe-Post: List-Unsubscribe=One-Click', '', 'x')).toEqual(
    {
      list: { unsubscribe: ['mailto:a@b'] },
    },
  )
})

test.each([
  ['Auto-Submitted: auto-replied (vacation)', 'auto-replied'],
  ['Auto-Submitted: auto-generated', 'auto-generated'],
  ['Auto-Submitted: auto-notified; owner=x', 'auto-generated'],
  ['X-Autoreply: yes', 'auto-replied'],
  ['Precedence: auto_reply', 'auto-replied'],
  ['Precedence: Bulk', 'bulk'],
])('%s is told as %s', (line, auto) => {
  expect(marks(line, '', 'x')).toEqual({ auto })
})

const part = (type: string) => [
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  `Content-Type: ${type}`,
  '',
  'x',
]

test.each([
  ['multipart/signed; protocol="application/pkcs7-signature"; boundary=c', { signed: 'smime' }],
  ['multipart/signed; protocol="application/pgp-signature"; boundary=c', { signed: 'pgp' }],
  ['multipart/encrypted; protocol="application/pgp-encrypted"; boundary=c', { encrypted: 'pgp' }],
  ['application/pkcs7-mime; smime-type=signed-data; name=smime.p7m', { signed: 'smime' }],
  ['application/x-pkcs7-mime; smime-type=enveloped-data', { encrypted: 'smime' }],
  ['application/pkcs7-mime; name=smime.p7m', { encrypted: 'smime' }],
  ['application/pkcs7-mime; smime-type=certs-only', null],
  ['application/ms-tnef; name=winmail.dat', { tnef: true }],
  ['application/octet-stream; name=WINMAIL.DAT', { tnef: true }],
  ['text/calendar; method=REQUEST', { invitation: true }],
  ['application/octet-stream; name="Invite.ICS"', { invitation: true }],
])('a part of type %s is marked so, wherever it stands', (type, expected) => {
  expect(marks(...part(type))).toEqual(expected)
})

test('inline PGP is known by its first line', () => {
  expect(marks('', 'Hi', '-----BEGIN PGP SIGNED MESSAGE-----', 'Hash: SHA256')).toEqual({ signed: 'pgp' })
  expect(marks('', '-----BEGIN PGP MESSAGE-----')).toEqual({ encrypted: 'pgp' })
  expect(marks('', 'write -----BEGIN PGP MESSAGE-----')).toBe(null)
})

test('a hundred thousand URIs of a list cost no more than a few', () => {
  const value = '<https://x.test/y>, '.repeat(100_000)
  const told = marks(`List-Unsubscribe: ${value}`, '', 'x')
  expect(told?.list?.unsubscribe).toHaveLength(4)
})
