import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { latin1, utf8 } from '../../src/base/bytes.ts'
import { Problem } from '../../src/base/problem.ts'
import { type Mailbox, parseMailbox } from '../../src/mail/address.ts'
import { type Attachment, compose, contentTypeFor, type Draft, reservedHeader } from '../../src/mail/compose.ts'
import { hasBareBreaks } from '../../src/mail/linebreaks.ts'
import { scanOutgoing } from '../../src/mail/ready.ts'

function mailbox(text: string): Mailbox {
  const read = parseMailbox(text)
  if (!read) throw new Error(`no mailbox: ${text}`)
  return read
}

const draft = (over: Partial<Draft>): Draft => ({
  from: mailbox('Ann <ann@x.example>'),
  to: [mailbox('bob@y.example')],
  cc: [],
  replyTo: [],
  subject: 'Hello',
  text: 'Hi\n',
  headers: [],
  attachments: [],
  date: Date.UTC(2026, 10, 23, 20, 8, 17),
  messageId: '<id@x.example>',
  boundary: 'b0undary',
  ...over,
})

const composed = async (over: Partial<Draft>) => latin1(await compose(draft(over)))
/** One field of the header, unfolded. */
function field(mail: string, name: string): string | undefined {
  const header = mail.slice(0, mail.indexOf('\r\n\r\n')).replace(/\r\n(?=[ \t])/g, '')
  const line = header.split('\r\n').find((each) => each.startsWith(`${name}:`))
  return line?.slice(name.length + 1).trim()
}

async function faults(over: Partial<Draft>): Promise<string[]> {
  try {
    await compose(draft(over))
  } catch (error) {
    if (error instanceof Problem) return (error.detail.fields ?? []).map(({ path, reason }) => `${path} ${reason}`)
    throw error
  }
  return []
}

test('a plain message is what RFC 5322 asks for, and nothing more', async () => {
  expect(await composed({})).toBe(
    [
      'From: Ann <ann@x.example>',
      'To: bob@y.example',
      'Subject: Hello',
      'Message-ID: <id@x.example>',
      'Date: Mon, 23 Nov 2026 20:08:17 +0000',
      'Content-Transfer-Encoding: 7bit',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      '',
      'Hi',
      '',
    ].join('\r\n'),
  )
})

const everything: Partial<Draft> = {
  from: mailbox('"Lee, Ann" <ann@x.example>'),
  sender: mailbox('Почта <post@x.example>'),
  to: [mailbox('"a\\"b" <bob@y.example>'), mailbox('"q@x"@y.example')],
  cc: [mailbox('Zoë Überlang-Gräfin von und zu Irgendwo <zoe@y.example>')],
  replyTo: [mailbox('r@x.example')],
  subject: `Ünïcode "${'лонг '.repeat(60)}"`,
  text: 'été\r\n.\rbare\nlines\n'.repeat(20),
  html: `<p>été <img src="cid:logo@x"></p>${'x'.repeat(3000)}`,
  headers: [
    ['X-Json', '{"a": "b"}'],
    ['List-Unsubscribe', `<https://x.example/${'u'.repeat(300)}>`],
    ['References', `${'<r@x.example> '.repeat(40)}<s@x.example>`],
    ['In-Reply-To', '<s@x.example>'],
    ['X-Name', 'Ünïcode'],
  ],
  attachments: [
    { filename: 'logo.png', contentId: 'logo@x', content: Uint8Array.from({ length: 400 }, (_, at) => at & 255) },
    { filename: 'счёт "№1"; x=y\\.pdf', content: utf8('%PDF') },
    { contentType: 'application/x-thing; v="a b"', content: new Uint8Array(0), disposition: 'inline' },
    { filename: 'm.eml', contentType: 'message/rfc822', content: utf8('From: c@y.example\nSubject: old\n\nold\n') },
  ],
}

