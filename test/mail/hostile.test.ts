/** Mail made to hurt: whatever it is, all that is done to a mail is done in the time of a plain one of its size, and what was left out is told. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MESSAGE_PROBLEMS } from '../../src/contract/reading/content.ts'
import { marksOf } from '../../src/mail/marks.ts'
import { MimeIntake } from '../../src/mail/mime/indexer.ts'
import { readMessage } from '../../src/mail/mime/read.ts'
import { replyText } from '../../src/mail/reply-text/reply-text.ts'
import { safeHtml } from '../../src/mail/safe-html/safe-html.ts'
import { mailBytes } from '../fixtures/mail/mails.ts'

const MB = 1024 * 1024

const fill = (piece: string, size = MB) => piece.repeat(Math.ceil(size / piece.length))
const lines = (...all: string[]) => all.join('\r\n')

/** All that is worked out of a mail when it comes and when it is read. */
function readWhole(text: string) {
  const intake = new MimeIntake()
  intake.write(mailBytes(text))
  const indexed = intake.end()
  const read = readMessage(indexed)
  const marks = marksOf({ root: indexed.root, ...read })
  const reply = replyText(read)
  const safe = read.html === undefined ? undefined : safeHtml(read.html, 'blocked')
  return { ...read, marks, reply, problems: [...read.problems, ...(safe?.problems ?? [])] }
}

const PLAIN = lines(
  'From: a@b.test',
  'To: c@d.test',
  'Subject: hi',
  '',
  fill('This is what people write, more or less.\r\n'),
)

/** Content-Type, then a body of `MB` of its parts. */
const multipart = (piece: string) => lines('Content-Type: multipart/mixed; boundary=b', '', fill(piece))

const nested = (levels: number) =>
  Array.from({ length: levels }, (_, at) =>
    lines(`Content-Type: multipart/mixed; boundary=b${at}`, '', `--b${at}`, ''),
  ).join('')

const within = (levels: number) => fill(lines('Content-Type: message/rfc822', '', ''), levels * 32)

const html = (piece: string) => lines('Content-Type: text/html', '', fill(piece))

