import { expect, test } from 'vitest'
import { MAX_BOUNDARY, MAX_DEPTH, MAX_FIELD, MAX_PARTS, MimeIntake } from '../../../src/mail/mime/indexer.ts'
import type { Part } from '../../../src/mail/mime/parts.ts'
import { allParts, findPart } from '../../../src/mail/mime/parts.ts'
import { MAX_PARSED_BYTES } from '../../../src/mail/mime/skeleton.ts'
import { brokenMails, MAILS, mailBytes, seeded } from '../../fixtures/mail/mails.ts'

function index(text: string, chunk = Number.POSITIVE_INFINITY) {
  const bytes = mailBytes(text)
  const intake = new MimeIntake()
  const step = Math.min(chunk, Math.max(1, bytes.length))
  for (let at = 0; at < bytes.length; at += step) intake.write(bytes.subarray(at, at + step))
  return intake.end()
}

const mail = (name: string) => MAILS[name] ?? ''
const body = (text: string, part: Part | undefined) =>
  part ? text.slice(part.body, part.body + part.length) : undefined

/** Path, type and encoded body of each leaf. */
function leaves(text: string) {
  const parts = allParts(index(text).root)
  return parts.filter((part) => !part.parts).map((part) => [part.path, part.type, body(text, part)])
}

test('a message that is no multipart is part 1, its body all that stands behind the blank line', () => {
  const text = mail('plain text')
  const { root, size, problems } = index(text)
  expect(root).toEqual({ path: '1', type: 'text/plain', encoding: '7bit', start: 0, body: 31, length: 14, size: 14 })
  expect([size, problems]).toEqual([text.length, []])
  expect(leaves(mail('one line feed'))).toEqual([['1', 'text/plain', '']])
  expect(index(mail('only fields, no blank line')).root).toMatchObject({ body: 27, length: 0 })
  expect(index('').root).toMatchObject({ path: '1', type: 'text/plain', body: 0, length: 0, size: 0 })
})

test('parts have exact ranges and sizes, and the line break before a delimiter is not theirs', () => {
  const text = mail('text and attachment')
  const { root, problems } = index(text)
  const [first, second] = root.parts ?? []
  expect([root.path, root.type, root.body + root.length]).toEqual(['', 'multipart/mixed', text.length])
  expect(first).toMatchObject({
    path: '1',
    type: 'text/plain',
    charset: 'utf-8',
    encoding: 'quoted-printable',
    size: 10,
  })
  expect(body(text, first)).toBe('caf=C3=A9 =\r\nol=C3=A9  ')
  expect(text.slice(first?.start, first?.body)).toMatch(/^Content-Type: text\/plain.*\r\n\r\n$/s)
  expect(second).toMatchObject({
    path: '2',
    type: 'application/pdf',
    disposition: 'attachment',
    filename: 'a.pdf',
    size: 14,
  })
  expect(body(text, second)).toBe('JVBERi0xLjQK\r\nJSVFT0Y=')
  expect(problems).toEqual([])
})

test('nested parts have section numbers, and what their headers say of them', () => {
  const { root } = index(mail('alternative with related image'))
  expect(allParts(root).map((part) => [part.path, part.type])).toEqual([
    ['', 'multipart/alternative'],
    ['1', 'text/plain'],
    ['2', 'multipart/related'],
    ['2.1', 'text/html'],
    ['2.2', 'image/png'],
  ])
  expect(findPart(root, '1')).toMatchObject({ flowed: true })
  expect(findPart(root, '1')).not.toHaveProperty('delsp')
  expect(findPart(root, '2.2')).toMatchObject({ contentId: 'i@x', disposition: 'inline', size: 4 })
  expect(findPart(index(mail('calendar')).root, '2')).toMatchObject({ method: 'REQUEST', charset: 'utf-8' })
  expect(index(mail('signed')).root).toMatchObject({ protocol: 'application/pgp-signature' })
  expect(findPart(root, '3')).toBeUndefined()
})

test('a nested message is one part, and the default type within a digest', () => {
  expect(leaves(mail('nested message')).map(([path, type]) => [path, type])).toEqual([
    ['1', 'text/plain'],
    ['2', 'message/rfc822'],
  ])
  expect(leaves(mail('digest'))).toEqual([
    ['1', 'message/rfc822', 'Subject: one\r\n\r\nfirst'],
    ['2', 'text/plain', 'second'],
  ])
})