test('what is composed is read back as it was meant', async () => {
  const mail = await compose(draft(everything))
  const read = await PostalMime.parse(mail, { forceRfc822Attachments: true })
  expect(read.from).toMatchObject({ name: 'Lee, Ann', address: 'ann@x.example' })
  expect(read.sender).toMatchObject({ name: 'Почта', address: 'post@x.example' })
  expect(read.to).toMatchObject([{ name: 'a"b', address: 'bob@y.example' }, { address: '"q@x"@y.example' }])
  expect(read.cc).toMatchObject([{ name: 'Zoë Überlang-Gräfin von und zu Irgendwo' }])
  expect(read.replyTo).toMatchObject([{ address: 'r@x.example' }])
  expect(read.subject?.trim()).toBe(everything.subject?.trim())
  expect(read.text?.trim()).toBe('été\n.\nbare\nlines\n'.repeat(20).trim())
  expect(read.html?.trim()).toBe(everything.html)
  expect(read.inReplyTo).toBe('<s@x.example>')
  expect(read.references?.split(/\s+/)).toHaveLength(41)
  expect(
    read.attachments.map(({ filename, mimeType, disposition, contentId, related }) => [
      filename,
      mimeType,
      disposition,
      contentId,
      related,
    ]),
  ).toEqual([
    ['logo.png', 'image/png', 'inline', '<logo@x>', true],
    ['счёт "№1"; x=y\\.pdf', 'application/pdf', 'attachment', undefined, undefined],
    ['attachment-3.bin', 'application/x-thing', 'inline', undefined, undefined],
    ['m.eml', 'message/rfc822', 'attachment', undefined, undefined],
  ])
  const contents = read.attachments.map(({ content }) =>
    typeof content === 'string' ? utf8(content) : new Uint8Array(content),
  )
  expect(contents.slice(0, 3).map((content) => content.length)).toEqual([400, 4, 0])
  expect(latin1(contents[3] ?? utf8('')).trim()).toBe('From: c@y.example\nSubject: old\n\nold')
  expect(contents[0]).toEqual(everything.attachments?.[0]?.content)
})

test('the same draft gives the same bytes, whenever it is composed', async () => {
  const first = await compose(draft(everything))
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect(latin1(await compose(draft(everything)))).toBe(latin1(first))
})

test('what leaves is 7-bit, ends its lines by CRLF, and keeps them short', async () => {
  const long = 'w'.repeat(890)
  const mails = await Promise.all([
    compose(draft(everything)),
    compose(
      draft({
        subject: `${long} ${long}`,
        text: 'x'.repeat(200_000),
        headers: [
          ['X', `${long} ${long} é`],
          ['Y', long],
        ],
      }),
    ),
    compose(draft({ text: '.\n..\n\r\r\n\0\x01\n', html: '\n\n' })),
    compose(draft({ text: '', html: '' })),
    compose(draft({ subject: `${'x'.repeat(80)} \t`, headers: [['X', `${'y'.repeat(80)} \t`]] })),
    compose(draft({ text: `a${' '.repeat(5000)}b`, subject: 'x'.repeat(900) })),
    compose(
      draft({
        from: mailbox(`${'n'.repeat(500)} <ann@x.example>`),
        attachments: [file({ filename: 'f'.repeat(255) })],
      }),
    ),
  ])
  for (const mail of mails) {
    const { eightBit, longestLine } = scanOutgoing(mail)
    expect(eightBit).toBe(false)
    expect(longestLine).toBeLessThanOrEqual(998)
    expect(hasBareBreaks(mail)).toBe(false)
    expect(latin1(mail)).not.toContain('\0')
    expect(
      latin1(mail)
        .split('\r\n\r\n')[0]
        ?.split('\r\n')
        .filter((line) => line.trim() === ''),
    ).toEqual([])
  }
})

const file = (over: Partial<Attachment>): Attachment => ({ filename: 'a.txt', content: utf8('x'), ...over })

test('text and html are alternatives; html with inline images is related; attachments are mixed', async () => {
  const types = async (over: Partial<Draft>) => (await composed(over)).match(/(?<=Content-Type: )[a-z]+\/[a-z0-9]+/g)
  const image = file({ filename: 'i.png', contentId: 'i' })
  expect(await types({ html: '<p>' })).toEqual(['multipart/alternative', 'text/plain', 'text/html'])
  expect(await types({ html: '<p>', text: undefined })).toEqual(['text/html'])
  expect(await types({ html: '<p>', text: undefined, attachments: [image] })).toEqual([
    'multipart/related',
    'text/html',
    'image/png',
  ])
  expect(await types({ html: '<p>', attachments: [image, file({})] })).toEqual([
    'multipart/mixed',
    'multipart/alternative',
    'text/plain',
    'multipart/related',
    'text/html',
    'image/png',
    'text/plain',
  ])
  expect(await types({ attachments: [image] })).toEqual(['multipart/mixed', 'text/plain', 'image/png'])
})

test('an attached message is not encoded, and goes as plain bytes where its lines cannot travel', async () => {
  const eml = (content: Uint8Array) => composed({ attachments: [file({ filename: 'm.eml', content })] })
  expect(contentTypeFor('m.eml')).toBe('message/rfc822')
  expect(await eml(utf8('Subject: x\n\nplain\n'))).toContain('\r\n\r\nSubject: x\r\n\r\nplain\r\n')
  expect(scanOutgoing(utf8(await eml(utf8('Subject: x\n\né\n')))).eightBit).toBe(true)
  expect(await eml(utf8('Subject: x\n\né\n'))).toContain('Content-Transfer-Encoding: 8bit')
  const long = await eml(utf8(`Subject: x\n\n${'y'.repeat(999)}\n`))
  expect(long).toContain('Content-Type: application/octet-stream; name=m.eml')
  expect(scanOutgoing(utf8(long)).longestLine).toBeLessThan(100)
})