/** Each bomb, and what must be told of it. */
const BOMBS: Record<string, [mail: string, told?: keyof typeof MESSAGE_PROBLEMS]> = {
  'ten thousand levels': [nested(10_000), 'depth_limit'],
  'ten thousand messages within one another': [within(10_000)],
  'a hundred thousand parts': [multipart('--b\r\n\r\n\r\n'), 'part_limit'],
  'parts that are never closed': [
    multipart('--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n'),
    'part_limit',
  ],
  'a hundred thousand fields': [lines(fill('X-A: b\r\n'), '', 'x'), 'field_limit'],
  'one field of a megabyte': [lines(`X-A: ${fill('b ')}`, '', 'x')],
  'one subject of a megabyte': [lines(`Subject: ${fill('b ')}`, '', 'x'), 'subject_limit'],
  'one content type of a megabyte': [lines(`Content-Type: text/plain; x="${fill('y')}"`, '', 'x'), 'header_limit'],
  'a name of ten thousand sections': [
    lines(
      `Content-Type: a/b${Array.from({ length: 10_000 }, (_, at) => `;\r\n filename*${at}*=%41`).join('')}`,
      '',
      fill('x'),
    ),
    'header_limit',
  ],
  'names of many sections in many parts': [
    multipart(
      `--b\r\nContent-Disposition: attachment${Array.from({ length: 400 }, (_, at) => `; filename*${at}*=%4${at % 9}`).join('')}\r\n\r\n\r\n`,
    ),
    'unclosed_multipart',
  ],
  'thousands of encoded words': [lines(`Subject: ${fill('=?utf-8?Q?=C3=BC?= ', 60_000)}`, '', fill('x')), undefined],
  'encoded words in every address': [lines(`To: ${fill('=?x?B?QUFB?= <a@b.test>, ')}`, '', 'x'), 'address_limit'],
  'a hundred thousand addresses': [lines(`To: ${fill('a@b.test, ')}`, '', 'x'), 'address_limit'],
  'a hundred thousand references': [lines(`References: ${fill('<a@b.test> ')}`, '', 'x'), 'reference_limit'],
  'comments in comments': [lines(`Content-Type: ${fill('(')}`, '', 'x'), 'header_limit'],
  'garbage said to be base64': [lines('Content-Transfer-Encoding: base64', '', fill('\x01\xff=?A%\r\n'))],
  'garbage said to be quoted-printable': [lines('Content-Transfer-Encoding: quoted-printable', '', fill('=\xff=4'))],
  'UTF-7': [lines('Content-Type: text/plain; charset=utf-7', '', fill('+ADw-script+AD4-'))],
  'broken ISO-2022-JP': [lines('Content-Type: text/plain; charset=iso-2022-jp', '', fill('\x1b$B\x1b(J\x1b'))],
  'a charset of a megabyte': [
    lines(`Content-Type: text/plain; charset=${fill('x', 15_000)}`, '', fill('x')),
    'unknown_charset',
  ],
  'a boundary of nine thousand': [
    lines(`Content-Type: multipart/mixed; boundary=${fill('b', 9000)}`, '', fill(`--${fill('b', 8999)}\r\n`)),
    'boundary_limit',
  ],
  'boundaries that are almost one': [
    lines('Content-Type: multipart/mixed; boundary=b', '', '--b', '', fill('--b-\r\n')),
  ],
  'no boundary': [lines('Content-Type: multipart/mixed', '', fill('--b\r\n')), 'missing_boundary'],
  'a boundary that never comes': [
    lines('Content-Type: multipart/mixed; boundary=b', '', fill('--c\r\n')),
    'empty_multipart',
  ],
  'carriage returns': [fill('From: a@b.test\r'), 'bare_cr'],
  'flowing lines': [lines('Content-Type: text/plain; format=flowed; delsp=yes', '', fill('>>> x \r\n'))],
  'levels of quotes': [lines('Content-Type: text/plain; format=flowed', '', fill('>'))],
  'three megabytes of text': [lines('', fill('text\r\n', 3 * MB)), 'skeleton_limit'],
  'open tags': [html('<b>'), 'html_depth'],
  'open quotes': [html('<blockquote>'), 'html_depth'],
  attributes: [lines('Content-Type: text/html', '', `<p ${fill('a=b ')}>`)],
  entities: [html('&#x41;&amp')],
  'a style without end': [html('<style>')],
  tables: [html('<table><tr><td>x')],
  'much HTML': [lines('Content-Type: text/html', '', fill('<p>x</p>', 1.5 * MB)), 'html_limit'],
  'URIs of a list': [lines(`List-Unsubscribe: ${fill('<mailto:a@b.test>,')}`, '', 'x')],
}

function timed(text: string) {
  const start = performance.now()
  const { problems } = readWhole(text)
  return { problems, ms: performance.now() - start }
}

/** How long a plain mail takes: the best of several, as everything else only adds to it. */
const plain = Math.min(...Array.from({ length: 5 }, () => timed(PLAIN).ms))

test.each(Object.entries(BOMBS))(
  '%s cost no more than a plain mail of the size, some times over',
  (_, [mail, told]) => {
    const { problems, ms } = timed(mail)
    expect(Object.keys(MESSAGE_PROBLEMS)).toEqual(expect.arrayContaining(problems))
    if (told) expect(problems).toContain(told)
    // A parser of HTML takes ten times what a look for line breaks takes; a square of a megabyte would be a million.
    const most = 25 * plain * Math.max(1, mail.length / MB) + 50
    // A machine that is busy elsewhere is slow once, and not each time.
    expect(ms < most ? ms : Math.min(timed(mail).ms, timed(mail).ms)).toBeLessThan(most)
  },
)

test('every problem that is told stands in the contract, and every one there is told by somebody', () => {
  const folder = join(import.meta.dirname, '../../src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^(?:mail|record|mailbox)\/.*\.ts$/.test(name),
  )
  const told = files.flatMap((name) =>
    Array.from(
      readFileSync(join(folder, name), 'utf8').matchAll(
        /problems\.add\('([a-z_]+)'\)|\['((?:html_limit|calendar_unread))'\]|, '(html_depth)'\]/g,
      ),
      (match) => match[1] ?? match[2] ?? match[3] ?? '',
    ),
  )
  expect([...new Set(told)].sort()).toEqual(Object.keys(MESSAGE_PROBLEMS).sort())
})
