import { expect, test } from 'vitest'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { isAttachment, listAttachments } from '../../../src/mail/mime/parts.ts'
import { formatMailbox, readMessage } from '../../../src/mail/mime/read.ts'
import { brokenMails, MAILS, mailBytes } from '../../fixtures/mail/mails.ts'

function index(text: string) {
  const intake = new MimeIntake()
  intake.write(mailBytes(text))
  return intake.end()
}

const read = (text: string) => readMessage(index(text))
const named = (name: string) => read(MAILS[name] ?? '')

test('a mail says who, what and when', () => {
  expect(named('text and attachment')).toMatchObject({
    subject: 'Grüße',
    from: { name: 'A', address: 'a@x.test' },
    sender: undefined,
    to: [{ name: '', address: 'b@y.test' }],
    cc: [],
    date: Date.UTC(2024, 0, 2, 2, 4, 5),
    messageId: '1@x.test',
    inReplyTo: [],
    references: [],
    text: 'café olé',
    html: undefined,
    preview: 'café olé',
    problems: [],
  })
})

test('what a mail does not say is not made up', () => {
  const { subject, from, date, messageId, text, html, headers } = named('nothing at all')
  expect([subject, from, date, messageId, text, html, headers]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    '',
    undefined,
    [],
  ])
  expect(read('Date: soon\r\nMessage-ID:\r\nIn-Reply-To: your letter\r\n\r\n')).toMatchObject({
    date: undefined,
    messageId: undefined,
    inReplyTo: [],
  })
})

test('attachments are listed with what is needed to serve them', () => {
  expect(named('text and attachment').attachments).toEqual([
    {
      path: '2',
      filename: 'a.pdf',
      type: 'application/pdf',
      disposition: 'attachment',
      contentId: null,
      size: 14,
      related: false,
    },
  ])
  expect(named('alternative with related image').attachments).toEqual([
    { path: '2.2', filename: null, type: 'image/png', disposition: 'inline', contentId: 'i@x', size: 4, related: true },
  ])
})

test('an image is related where it stands in a multipart/related and has a Content-ID', () => {
  const image = (kind: string, id: string) =>
    `Content-Type: multipart/${kind}; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n${id}\r\n--b--`
  const related = (kind: string, id: string) => read(image(kind, id)).attachments[0]?.related
  expect(related('related', 'Content-ID: <a@x>\r\n')).toBe(true)
  expect(related('related', '')).toBe(false)
  expect(related('mixed', 'Content-ID: <a@x>\r\n')).toBe(false)
})

test('a nested message is one attachment, and its text is not that of the mail', () => {
  const { text, attachments } = named('nested message')
  expect(text).toBe('see below')
  expect(attachments.map(({ path, type }) => [path, type])).toEqual([['2', 'message/rfc822']])
})

test('signed and encrypted parts stay visible', () => {
  const { text, attachments } = named('signed')
  expect(text).toBe('signed text')
  expect(attachments).toMatchObject([{ path: '2', type: 'application/pgp-signature', filename: 's.asc' }])
})

// QUIRK: postal-mime lists neither, so that nobody would learn that there is something to read.
test('a multipart that cannot be taken apart is an attachment as a whole', () => {
  for (const name of ['multipart without a boundary', 'multipart whose boundary never comes']) {
    expect(named(name).attachments, name).toMatchObject([{ type: 'multipart/mixed', size: 15 }])
  }
  expect(index('Content-Type: multipart/mixed; boundary=b\r\n\r\n').root).toSatisfy((root) => !isAttachment(root))
})

test('of a repeated field that must not be, the first counts; recipients are taken together', () => {
  const { subject, from } = named('repeated fields')
  expect([subject, from?.address]).toEqual(['first', 'a@x.test'])
  expect(read('From:\r\nFrom: b@x.test\r\n\r\n').from).toBeUndefined()
  expect(read('To: a@x.test\r\nTo: b@x.test, c@x.test\r\n\r\n').to.map(({ address }) => address)).toEqual([
    'a@x.test',
    'b@x.test',
    'c@x.test',
  ])
})

test('groups are taken apart, and an empty one has nobody in it', () => {
  const { to, cc, from } = read(
    'From: Us: a@x.test;\r\nTo: Them: B <b@x.test>, c@x.test;, d@x.test\r\nCc: undisclosed-recipients:;\r\n\r\n',
  )
  expect(to.map(formatMailbox)).toEqual(['B <b@x.test>', 'c@x.test', 'd@x.test'])
  expect([cc, from]).toEqual([[], { name: '', address: 'a@x.test' }])
})

test('an address in a quoted name or an encoded word is no address', () => {
  expect(read('From: "victim@bank.test" <a@x.test>\r\n\r\n').from).toEqual({
    name: 'victim@bank.test',
    address: 'a@x.test',
  })
  expect(read('From: "a@b"@c.test\r\n\r\n').from?.address).not.toBe('a@b')
  expect(read('From: =?utf-8?B?dGVzdEBldmlsLmNv?=\r\n\r\n').from?.address).toBe('')
})