test('a header value goes out as it was given, folded at its blanks', async () => {
  const json = JSON.stringify({ a: 'b'.repeat(60), c: 'd'.repeat(60) }).replaceAll(',', ', ')
  const mail = await composed({
    headers: [
      ['X-Json', json],
      ['X-Long', 'v'.repeat(500)],
      ['x-lower', ' a  b '],
      ['X-Twice', '1'],
      ['X-Twice', '2'],
    ],
  })
  expect(field(mail, 'X-Json')).toBe(json)
  expect(field(mail, 'X-Long')?.trim()).toBe('v'.repeat(500))
  expect(field(mail, 'X-Lower')?.trim()).toBe('a  b')
  expect(mail.match(/X-Twice/g)).toHaveLength(2)
})

test('a mail whose recipients are all blind says so', async () => {
  expect(field(await composed({ to: [] }), 'To')).toBe('undisclosed recipients:;')
  expect(field(await composed({ to: [], cc: [mailbox('c@y.example')] }), 'To')).toBeUndefined()
})

test('a UTF-8 local part stays, and the bytes say that the next hop must take it', async () => {
  expect(scanOutgoing(await compose(draft({ to: [mailbox('чай@y.example')] }))).eightBit).toBe(true)
})

test('no field takes a line break, a NUL or half a character', async () => {
  const wrap = { from: mailbox('ann@x.example') }
  for (const bad of ['a\r\nBcc: e@z.example', 'a\nb', 'a\rb', 'a\0b', '\ud800']) {
    const named = { ...mailbox('bob@y.example'), name: bad }
    const made: [Partial<Draft>, string][] = [
      [{ subject: bad }, 'subject'],
      [{ from: named }, 'from'],
      [{ sender: named }, 'sender'],
      [{ to: [mailbox('c@y.example'), named] }, 'to[1]'],
      [{ cc: [named] }, 'cc[0]'],
      [{ replyTo: [named] }, 'reply_to[0]'],
      [{ headers: [['X-A', bad]] }, 'headers."X-A"'],
      [{ headers: [['In-Reply-To', bad]] }, 'headers."In-Reply-To"'],
      [{ messageId: `<${bad}@x.example>` }, 'messageId'],
      [{ boundary: bad }, 'boundary'],
      [{ attachments: [file({ filename: bad })] }, 'attachments[0].filename'],
      [{ attachments: [file({ contentId: bad })] }, 'attachments[0].content_id'],
      [{ attachments: [file({}), file({ contentType: `text/plain; x="${bad}"` })] }, 'attachments[1].content_type'],
    ]
    for (const [over, path] of made) {
      const told = await faults({ ...wrap, ...over })
      expect(
        told.map((fault) => fault.startsWith(`${path} `)),
        `${path}: ${told}`,
      ).toEqual([true])
    }
    expect(await faults({ headers: [[bad, 'x']] })).toEqual([expect.stringContaining('is no header name')])
  }
  expect(await faults({ to: [{ address: { ...mailbox('a@b').address, address: 'a@b\r\nX: y' } }] })).toHaveLength(1)
  expect(await faults({ html: '\ud800', text: '\ud800' })).toEqual([
    'text is no valid Unicode',
    'html is no valid Unicode',
  ])
})

test('names of our own are refused in headers, in any case', async () => {
  const names =
    'From Sender To Cc Bcc Reply-To Subject Date Message-ID Return-Path Received DKIM-Signature MIME-Version Resent-Bcc Content-Type Content-X'
  for (const name of names.split(' ')) {
    expect(reservedHeader(name.toUpperCase()), name).toBe(true)
    expect(await faults({ headers: [[name.toLowerCase(), 'x']] }), name).toEqual([
      expect.stringContaining('is written by us'),
    ])
  }
  for (const name of [
    'References',
    'In-Reply-To',
    'List-Unsubscribe',
    'X-Entity-Ref-ID',
    'Auto-Submitted',
    '__proto__',
    'constructor',
  ]) {
    expect(reservedHeader(name), name).toBe(false)
    expect(await faults({ headers: [[name, '<x@y>']] }), name).toEqual([])
  }
  for (const name of ['', 'a b', 'a:', 'é', 'x'.repeat(77)])
    expect(await faults({ headers: [[name, 'x']] }), name).toHaveLength(1)
})