test.each<[string, unknown[], string[]]>([
  [
    'line feeds only',
    [
      ['1', 'text/plain', 'Hi'],
      ['2', 'image/png', 'png'],
    ],
    [],
  ],
  ['doubled carriage returns', [['1', 'text/plain', 'Hi\r']], []],
  ['carriage returns only', [['1', 'text/plain', '']], ['bare_cr']],
  [
    'missing final boundary',
    [
      ['1', 'text/plain', 'one'],
      ['2', 'a/b', 'two'],
    ],
    ['unclosed_multipart'],
  ],
  [
    'missing inner final boundary',
    [
      ['1.1', 'a/b', 'in'],
      ['2', 'text/plain', 'out'],
    ],
    [],
  ],
  ['boundary with white space behind it', [['1', 'text/plain', 'one']], []],
  [
    'boundary that begins another',
    [
      ['1.1', 'text/plain', 'in'],
      ['2', 'text/plain', 'out'],
    ],
    [],
  ],
  ['boundary that ends in dashes', [['1', 'text/plain', 'one']], []],
  [
    'the same boundary twice',
    [
      ['1.1', 'text/plain', 'x'],
      ['2', 'text/plain', 'y'],
    ],
    [],
  ],
  [
    'empty parts',
    [
      ['1', 'text/plain', ''],
      ['2', 'text/plain', ''],
      ['3', 'text/plain', ''],
      ['4', 'a/b', ''],
    ],
    [],
  ],
  [
    'boundary at the very end',
    [
      ['1', 'text/plain', 'x'],
      ['2', 'text/plain', ''],
    ],
    ['unclosed_multipart'],
  ],
  ['multipart without a boundary', [['1', 'multipart/mixed', '--b\r\n\r\nx\r\n--b--']], ['missing_boundary']],
  ['multipart whose boundary never comes', [], ['unclosed_multipart', 'empty_multipart']],
  ['multipart marked base64', [['1', 'a/b', 'QUJD']], []],
  [
    'dashes in text',
    [['1', 'text/plain', '--\r\n-- \r\n---\r\n--a\r\n-b\r\n--bc\r\n--b-\r\n--b-x\r\n--b - -\r\n-xb\r\nx-b--\r\n-']],
    [],
  ],
  ['zero bytes', [['1', 'application/octet-stream', '\0\0\r\r\n\n\0']], []],
  ['repeated fields', [['1', 'text/html', '<b>x</b>']], []],
  ['type without a slash', [['1', 'text/plain', 'plain after all']], []],
  ['fields folded oddly', [['1', 'text/plain', 'x']], ['unclosed_multipart']],
])('%s: read as most would read it', (name, expected, problems) => {
  expect(leaves(mail(name))).toEqual(expected)
  expect(index(mail(name)).problems).toEqual(problems)
})

test.each([
  ['multipart/mixed boundary=b', 'multipart/mixed'],
  ['Image/PNG\x01', 'image/png'],
  ['"text/html"', 'text/html'],
  ['text/', 'text/plain'],
  ['/html', 'text/plain'],
  ['<b>/x', 'text/plain'],
  ['', 'text/plain'],
])('the type %j is %s', (written, type) => {
  expect(index(`Content-Type: ${written}\r\n\r\nx`).root.type).toBe(type)
})

test('a forgotten semicolon behind the type or the disposition hides neither', () => {
  const text =
    'Content-Type: multipart/mixed boundary="B b"\r\n\r\n--B b\r\nContent-Disposition: attachment filename=a\r\n\r\nx\r\n--B b--'
  const { root, problems } = index(text)
  expect(problems).toEqual([])
  expect(root.parts).toMatchObject([{ type: 'text/plain', disposition: 'attachment' }])
})

test('file names are read in every form that mailers write', () => {
  const names = index(mail('names in every form')).root.parts?.map((part) => part.filename)
  expect(names).toEqual([
    '€.txt',
    'onetwo three',
    'ü',
    'ü',
    'a b.txt',
    'a"b.txt',
    'ü.txt',
    'gü',
    'Invoice(1).pdf',
    undefined,
  ])
})

