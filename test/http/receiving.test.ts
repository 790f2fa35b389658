import { Resend } from 'resend'
import { afterEach, expect, test, vi } from 'vitest'
import { call } from '../support/api.ts'
import { bring, json, makeMailer } from './mail.ts'

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const mime = [
  'From: Ann <ann@far.test>',
  'To: Hello <hello@near.test>, other@near.test',
  'Cc: copy@far.test',
  'Reply-To: reply@far.test',
  'Subject: Picture',
  'Message-ID: <one@far.test>',
  'Content-Type: multipart/related; boundary=r',
  '',
  '--r',
  'Content-Type: text/html',
  '',
  '<img src="cid:p@x">',
  '--r',
  'Content-Type: image/png; name=pixel.png',
  'Content-Disposition: inline',
  'Content-ID: <p@x>',
  'Content-Transfer-Encoding: base64',
  '',
  pixel,
  '--r--',
  '',
].join('\r\n')

/** The official client, whose calls reach our Worker; a download comes without a key, as a browser's would. */
function client(key: string): Resend {
  vi.stubGlobal('fetch', async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const url = new URL(input instanceof Request ? input.url : input)
    return call(init.method ?? 'GET', url.pathname + url.search, {
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof init.body === 'string' ? { body: init.body } : {}),
    })
  })
  return new Resend(key, { baseUrl: 'http://localhost' })
}

afterEach(() => vi.unstubAllGlobals())

test('Resend’s client lists and reads received mail, its attachments and its raw bytes', async () => {
  const { key, address } = await makeMailer()
  const resend = client(key)
  const first = await bring(address, mime.replace('Picture', 'Older').replace('one@', 'two@'))
  const id = await bring(address.replace('@', '+tag@'), mime)

  const list = await resend.emails.receiving.list({ limit: 1 })
  expect(list.error).toBeNull()
  expect(list.data).toMatchObject({ object: 'list', has_more: true })
  const [line] = list.data?.data ?? []
  expect(line).toEqual({
    id,
    from: 'Ann <ann@far.test>',
    to: ['Hello <hello@near.test>', 'other@near.test'],
    cc: ['copy@far.test'],
    bcc: [],
    reply_to: ['reply@far.test'],
    subject: 'Picture',
    message_id: '<one@far.test>',
    created_at: expect.stringMatching(/Z$/),
    received_for: [address.replace('@', '+tag@')],
    attachments: [
      expect.objectContaining({
        id: expect.any(String),
        filename: 'pixel.png',
        content_type: 'image/png',
        content_id: 'p@x',
        content_disposition: 'inline',
        size: 70,
      }),
    ],
  })
  expect((await resend.emails.receiving.list({ limit: 5, after: id })).data?.data.map((mail) => mail.id)).toEqual([
    first,
  ])

  const { data: mail } = await resend.emails.receiving.get(id)
  expect(mail).toMatchObject({
    ...line,
    object: 'email',
    html: `<img src="data:image/png;base64,${pixel}">`,
    text: null,
  })
  expect(mail?.headers).toMatchObject({ 'message-id': '<one@far.test>' })
  expect((await resend.emails.receiving.get(id, { html_format: 'cid' })).data?.html).toBe('<img src="cid:p@x">')

  const aid = line?.attachments[0]?.id ?? ''
  const attachments = await resend.emails.receiving.attachments.list({ emailId: id })
  expect(attachments.data?.data.map((attachment) => attachment.id)).toEqual([aid])
  const { data: attachment } = await resend.emails.receiving.attachments.get({ emailId: id, id: aid })
  expect(attachment).toMatchObject({ object: 'attachment', id: aid, size: 70, content_disposition: 'inline' })
  const bytes = await (await fetch(attachment?.download_url ?? '')).arrayBuffer()
  expect(btoa(String.fromCharCode(...new Uint8Array(bytes)))).toBe(pixel)
  const raw = new TextDecoder().decode(await (await fetch(mail?.raw?.download_url ?? '')).arrayBuffer())
  expect(raw).toBe(mime)

  expect((await resend.emails.receiving.get(crypto.randomUUID())).error).toMatchObject({ name: 'not_found' })
})

test('Resend’s client forwards a received mail, and reads what it sent', async () => {
  const { key, address } = await makeMailer()
  const resend = client(key)
  const id = await bring(address, mime)
  const forwarded = await resend.emails.receiving.forward({ emailId: id, from: address, to: 'you@far.test' })
  expect(forwarded.error).toBeNull()
  const sent = forwarded.data?.id ?? ''
  const { data: email } = await resend.emails.get(sent)
  expect(email).toMatchObject({
    object: 'email',
    id: sent,
    from: address,
    to: ['you@far.test'],
    subject: 'Picture',
    last_event: 'queued',
    scheduled_at: null,
    cc: null,
    message_id: expect.stringMatching(/^<.+>$/),
    tags: [],
    html: expect.stringContaining('cid:p@x'),
  })
  expect((await resend.emails.list()).data).toMatchObject({
    has_more: false,
    data: [{ id: sent, last_event: 'queued' }],
  })
  const attachments = await resend.emails.attachments.list({ emailId: sent })
  const [attachment] = attachments.data?.data ?? []
  expect(attachment).toMatchObject({ filename: 'pixel.png', content_id: 'p@x', size: 70 })
  expect((await resend.emails.attachments.get({ emailId: sent, id: attachment?.id ?? '' })).data).toMatchObject({
    filename: 'pixel.png',
  })
  expect((await resend.emails.get(id)).error).toMatchObject({ name: 'not_found' })
  expect(await json(call('GET', `/emails/${sent}`, { key }))).toMatchObject({
    recipients: [{ address: 'you@far.test', state: 'queued', reply: null, attempts: 0 }],
  })
})
