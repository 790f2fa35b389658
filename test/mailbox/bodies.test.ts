import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { toBase64, utf8 } from '../../src/base/bytes.ts'
import type { Caller } from '../../src/context.ts'
import { readFull } from '../../src/mailbox/full.ts'
import { getMessage, getReceived } from '../../src/mailbox/read.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { file } from './mail.ts'

const world = await makeWorld()

const wrapped = (base64: string) => base64.replace(/.{76}/g, '$&\r\n')
const picture = (size: number, seed = 1) => Uint8Array.from({ length: size }, (_, at) => (at * seed) & 255)

type Attached = { id: string; bytes: Uint8Array; type?: string }

/** HTML with pictures beside it, and behind them a file. */
function mime(html: string, pictures: Attached[], attachment = new Uint8Array(0)): string {
  return [
    'From: Ann <ann@far.test>',
    'To: hello@near.test',
    'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
    'Message-ID: <m@far.test>',
    'X-Twice: one',
    'X-Twice: two',
    'Content-Type: multipart/mixed; boundary=m',
    '',
    '--m',
    'Content-Type: multipart/related; boundary=r',
    '',
    '--r',
    'Content-Type: text/html; charset=utf-8',
    '',
    html,
    ...pictures.flatMap(({ id, bytes, type = 'image/png' }) => [
      '--r',
      `Content-Type: ${type}; name=p.png`,
      `Content-ID: <${id}>`,
      'Content-Transfer-Encoding: base64',
      '',
      wrapped(toBase64(bytes)),
    ]),
    '--r--',
    '--m',
    'Content-Type: application/pdf; name=big.pdf',
    'Content-Disposition: attachment',
    'Content-Transfer-Encoding: base64',
    '',
    wrapped(toBase64(attachment)),
    '--m--',
    '',
  ].join('\r\n')
}

async function gets<T>(act: () => Promise<T>) {
  const before = { ...world.tally }
  const answer = await act()
  return { answer, gets: world.tally.gets - before.gets, trips: world.tally.trips - before.trips }
}

const full = (ctx: Caller, id: string, html_format: 'data_uri' | 'cid' = 'data_uri') =>
  getMessage(ctx, id, { body: ['text', 'html'], html_format })