test('every fault is told at once', async () => {
  expect(
    await faults({
      subject: 'a\nb',
      headers: [
        ['Bcc', 'x'],
        ['X', ''],
      ],
      attachments: [file({ contentType: 'multipart/mixed' })],
    }),
  ).toEqual([
    'headers."Bcc" is written by us: use its own field, if it has one',
    'headers."X" is empty',
    'attachments[0].content_type is no media type of a single part',
    'subject holds a line break or control character',
  ])
})

test('what cannot be folded or is too much is refused', async () => {
  expect(await faults({ subject: 'x'.repeat(901) })).toEqual(['subject cannot be folded into lines'])
  expect(await faults({ subject: 'x '.repeat(1001) })).toEqual(['subject is longer than 2000 characters'])
  expect(await faults({ headers: [['X', `a${' '.repeat(33)}b`]] })).toEqual(['headers."X" cannot be folded into lines'])
  expect(await faults({ headers: Array.from({ length: 101 }, (): [string, string] => ['X', 'y']) })).toHaveLength(1)
  expect(await faults({ headers: [['X', 'y '.repeat(33_000)]] })).toHaveLength(1)
  expect(await faults({ to: Array.from({ length: 1000 }, () => mailbox('a@b')) })).toEqual(['to must be at most 1000'])
  expect(await faults({ attachments: Array.from({ length: 501 }, () => file({})) })).toEqual([
    'attachments must be at most 500',
  ])
  for (const type of [
    'text',
    'text/',
    '/plain',
    'text/plain; x',
    'a b/c',
    'text/plain; x="a"b"',
    'Multipart/alternative',
    `a/${'b'.repeat(255)}`,
  ]) {
    expect(await faults({ attachments: [file({ contentType: type })] }), type).toHaveLength(1)
  }
})

test('no text of a stranger closes a part, for the boundary is not his to know', async () => {
  const mail = await composed({ html: '<p>', text: 'x' })
  expect(mail).toMatch(/boundary="?[^"\r]*b0undary/)
})

test('what reaches a limit is taken, and what passes it is refused', async () => {
  const headers = (count: number) => Array.from({ length: count }, (): [string, string] => ['X-1', 'y'])
  const file255 = file({ filename: 'f'.repeat(255), contentId: 'c'.repeat(255), contentType: `a/${'b'.repeat(253)}` })
  const taken: Partial<Draft> = {
    boundary: 'b'.repeat(40),
    messageId: `<${'i'.repeat(400)}@${'x'.repeat(97)}>`,
    headers: [...headers(99), ['n'.repeat(76), 'y']],
    to: Array.from({ length: 999 }, () => mailbox('a@b')),
    attachments: [
      file255,
      ...Array.from({ length: 499 }, () => file({ contentType: ' text/plain ; charset=utf-9; x=1' })),
    ],
  }
  expect(await faults(taken)).toEqual([])
  expect(await faults({ boundary: '9' })).toEqual([])
  expect(await faults({ headers: [['X', `${'y '.repeat(32_767)}z`]] })).toEqual([])
  expect(await faults({ headers: [['X', `${'y '.repeat(32_767)}zz`]] })).toEqual([
    expect.stringMatching(/^headers must/),
  ])
  expect(
    await faults({ boundary: 'b'.repeat(41), messageId: `<${'i'.repeat(400)}@${'x'.repeat(98)}>`, date: Number.NaN }),
  ).toEqual([
    'messageId is longer than 500 characters',
    'boundary must be 1 to 40 letters and digits',
    'date is no time',
  ])
  expect(
    await faults({
      attachments: [
        file({ filename: 'f'.repeat(256), contentId: 'c'.repeat(256), contentType: `a/${'b'.repeat(254)}` }),
      ],
    }),
  ).toHaveLength(3)
  const lines = await composed({
    attachments: [file({ filename: 'm.eml', content: utf8(`A: b\r\n\r\n${'y'.repeat(998)}`) })],
  })
  expect(lines).toContain(`\r\n${'y'.repeat(998)}\r\n`)
})

test('blank names and values, and message ids outside ASCII, are refused', async () => {
  expect(
    await faults({
      headers: [
        ['X', ' \t'],
        ['References', '<é@x>'],
      ],
      attachments: [file({ filename: ' ' })],
    }),
  ).toEqual(['headers."X" is empty', 'headers."References" must be ASCII', 'attachments[0].filename is empty'])
})

test('long header values fold into lines of 78 where they have blanks', async () => {
  const mail = await composed({
    headers: [['X-Words', 'word '.repeat(100)]],
    subject: 'word '.repeat(100),
    to: Array.from({ length: 30 }, () => mailbox('Ann Lee <ann@x.example>')),
  })
  expect(scanOutgoing(utf8(mail)).longestLine).toBeLessThanOrEqual(78)
})
