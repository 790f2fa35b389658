import { expect, test } from 'vitest'
import { concat, toBase64, utf8 } from '../../../src/base/bytes.ts'
import { ForwardBody, ReplyBody } from '../../../src/contract/sending/answers.ts'
import { decodeBytes } from '../../../src/mail/mime/decode.ts'
import { allParts, isAttachment } from '../../../src/mail/mime/parts.ts'
import { forward, reply } from '../../../src/submission/answer/answer.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { receive, receiveRaw, stored } from './mail.ts'

const world = await makeWorld()
const owner = await makeAccount(world)
const body = (more: Record<string, unknown> = {}) => ForwardBody.parse({ to: 'you@y.test', ...more })

/** The attachments of a stored message, decoded. */
async function attachmentsOf(id: string) {
  const { row, bytes } = await stored(owner, id)
  if (!row.parts) throw new Error('there is no tree')
  return allParts(row.parts)
    .filter(isAttachment)
    .map((part) => ({
      type: part.type,
      filename: part.filename,
      charset: part.charset,
      disposition: part.disposition,
      contentId: part.contentId,
      content: decodeBytes(part.encoding, bytes.subarray(part.body, part.body + part.length)),
    }))
}

const EVERY_BYTE = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7 + (at >> 8)) & 255)

const lines = (...given: string[]) => given.join('\r\n')

const part = (header: string[], content: string | Uint8Array) =>
  concat([utf8(lines('--b', ...header, '', '')), typeof content === 'string' ? utf8(content) : content, utf8('\r\n')])

const RICH = concat([
  utf8(
    lines(
      'From: "Ann, B" <ann@far.test>',
      'To: hello@near.test, bob@far.test',
      'Cc: c@far.test',
      'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <b>',
      'Date: Tue, 2 Jan 2024 03:04:05 +0100',
      'Message-ID: <rich@far.test>',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '',
    ),
  ),
  part(
    ['Content-Type: multipart/alternative; boundary=a'],
    lines(
      '--a',
      'Content-Type: text/plain; charset=utf-8',
      '',
      'Hello\r\n> older\r\n\r\n<end>',
      '--a',
      'Content-Type: text/html',
      '',
      '<p>Hello <img src="cid:pic@far"></p>',
      '--a--',
    ),
  ),
  part(
    [
      'Content-Type: image/png',
      'Content-ID: <pic@far>',
      'Content-Disposition: inline',
      'Content-Transfer-Encoding: base64',
    ],
    'iVBORw0KGgo=',
  ),
  part(
    ['Content-Type: application/pdf; name="a b.pdf"', 'Content-ID: <unused@far>', 'Content-Transfer-Encoding: base64'],
    toBase64(EVERY_BYTE).replace(/.{76}/g, '$&\r\n'),
  ),
  part(
    ['Content-Type: text/csv; charset=windows-1251', 'Content-Disposition: attachment; filename="a/b.csv"'],
    Uint8Array.of(0xe6, 0x3b, 0x0a, 0x31, 0x0d, 0x0a, 0x20),
  ),
  part(
    [
      'Content-Type: text/calendar; method=REQUEST; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      `Content-Disposition: attachment; filename="${'n'.repeat(400)}.ics"`,
    ],
    'BEGIN:VCALENDAR=0D=0Aa=\r\nb',
  ),
  part(['Content-Type: message/rfc822'], 'From: x@far.test\r\nSubject: inner\r\n\r\ninner words\r\n'),
  part(['Content-Type: application/x-empty', 'Content-Disposition: attachment'], ''),
  utf8('--b--\r\n'),
])

