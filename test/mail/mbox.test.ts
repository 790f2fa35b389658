import { expect, test } from 'vitest'
import { concat, utf8 } from '../../src/base/bytes.ts'
import { type ExportNote, type MboxMessage, MboxQuoter, MboxReader, mboxHead } from '../../src/mail/mbox.ts'

const NOTE: ExportNote = {
  id: '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90',
  mailbox: 'Входящие; x',
  keywords: ['$seen', 'work'],
  missing: false,
}

function write(messages: string[], cut = 1_000_000): Uint8Array {
  return concat(
    messages.flatMap((message) => {
      const quoter = new MboxQuoter()
      const body = pieces(utf8(message), cut).flatMap((piece) => quoter.write(piece))
      return [mboxHead({ sender: 'a@b.test', at: Date.UTC(2026, 10, 3, 4, 5, 6) }, NOTE), ...body, ...quoter.end()]
    }),
  )
}

function read(bytes: Uint8Array, cut = 1_000_000, max = 1_000_000): MboxMessage[] {
  const reader = new MboxReader(max)
  return [...pieces(bytes, cut).flatMap((piece) => reader.write(piece)), ...reader.end()]
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size))
}

const text = ({ pieces = [] }: MboxMessage) => new TextDecoder().decode(concat(pieces))

const MESSAGES = [
  'Subject: a\r\n\r\nhello\r\n',
  'Subject: b\n\nFrom me\n>From you\n>>From them\nFromage\n >From\n',
  'Subject: no break at the end',
  'Subject: c\n\nends in a blank line\n\n',
  'Subject: d\r\n\r\nFrom here on Mon Nov 23 12:00:00 2026\r\n\r\nFrom here on Mon Nov 23 12:00:00 2026\r\n\r\n',
  '',
  '\r\n',
  'From nobody Mon Nov 23 12:00:00 2026',
  `Subject: long\n\n${'x'.repeat(10_000)}\n${'>'.repeat(100)}From x\n`,
  'X-Keywords: mine\nStatus: R\n\nfields of its own\n',
]

test('what is written is read back to the byte, however the chunks are cut', () => {
  for (const cut of [1, 2, 3, 7, 64, 5000, 1_000_000]) {
    const found = read(write(MESSAGES, cut), cut)
    expect(found.map(text)).toEqual(MESSAGES)
    expect(found.map(({ ours, sender }) => ({ ours, sender }))).toEqual(
      MESSAGES.map(() => ({ ours: NOTE, sender: 'a@b.test' })),
    )
  }
})

test('the file is one that others read: separator, date, and the flags that they know', () => {
  expect(new TextDecoder().decode(write(['Subject: a\n\nFrom b\n']))).toBe(
    [
      'From a@b.test Tue Nov  3 04:05:06 2026',
      'X-Pochta-Export: 1; id=01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90; mailbox=%D0%92%D1%85%D0%BE%D0%B4%D1%8F%D1%89%D0%B8%D0%B5%3B%20x',
      'Status: RO',
      'X-Status: ',
      'X-Keywords: $seen work',
      'Subject: a',
      '',
      '>From b',
      '',
      '',
    ].join('\n'),
  )
})

test('files of others: with and without CR, quoted or not, with or without a blank line at the end', () => {
  const file = [
    'From a@b.test Mon Nov 23 12:00:00 2026\nSubject: one\n\nFrom the beginning I knew\n\nFrom now on\n>From quoted\n\n',
    'From - Mon Nov 23 12:00:00 2026\r\nSubject: two\r\n\r\nbody\r\n\r\n',
    'From MAILER-DAEMON Mon Nov 23 12:00 2026\nSubject: three\n\nlast',
  ].join('')
  const found = read(utf8(file))
  expect(found.map(text)).toEqual([
    'Subject: one\n\nFrom the beginning I knew\n\nFrom now on\nFrom quoted\n',
    'Subject: two\r\n\r\nbody\r\n',
    'Subject: three\n\nlast',
  ])
  expect(found.map(({ sender, ours }) => [sender, ours])).toEqual([
    ['a@b.test', undefined],
    ['-', undefined],
    ['MAILER-DAEMON', undefined],
  ])
})

test('what is no mailbox file is known for that, and a message that is too large is passed over', () => {
  const reader = new MboxReader(100)
  reader.write(utf8('Subject: just a mail\n\nhi\n'))
  expect(reader.end()).toEqual([])
  expect(reader.strange).toBe(true)
  const found = read(write(['a\n', 'b'.repeat(400), 'c\n']), 50, 300)
  expect(found.map((message) => message.pieces && text(message))).toEqual(['a\n', undefined, 'c\n'])
})

test('a name as long as a mailbox may have it does not hide the note', () => {
  const note = { ...NOTE, mailbox: '漢'.repeat(255), keywords: Array.from({ length: 64 }, () => 'k'.repeat(64)) }
  const bytes = concat([mboxHead({ sender: 'a@b.test', at: 0 }, note), utf8('Subject: a\n\nx\n\n')])
  expect(read(bytes).map((message) => [text(message), message.ours])).toEqual([['Subject: a\n\nx\n', note]])
})

test('a message of nothing but quoted lines is held in few pieces', () => {
  const lines = '>From \n'.repeat(100_000)
  const [message] = read(utf8(`From a@b.test 1:11\n${lines}`), 65_536)
  expect(message?.pieces?.length).toBeLessThan(2048)
  expect(message && text(message)).toBe(lines.replaceAll('>', ''))
})

test('a hostile file is read in linear time', () => {
  const head = 'From a@b.test 1:11\n'
  const hostile = (size: number) => [
    utf8(head + '>'.repeat(size)),
    utf8(head + '>\n'.repeat(size / 2)),
    utf8(head + 'From '.repeat(size / 5)),
    utf8(head + 'From a\n\n'.repeat(size / 8)),
  ]
  const time = (bytes: Uint8Array) => {
    const began = performance.now()
    read(bytes, 65_536, 10_000_000)
    return performance.now() - began
  }
  for (const file of hostile(1_000_000)) time(file)
  const [once, twice] = [hostile(2_000_000), hostile(4_000_000)].map((files) => files.map(time))
  for (const [at, ms] of (once ?? []).entries()) expect(twice?.[at]).toBeLessThan(ms * 4 + 200)
})