test('where the chunks are cut makes no difference', () => {
  for (const text of [...Object.values(MAILS), ...brokenMails(400)]) {
    const whole = index(text)
    for (const chunk of [1, 2, 3, 7, 64]) {
      const pieces = index(text, chunk)
      expect(pieces.root).toEqual(whole.root)
      expect(pieces.problems).toEqual(whole.problems)
      expect(pieces.skeleton).toEqual(whole.skeleton)
      expect(pieces.fingerprint('a@x.test')).toBe(whole.fingerprint('a@x.test'))
    }
  }
})

test('a line too long to be held is text, and every byte of it counts, however it is cut', () => {
  const line = `--b${' '.repeat(MAX_FIELD)}`
  const text = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${line}\r\n${line.slice(0, MAX_FIELD - 1)}\r\n`
  expect(leaves(text)).toEqual([
    ['1', 'text/plain', line],
    ['2', 'text/plain', ''],
  ])
  for (const chunk of [1, 1000, MAX_FIELD, MAX_FIELD + 60]) {
    expect(index(text, chunk).root).toEqual(index(text).root)
    expect(index(text, chunk).skeleton).toEqual(mailBytes(text))
  }
})

test('chunks of nothing change nothing', () => {
  const intake = new MimeIntake()
  for (const byte of mailBytes(mail('text and attachment'))) {
    intake.write(Uint8Array.of(byte))
    intake.write(new Uint8Array(0))
  }
  expect(intake.end().root).toEqual(index(mail('text and attachment')).root)
})

test('white space before the first field does not hide it', () => {
  expect(index(' Content-Type: text/html\r\n\r\nx').root.type).toBe('text/html')
})

test.each([
  ['<a@x>', 'a@x'],
  ['a@x', 'a@x'],
  [' <a@x> (comment)', 'a@x'],
  ['>a<', '>a<'],
  ['<a', '<a'],
  ['<>', undefined],
])('the Content-ID %j is %j', (written, id) => {
  expect(index(`Content-ID: ${written}\r\n\r\n`).root.contentId).toBe(id)
})

test('no bytes are lost, whatever they are: ranges lie within one another and in order', () => {
  for (const text of [...Object.values(MAILS), ...brokenMails(2000)]) {
    const { root, size } = index(text)
    expect([root.start, root.body + root.length, size]).toEqual([0, text.length, text.length])
    for (const part of allParts(root)) {
      let at = part.body
      expect(part.start).toBeLessThanOrEqual(part.body)
      expect(part.length).toBeGreaterThanOrEqual(0)
      for (const child of part.parts ?? []) {
        expect(child.start).toBeGreaterThanOrEqual(at)
        at = child.body + child.length
      }
      expect(at).toBeLessThanOrEqual(part.body + part.length)
    }
  }
})

test('too deep a nesting is left whole, at the depth that the limit names', () => {
  const nested = (depth: number) =>
    Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`).join(
      '',
    )
  const parts = allParts(index(nested(5000)).root)
  expect(parts).toHaveLength(MAX_DEPTH)
  expect(parts.at(-1)).toMatchObject({
    type: 'multipart/mixed',
    length: nested(5000).length - (parts.at(-1)?.body ?? 0),
  })
  expect(parts.at(-1)?.parts).toBeUndefined()
  expect(index(nested(5000)).problems).toEqual(['depth_limit', 'unclosed_multipart'])
  expect(index(nested(MAX_DEPTH - 1)).problems).not.toContain('depth_limit')
})

test('behind the last part that is counted, all that remains is one more', () => {
  const text = `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(3000)}--b--\r\n`
  const { root, problems } = index(text)
  expect(root.parts).toHaveLength(MAX_PARTS)
  const last = root.parts?.at(-1)
  expect(last).toMatchObject({
    path: `${MAX_PARTS}`,
    type: 'application/octet-stream',
    length: text.length - (last?.body ?? 0),
  })
  expect(problems).toEqual(['part_limit'])
  expect(index(text.slice(0, 41 + 4 + 10 * (MAX_PARTS - 1))).problems).not.toContain('part_limit')
})

test('a boundary that is too long parts nothing, and one of old that is very long does', () => {
  const made = (length: number) => {
    const boundary = 'x'.repeat(length)
    return `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n--${boundary}\r\n\r\nhi\r\n--${boundary}--\r\n`
  }
  expect(leaves(made(MAX_BOUNDARY))).toEqual([['1', 'text/plain', 'hi']])
  expect(index(made(MAX_BOUNDARY + 1)).problems).toEqual(['boundary_limit'])
  expect(index(made(MAX_BOUNDARY + 1)).root.parts).toBeUndefined()
})