test('a forward has what the header said, the words, and every attachment byte for byte', async () => {
  const id = await receiveRaw(owner, RICH)
  const answer = await forward(owner, id, body({ text: 'See below.' }))
  const { row, read } = await stored(owner, answer.id)
  expect(row.parties).toMatchObject({ from: [owner.address], to: ['you@y.test'] })
  expect(read).toMatchObject({ subject: 'Fwd: Grüße <b>', inReplyTo: ['rich@far.test'] })
  expect(read.text?.trimEnd()).toBe(
    [
      'See below.',
      '',
      '---------- Forwarded message ----------',
      'From: "Ann, B" <ann@far.test>',
      'Date: Tue, 2 Jan 2024 at 02:04 UTC',
      'Subject: Grüße <b>',
      'To: hello@near.test, bob@far.test',
      'Cc: c@far.test',
      '',
      'Hello',
      '> older',
      '',
      '<end>',
    ].join('\n'),
  )
  expect(read.html).toContain('<div>See below.</div>')
  expect(read.html).toContain('Subject: Grüße &lt;b&gt;<br>')
  expect(read.html).toContain('<p>Hello <img src="cid:pic@far"></p>')
  const [before, after] = [await attachmentsOf(id), await attachmentsOf(answer.id)]
  expect(after.map(({ content }) => toBase64(content)).sort()).toEqual(
    before.map(({ content }) => toBase64(content)).sort(),
  )
  expect(after).toHaveLength(6)
  expect(after).toContainEqual(
    expect.objectContaining({ type: 'image/png', contentId: 'pic@far', disposition: 'inline' }),
  )
  expect(after).toContainEqual(
    expect.objectContaining({
      type: 'application/pdf',
      filename: 'a b.pdf',
      contentId: undefined,
      disposition: 'attachment',
      content: EVERY_BYTE,
    }),
  )
  expect(after).toContainEqual(
    expect.objectContaining({ type: 'text/csv', charset: 'windows-1251', filename: 'a/b.csv' }),
  )
  expect(after).toContainEqual(expect.objectContaining({ type: 'text/calendar', filename: `${'n'.repeat(251)}.ics` }))
  expect((await stored(owner, answer.id)).mime).toMatch(/text\/calendar;[^:]*method=REQUEST/)
  expect(after).toContainEqual(expect.objectContaining({ type: 'message/rfc822', disposition: 'attachment' }))
})

test('a large message is forwarded whole, its attachment read by range', async () => {
  const large = concat(Array.from({ length: 50 }, () => EVERY_BYTE))
  const mime = concat([
    utf8(lines('From: a@far.test', 'Content-Type: multipart/mixed; boundary=b', '', '')),
    part(['Content-Type: text/plain'], 'Big.'),
    part(
      ['Content-Type: application/zip', 'Content-Transfer-Encoding: base64'],
      toBase64(large).replace(/.{76}/g, '$&\r\n'),
    ),
    utf8('--b--\r\n'),
  ])
  const id = await receiveRaw(owner, mime)
  const before = world.tally.gets
  const answer = await forward(owner, id, body())
  expect(world.tally.gets - before).toBe(3)
  const [attached] = await attachmentsOf(answer.id)
  expect(attached?.content.length).toBe(large.length)
  expect(attached?.content).toEqual(large)
})

test('a forward as an attachment holds the message as it was', async () => {
  const id = await receiveRaw(owner, RICH)
  const answer = await forward(owner, id, body({ as_attachment: true, html: '<p>Look</p>' }))
  const [attached, ...rest] = await attachmentsOf(answer.id)
  expect(rest).toEqual([])
  expect(attached).toMatchObject({ type: 'message/rfc822', filename: 'Grüße _b_.eml', disposition: 'attachment' })
  // Line breaks aside, for a bare one may not travel (RFC 5322 section 2.3).
  const plain = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes).replace(/\r\n|\r|\n/g, '\n')
  expect(plain(attached?.content ?? new Uint8Array()).trimEnd()).toBe(plain(RICH).trimEnd())
  expect((await stored(owner, answer.id)).read.html?.trim()).toBe('<p>Look</p>')
  const bare = await stored(owner, (await forward(owner, id, body({ as_attachment: true }))).id)
  expect(bare.read.text?.trim()).toBe('The forwarded message is attached.')
})

test('a message whose lines cannot travel is attached as bytes, and comes out the same', async () => {
  const mime = utf8(`From: a@far.test\r\n\r\n${'x'.repeat(2000)}\r\n`)
  const id = await receiveRaw(owner, mime)
  const [attached] = await attachmentsOf((await forward(owner, id, body({ as_attachment: true }))).id)
  expect(attached).toMatchObject({ type: 'application/octet-stream', filename: 'message.eml', content: mime })
})

test('without a quote only the words and the attachments go', async () => {
  const id = await receiveRaw(owner, RICH)
  const answer = await forward(owner, id, body({ quote: false, text: 'Files.' }))
  const { read } = await stored(owner, answer.id)
  expect(read.text?.trim()).toBe('Files.')
  expect(read.html).toBeUndefined()
  const attached = await attachmentsOf(answer.id)
  expect(attached).toHaveLength(6)
  // With no HTML that shows it, a picture is one to be opened.
  expect(attached.map(({ disposition }) => disposition)).toEqual(Array(6).fill('attachment'))
  const wordless = await stored(owner, (await forward(owner, id, body({ quote: false }))).id)
  expect(wordless.read.attachments).toHaveLength(6)
})