test('a received mail comes with bodies, headers and pictures in its HTML: one query, one get', async () => {
  const ctx = await makeAccount(world)
  const pixel = picture(10)
  const id = await file(
    ctx,
    mime('<b>Grüße</b><img src="cid:p1@x"><img src="cid:none">', [{ id: 'p1@x', bytes: pixel }]),
  )
  const read = await gets(() => getReceived(ctx, id, { body: [], html_format: 'data_uri' }))
  expect(read).toMatchObject({ gets: 1, trips: 1 })
  expect(read.answer).toMatchObject({
    object: 'email',
    id,
    from: 'Ann <ann@far.test>',
    subject: 'Grüße',
    message_id: '<m@far.test>',
    received_for: ['hello+news@near.test'],
    cc: [],
    text: null,
    html: `<b>Grüße</b><img src="data:image/png;base64,${toBase64(pixel)}"><img src="cid:none">`,
    headers: { 'x-twice': 'one, two', subject: expect.any(String) },
    raw: { download_url: expect.stringMatching(/^http:\/\/127.0.0.1:8787\/links\/raw\//) },
    attachments: [
      { filename: 'p.png', content_id: 'p1@x', size: 10, content_type: 'image/png', content_disposition: null },
      { filename: 'big.pdf', content_id: null, size: 0, content_disposition: 'attachment' },
    ],
  })
  expect((await getReceived(ctx, id, { body: [], html_format: 'cid' })).html).toContain('<img src="cid:p1@x">')
})

test('of a large mail only header and text are read, with one more get for the pictures it shows', async () => {
  const ctx = await makeAccount(world)
  const pixel = picture(1000, 3)
  const large = new Uint8Array(2_000_000)
  const id = await file(ctx, mime('Hi <img src="cid:p">', [{ id: 'p', bytes: pixel }], large))
  const bare = await gets(() => full(ctx, id, 'cid'))
  expect(bare).toMatchObject({ gets: 1, trips: 1, answer: { html: 'Hi <img src="cid:p">', text: null } })
  const shown = await gets(() => full(ctx, id))
  expect(shown).toMatchObject({ gets: 2, trips: 1 })
  expect(shown.answer.html).toBe(`Hi <img src="data:image/png;base64,${toBase64(pixel)}">`)
  expect(await gets(() => getMessage(ctx, id, { body: [], html_format: 'cid' }))).toMatchObject({ gets: 0, trips: 1 })
})

test('a text behind a large attachment is read too', async () => {
  const ctx = await makeAccount(world)
  const text = mime('first', [], new Uint8Array(1_500_000)).replace(
    /--m--\r\n$/,
    '--m\r\nContent-Type: text/plain\r\n\r\nlast words\r\n--m--\r\n',
  )
  const id = await file(ctx, text)
  const read = await gets(() => full(ctx, id))
  expect(read.gets).toBe(2)
  expect(read.answer.text).toContain('last words')
  expect(read.answer.html).toContain('first')
})

test('pictures are put into the HTML up to 5 MiB in all, however often each is shown; the rest stay references', async () => {
  const ctx = await makeAccount(world)
  const bytes = picture(600_000, 7)
  const id = await file(ctx, mime('<img src="cid:p">'.repeat(10), [{ id: 'p', bytes }]))
  const { html } = await full(ctx, id)
  expect(html?.match(/src="data:/g)).toHaveLength(6)
  expect(html?.match(/src="cid:p"/g)).toHaveLength(4)
})

test('a hundred different pictures are put in, and no more', async () => {
  const ctx = await makeAccount(world)
  const pictures = Array.from({ length: 120 }, (_, n) => ({ id: `p${n}`, bytes: Uint8Array.of(n) }))
  const id = await file(ctx, mime(pictures.map((one) => `<img src="cid:${one.id}">`).join(''), pictures))
  const { html } = await full(ctx, id)
  expect(html?.match(/src="data:/g)).toHaveLength(100)
  expect(html).toContain('<img src="cid:p119">')
})

test('only pictures are put in', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime('<img src="cid:h">', [{ id: 'h', bytes: utf8('<script>'), type: 'text/xml' }]))
  expect((await full(ctx, id)).html).toBe('<img src="cid:h">')
})

test('a mail whose part tree was too large for its row is read from its bytes', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime('Hi <img src="cid:p">', [{ id: 'p', bytes: picture(4) }]))
  const before = await full(ctx, id)
  await runBatch(ctx.stores.directory, [sql`UPDATE messages SET parts = NULL WHERE id = ${id}`])
  expect(await full(ctx, id)).toMatchObject({ html: before.html, attachments: before.attachments })
})

test('a mail that cannot be parsed is shown as what it is', async () => {
  const ctx = await makeAccount(world)
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(255, 0, 254),
    utf8('\r\n\r\n'),
    utf8('__proto__: x\r\n\r\nb'),
  ]) {
    const id = await file(ctx, bytes)
    expect(await getReceived(ctx, id, { body: [], html_format: 'data_uri' })).toMatchObject({
      id,
      object: 'email',
      message_id: '',
    })
  }
})

test('bodies whose bytes are gone are not found', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime('x', []))
  const { objects } = await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })
  await ctx.stores.raw.delete(objects.map(({ key }) => key))
  await expect(full(ctx, id)).rejects.toMatchObject({ code: 'not_found' })
})

test('a webhook is told a message in full, text and HTML cut to 1 MiB together and marked so', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime('<img src="cid:p">', [{ id: 'p', bytes: picture(9) }]))
  const told = await readFull(world.ctx, ctx.account, id)
  expect(told).toMatchObject({
    html: '<img src="cid:p">',
    truncated: false,
    headers: { 'x-twice': 'one, two' },
    attachments: [{ object: 'attachment', content_id: 'p', download_url: expect.any(String) }, { filename: 'big.pdf' }],
  })
  const both = 'ü'.repeat(400_000)
  const long = await file(
    ctx,
    mime(`<p>${both}</p>`, []).replace(/--m--\r\n$/, `--m\r\nContent-Type: text/plain\r\n\r\n${both}\r\n--m--\r\n`),
  )
  const cut = await readFull(world.ctx, ctx.account, long)
  expect(cut?.truncated).toBe(true)
  const octets = utf8(`${cut?.text}${cut?.html}`).length
  expect(octets).toBeLessThanOrEqual(1024 * 1024)
  expect(octets).toBeGreaterThan(1024 * 1024 - 3)
  expect(cut?.text).toContain('ü')
  expect(await readFull(world.ctx, ctx.account, crypto.randomUUID())).toBeUndefined()
})