test('a field that is too long is cut, and those behind it are read', () => {
  const { root, problems } = index(`Content-Id: <${'x'.repeat(MAX_FIELD)}>\r\nContent-Type: text/html\r\n\r\nx`)
  expect(root.type).toBe('text/html')
  expect(problems).toEqual(['header_limit', 'tree_limit'])
})

test('names and ids of all parts together are bounded, as they are kept in a row', () => {
  const part = `--b\r\nContent-Type: a/b\r\nContent-Disposition: attachment; filename="${'n'.repeat(900)}"\r\n\r\nx\r\n`
  const { root, problems } = index(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(900)}--b--`)
  expect(root.parts).toHaveLength(900)
  expect(JSON.stringify(root).length).toBeLessThan(512 * 1024)
  expect(problems).toEqual(['tree_limit'])
})

test('25 MiB stream through while no more than the skeleton and some lines are held', () => {
  const line = mailBytes(`${'QUJD'.repeat(19)}\r\n`)
  const kinds = {
    attachment:
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n',
    text: 'Subject: long\r\n\r\n',
    fields: '',
    endless: 'Content-Id: ',
  }
  const chunk = new Uint8Array(line.length * 800).map((_, at) => line[at % line.length] ?? 0)
  const most: Record<string, number> = {}
  for (const [kind, start] of Object.entries(kinds)) {
    const intake = new MimeIntake()
    intake.write(mailBytes(start))
    most[kind] = 0
    for (let sent = 0; sent < 25 * 1024 * 1024; sent += chunk.length) {
      intake.write(kind === 'endless' ? chunk.map((byte) => Math.max(byte, 0x20)) : chunk)
      most[kind] = Math.max(most[kind], intake.held)
    }
    expect(intake.end().skeleton.length).toBeLessThanOrEqual(MAX_PARSED_BYTES)
  }
  expect(most.attachment).toBeLessThan(128 * 1024)
  for (const kind of ['text', 'fields', 'endless']) expect(most[kind]).toBeLessThan(2.2 * 1024 * 1024)
})

test('hostile input costs time in proportion to its length', () => {
  const opened = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n'
  const deep = Array.from(
    { length: 30 },
    (_, at) => `Content-Type: multipart/mixed; boundary=${'-'.repeat(60)}${at}\r\n\r\n--${'-'.repeat(60)}${at}\r\n`,
  ).join('')
  const random = seeded(3)
  const hostile: Record<string, (size: number) => string> = {
    boundaries: (size) => opened + '--b\r\n'.repeat(size / 5),
    prefixes: (size) => opened + '--b x\n'.repeat(size / 6),
    'prefixes of thirty boundaries': (size) => `${deep}\r\n${`--${'-'.repeat(60)}x\n`.repeat(size / 64)}`,
    dashes: (size) => opened + '-'.repeat(size),
    'dash lines': (size) => opened + '--\n'.repeat(size / 3),
    'white space behind a boundary': (size) => `${opened}\r\n--b${' '.repeat(size)}`,
    'one field': (size) => `Content-Type: ${'('.repeat(size)}`,
    'folded field': (size) => `Content-Type: a/b${';a=b\r\n '.repeat(size / 7)}`,
    fields: (size) => 'C: d\r\n'.repeat(size / 6),
    'carriage returns': (size) => `A: b\r\n\r\n${'\r'.repeat(size)}`,
    noise: (size) => opened + Array.from({ length: size }, () => '-\r\nb ='[Math.floor(random() * 6)]).join(''),
  }
  for (const [name, make] of Object.entries(hostile)) {
    const times = [1, 2].map((megabytes) => {
      const bytes = mailBytes(make(megabytes * 1024 * 1024))
      const runs = [0, 1, 2].map(() => {
        const from = performance.now()
        const intake = new MimeIntake()
        for (let at = 0; at < bytes.length; at += 4096) intake.write(bytes.subarray(at, at + 4096))
        intake.end()
        return performance.now() - from
      })
      return Math.min(...runs)
    })
    // Twice the input may take twice the time, and 100 ms for whatever else the machine does; a square would take four times.
    expect(times[1], name).toBeLessThan(3 * (times[0] ?? 0) + 100)
    expect(times[1], name).toBeLessThan(1500)
  }
})