test('what would not fit a message is refused before what is attached is read', async () => {
  const small = await makeWorld({ config: { MAX_MESSAGE_BYTES: 1_500_000 } })
  const narrow = { ...owner, config: small.ctx.config }
  const attached = toBase64(new Uint8Array(1_500_000)).replace(/.{76}/g, '$&\r\n')
  const header = ['From: a@far.test', 'Content-Type: application/zip', 'Content-Transfer-Encoding: base64', '', '']
  const id = await receiveRaw(owner, `${header.join('\r\n')}${attached}\r\n`)
  for (const as_attachment of [true, false]) {
    const before = world.tally.gets
    await expect(forward(narrow, id, body({ as_attachment }))).rejects.toMatchObject({ code: 'payload_too_large' })
    expect(world.tally.gets - before).toBe(1)
  }
})

test('an answer quotes as mail programs do, in the forms in which it is written', async () => {
  const id = await receiveRaw(owner, RICH)
  const text = await stored(owner, (await reply(owner, id, ReplyBody.parse({ text: 'Yes.\n' }))).id)
  expect(text.read.text?.trimEnd()).toBe(
    'Yes.\n\nOn Tue, 2 Jan 2024 at 02:04 UTC, Ann, B wrote:\n> Hello\n>> older\n>\n> <end>',
  )
  expect(text.read.html).toBeUndefined()
  expect(text.read.attachments).toEqual([])
  const { id: rich } = await reply(owner, id, ReplyBody.parse({ html: '<html><body><p>Yes.</p></body></html>' }))
  const { html } = (await stored(owner, rich)).read
  expect(html).toMatch(
    /<p>Yes\.<\/p>\n<br>\n<div>On Tue, .* Ann, B wrote:<\/div>\n<blockquote type="cite"[^>]*>\n<p>Hello <img src="cid:pic@far"><\/p>/,
  )
  expect(html).toMatch(/<\/blockquote>\n<\/body><\/html>\s*$/)
  expect(await attachmentsOf(rich)).toMatchObject([{ type: 'image/png', contentId: 'pic@far' }])
  const bare = await stored(owner, (await reply(owner, id, ReplyBody.parse({ text: 'Yes.', quote: false }))).id)
  expect(bare.read.text?.trim()).toBe('Yes.')
})

test('text is quoted in HTML as text, and HTML in text as what it shows', async () => {
  const plain = await receive(owner, ['Subject: x'], 'a <b>\r\nc')
  const asHtml = await stored(owner, (await reply(owner, plain, ReplyBody.parse({ html: '<p>y</p>' }))).id)
  expect(asHtml.read.html).toContain('a &lt;b&gt;<br>\nc')
  const html = await receive(owner, ['Content-Type: text/html'], '<style>p{}</style><p>one</p><p>two</p>')
  const asText = await stored(owner, (await reply(owner, html, ReplyBody.parse({ text: 'y' }))).id)
  expect(asText.read.text).toMatch(/> one\n>\n> two\s*$/)
})

test('a long message is quoted to its first 256 KiB, and that is said', async () => {
  const text = await receive(owner, ['Subject: long'], 'word \u{1f600}\r\n'.repeat(60_000))
  const asText = await stored(owner, (await reply(owner, text, ReplyBody.parse({ text: 'y' }))).id)
  expect(asText.read.text).toMatch(/> \[The rest of the message is left out here: it is longer than 256 KiB\.\]\s*$/)
  expect(asText.read.text?.length).toBeLessThan(400 * 1024)
  const html = await receive(owner, ['Content-Type: text/html'], `<p>${'word <b>bold</b> '.repeat(60_000)}</p>`)
  const asHtml = await stored(owner, (await forward(owner, html, body())).id)
  expect(asHtml.read.html).toContain('The rest of the message is left out here')
  expect(asHtml.read.html).not.toContain('<b>')
  expect(asHtml.row.size).toBeLessThan(1024 * 1024)
})

test('a mark stands once before a subject', async () => {
  for (const [subject, marked] of [
    ['Plan', 'Re: Plan'],
    ['Re: Plan', 'Re: Plan'],
    ['RE: Plan', 'RE: Plan'],
    ['AW: Plan', 'AW: Plan'],
    ['Re[2]: Plan', 'Re[2]: Plan'],
    ['Re : Plan', 'Re : Plan'],
    ['Regarding: Plan', 'Re: Regarding: Plan'],
    ['Fwd: Plan', 'Re: Fwd: Plan'],
    ['', 'Re:'],
  ] as const) {
    const id = await receive(owner, [`Subject: ${subject}`])
    const answer = await reply(owner, id, ReplyBody.parse({ text: 'y' }))
    expect((await stored(owner, answer.id)).read.subject).toBe(marked)
  }
  for (const subject of ['FW: Plan', 'Fwd: Plan', 'WG: Plan']) {
    const id = await receive(owner, [`Subject: ${subject}`])
    expect((await stored(owner, (await forward(owner, id, body())).id)).read.subject).toBe(subject)
  }
})