test.each([
  [{ name: 'Jörg', address: 'j@x.test' }, 'Jörg <j@x.test>'],
  [{ name: 'Doe, "J"', address: 'j@x.test' }, '"Doe, \\"J\\"" <j@x.test>'],
  [{ name: '', address: 'j@x.test' }, 'j@x.test'],
  [{ name: 'nobody', address: '' }, 'nobody'],
])('%j as text', (mailbox, text) => {
  expect(formatMailbox(mailbox)).toBe(text)
})

test('fields in raw UTF-8 and raw Latin-1 are both read', () => {
  const { subject, from, headers } = named('utf-8 and latin-1 in fields')
  expect([subject, from]).toEqual(['Grüße', { name: 'Jörg', address: 'j@x.test' }])
  expect(headers).toEqual([
    ['Subject', 'Grüße'],
    ['X-A', 'Grüße'],
    ['From', 'Jörg <j@x.test>'],
  ])
})

test('thousands of addresses, fields and references are cut, and that is told', () => {
  const many = read(`To: ${'a@x.test, '.repeat(3000)}\r\n\r\n`)
  expect(many.to).toHaveLength(1000)
  expect(many.problems).toEqual(['address_limit'])
  const long = read(`To: ${`"${'n'.repeat(90)}" <a@x.test>, `.repeat(900)}b@x.test\r\n\r\n`)
  expect(long.problems).toEqual(['address_limit'])
  expect(new Set(long.to.map(({ address }) => address))).toEqual(new Set(['a@x.test']))
  const fields = read(`${'A: b\r\n'.repeat(3000)}Subject: x\r\n\r\nhi`)
  expect([fields.headers.length, fields.text, fields.problems]).toEqual([2000, 'hi', ['field_limit']])
  const ids = read(`References: ${Array.from({ length: 500 }, (_, at) => `<${at}@x>`).join(' ')}\r\n\r\n`)
  expect([ids.references.length, ids.references[0], ids.references.at(-1), ids.problems]).toEqual([
    100,
    '0@x',
    '499@x',
    ['reference_limit'],
  ])
})

test('text beyond the limit is cut, not refused', () => {
  const { text, problems } = read(`Subject: long\r\n\r\n${'line\r\n'.repeat(500_000)}`)
  expect(problems).toEqual(['skeleton_limit'])
  expect(text?.length).toBeGreaterThan(1_700_000)
})

test('an unknown charset is guessed, and that is told', () => {
  expect(read('Content-Type: text/plain; charset=x-martian\r\n\r\ncaf\xe9')).toMatchObject({
    text: 'café',
    problems: ['unknown_charset'],
  })
})

test('no bytes make it throw', () => {
  for (const text of brokenMails(3000)) {
    const indexed = index(text)
    const message = readMessage(indexed)
    expect(message.problems).not.toContain('unparsed')
    expect(message.attachments).toEqual(listAttachments(indexed.root))
  }
})

test('a megabyte of what is hard to read takes time in proportion, and twice as much no more', () => {
  const hostile: Record<string, (size: number) => string> = {
    addresses: (size) => `To: ${'a,'.repeat(size / 2)}\r\n\r\n`,
    'to fields': (size) => `${'To: a@b\r\n'.repeat(size / 9)}\r\n`,
    brackets: (size) => `From: ${'<'.repeat(size)}\r\n\r\n`,
    groups: (size) => `From: ${'a:'.repeat(size / 2)}\r\n\r\n`,
    'encoded words': (size) => `Subject: ${'=?utf-8?B?QUFB?= '.repeat(size / 17)}\r\n\r\n`,
    'broken words': (size) => `Subject: ${'=?utf-8?Q?=C3?= '.repeat(size / 16)}\r\n\r\n`,
    'open ids': (size) => `References: ${'<'.repeat(size)}\r\n\r\n`,
    ids: (size) => `References: ${'<a@b>'.repeat(size / 5)}\r\n\r\n`,
    'empty lines': (size) => `\r\n${'\n'.repeat(size)}`,
    'flowed lines': (size) => `Content-Type: text/plain; format=flowed\r\n\r\n${'> \n'.repeat(size / 3)}`,
    'padded units': (size) => `Content-Transfer-Encoding: base64\r\n\r\n${'AA='.repeat(size / 3)}`,
    'equals signs': (size) => `Content-Transfer-Encoding: quoted-printable\r\n\r\n${'= '.repeat(size / 2)}`,
    'open tags': (size) => `Content-Type: text/html\r\n\r\n${'<'.repeat(size)}`,
    'html lines beside text': (size) =>
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n${'\n'.repeat(size)}`,
    'html beside text': (size) =>
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n${'<style><a href=x</'.repeat(size / 18)}`,
    parts: (size) => `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n\r\n'.repeat(size / 9)}`,
  }
  for (const [name, make] of Object.entries(hostile)) {
    const times = [1, 2].map((megabytes) => {
      const text = make(megabytes * 1024 * 1024)
      const from = performance.now()
      read(text)
      return performance.now() - from
    })
    expect(times[1], name).toBeLessThan(3 * (times[0] ?? 0) + 300)
    expect(times[1], name).toBeLessThan(2000)
  }
})
