import { expect, test } from 'vitest'
import { toBase64 } from '../../src/base/bytes.ts'
import { type ContentKind, Invitation } from '../../src/contract/reading/content.ts'
import { readFull } from '../../src/mailbox/full.ts'
import { getMessage, getReceived } from '../../src/mailbox/read.ts'
import { call, operator } from '../support/api.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { file } from './mail.ts'

const world = await makeWorld()
const ctx = await makeAccount(world)

const HTML =
  '<div onclick="x()">Yes.<script>alert(1)</script><img src="cid:p@x"><img src="https://far.test/p.gif"></div>' +
  '<div class="gmail_quote">On x, Ann wrote:<blockquote>Shall we?</blockquote></div>'

const CALENDAR = [
  'BEGIN:VCALENDAR',
  'METHOD:REQUEST',
  'BEGIN:VEVENT',
  'UID:u@far.test',
  'DTSTART:20261201T050000Z',
  'SUMMARY:Choy',
  'ORGANIZER:mailto:ann@far.test',
  'ATTENDEE:mailto:hello@near.test',
  'END:VEVENT',
  'END:VCALENDAR',
]

function mime(html: string, calendar: string[]): string {
  const part = (type: string, lines: string[], ...fields: string[]) => [
    '--m',
    `Content-Type: ${type}`,
    ...fields,
    '',
    ...lines,
  ]
  return [
    'From: Ann <ann@far.test>',
    'List-Id: <friends.far.test>',
    'Content-Type: multipart/related; boundary=m',
    '',
    ...part('text/html; charset=utf-8', [html]),
    ...part('image/png', [toBase64(Uint8Array.of(1, 2, 3))], 'Content-ID: <p@x>', 'Content-Transfer-Encoding: base64'),
    ...part('text/calendar; method=REQUEST', calendar),
    '--m--',
    '',
  ].join('\r\n')
}

const want = (...body: ContentKind[]) => ({ body, html_format: 'cid' as const })

test('what is asked of a message is told, and no more', async () => {
  const id = await file(ctx, mime(HTML, CALENDAR))
  const bare = await getMessage(ctx, id, want())
  expect(bare.marks).toEqual({ list: { id: 'friends.far.test' }, invitation: true })
  for (const name of ['text', 'html', 'safe_html', 'reply_text', 'invitation']) expect(bare).not.toHaveProperty(name)
  const all = await getMessage(ctx, id, want('html', 'text', 'safe_html', 'reply_text', 'invitation'))
  expect(all).toMatchObject({
    text: null,
    html: HTML,
    safe_html:
      '<div>Yes.<img src="cid:p@x" /><img /></div><div>On x, Ann wrote:<blockquote>Shall we?</blockquote></div>',
    blocked_images: 1,
    reply_text: 'Yes.',
    invitation: { uid: 'u@far.test', summary: 'Choy', starts_at: '2026-12-01T05:00:00.000Z', answerable: true },
    problems: [],
  })
  // Every field that is told stands in the contract, and nothing beside them.
  expect(Invitation.strict().safeParse(all.invitation).success).toBe(true)
})

test('pictures: the mail’s own are put in where that is asked, those of elsewhere stay where that is', async () => {
  const id = await file(ctx, mime(HTML, CALENDAR))
  const shown = await getMessage(ctx, id, { body: ['safe_html'], html_format: 'data_uri', images: 'remote' })
  expect(shown.safe_html).toContain('<img src="data:image/png;base64,AQID" /><img src="https://far.test/p.gif" />')
  // A picture that is a document is as sent in what may run, and only named in what may not.
  const svg = await file(ctx, mime(HTML, CALENDAR).replace('image/png', 'image/svg+xml'))
  const { html, safe_html } = await getMessage(ctx, svg, { body: ['html', 'safe_html'], html_format: 'data_uri' })
  expect(html).toContain('<img src="data:image/svg+xml;base64,AQID">')
  expect(safe_html).toContain('<img src="cid:p@x" />')
  expect(shown.blocked_images).toBe(0)
})

test('received mail tells the same', async () => {
  const id = await file(ctx, mime(HTML, CALENDAR))
  expect(await getReceived(ctx, id, want('reply_text', 'invitation'))).toMatchObject({
    object: 'email',
    html: HTML,
    text: null,
    reply_text: 'Yes.',
    invitation: { uid: 'u@far.test' },
    marks: { invitation: true },
    verdicts: null,
  })
})

test('what is wrong with what was asked for is told with what is wrong with the mail', async () => {
  const id = await file(ctx, mime('<b>'.repeat(1001), ['BEGIN:VCALENDAR', 'BEGIN:VEVENT']))
  const read = await getMessage(ctx, id, want('safe_html', 'invitation'))
  expect(read).toMatchObject({ invitation: null, problems: ['html_depth', 'calendar_unread'] })
  const none = await file(ctx, 'From: a@b.test\r\n\r\nHi')
  expect(await getMessage(ctx, none, want('safe_html', 'invitation', 'reply_text'))).toMatchObject({
    safe_html: null,
    invitation: null,
    reply_text: 'Hi',
    problems: [],
  })
})

test('a webhook’s full payload has all of it, within its cap', async () => {
  const id = await file(ctx, mime(HTML, CALENDAR), { verdicts: { spf: 'pass', dkim: null, dmarc: null } })
  expect(await readFull(ctx, ctx.account, id)).toMatchObject({
    html: HTML,
    reply_text: 'Yes.',
    headers: { 'list-id': '<friends.far.test>' },
    thread: (await getMessage(ctx, id, want())).thread,
    verdicts: { spf: 'pass' },
    marks: { list: { id: 'friends.far.test' }, invitation: true },
    invitation: { summary: 'Choy', answerable: true },
    attachments: [{ content_type: 'image/png' }, { content_type: 'text/calendar', download_url: expect.any(String) }],
    truncated: false,
  })
  const fields = Array.from({ length: 40 }, (_, at) => `X-${at}: ${'x'.repeat(9000)}`)
  const large = await file(ctx, [...fields, '', `${'new\r\n'.repeat(100_000)}> ${'old'.repeat(300_000)}`].join('\r\n'))
  const full = await readFull(ctx, ctx.account, large)
  expect(full?.truncated).toBe(true)
  expect([full?.text?.length, full?.reply_text?.length]).toEqual([1024 * 1024, 64 * 1024])
  expect(JSON.stringify(full?.headers).length).toBeLessThan(129 * 1024)
})

test('over HTTP a word that is no content is refused', async () => {
  const made = await call('POST', '/accounts', { key: operator, body: { name: 'Content' } })
  const { api_key } = (await made.json()) as { api_key: { token: string } }
  const asked = await call('GET', `/messages/${crypto.randomUUID()}?body=text,everything`, { key: api_key.token })
  expect(asked.status).toBe(422)
  expect(await asked.text()).toContain('body')
})
