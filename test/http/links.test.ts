import { expect, test } from 'vitest'
import { dispositionOf, safeType } from '../../src/http/download.ts'
import { call } from '../support/api.ts'
import { bring, json, makeMailer } from './mail.ts'

/** A mail with one attachment that would run if a browser let it. */
const mime = (type: string, name: string) =>
  [
    'From: ann@far.test',
    `Content-Type: ${type}; name="${name}"`,
    `Content-Disposition: attachment; filename="${name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    btoa('<script>alert(1)</script>'),
    '',
  ].join('\r\n')

const pathOf = (url: unknown) => new URL(String(url)).pathname

test('a download needs no key, is saved and never run, and tells its length', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime('text/html', 'a.html'))
  const link = await json(call('GET', `/messages/${id}/attachments/1`, { key }))
  const answer = await call('GET', pathOf(link.download_url))
  expect(answer.status).toBe(200)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/html',
    'content-length': '25',
    'content-disposition': 'attachment; filename="a.html"; filename*=UTF-8\'\'a.html',
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
    'x-request-id': expect.any(String),
  })
  expect(await answer.text()).toBe('<script>alert(1)</script>')
  const raw = await json(call('GET', `/messages/${id}`, { key }))
  const whole = await call('GET', pathOf(Reflect.get(Object(raw.raw), 'download_url')))
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'content-type': 'message/rfc822',
    'content-security-policy': "sandbox; default-src 'none'",
    'content-length': String(mime('text/html', 'a.html').length),
  })
  await whole.arrayBuffer()
})

test('a link that is no good says no more than that', async () => {
  const { key, address } = await makeMailer()
  const id = await bring(address, mime('text/plain', 'a.txt'))
  const link = await json(call('GET', `/messages/${id}/attachments/1`, { key }))
  const good = pathOf(link.download_url)
  const texts = new Set<string>()
  for (const path of [`${good}x`, good.slice(0, -3), good.replace('attachments', 'raw'), '/links/raw/x']) {
    const answer = await call('GET', path)
    expect(answer.status).toBe(404)
    const { request_id: _, ...body } = Object(await answer.json())
    texts.add(JSON.stringify(body))
  }
  await json(call('DELETE', `/messages/${id}?permanent=true`, { key }))
  const gone = await call('GET', good)
  expect(gone.status).toBe(404)
  const { request_id: _, ...body } = Object(await gone.json())
  expect(texts).toEqual(new Set([JSON.stringify(body)]))
})

test('a file’s name and type cannot break out of their headers', () => {
  const name = (text: string) => dispositionOf(text).replace(/^attachment; /, '')
  expect(name('a.pdf')).toBe('filename="a.pdf"; filename*=UTF-8\'\'a.pdf')
  expect(name('Rechnung für "Ölmühle".pdf')).toBe(
    'filename="Rechnung f_r __lm_hle_.pdf"; filename*=UTF-8\'\'Rechnung%20f%C3%BCr%20%22%C3%96lm%C3%BChle%22.pdf',
  )
  expect(name('a\r\nSet-Cookie: x=1')).toBe('filename="aSet-Cookie: x=1"; filename*=UTF-8\'\'aSet-Cookie%3A%20x%3D1')
  expect(name('../../etc/passwd')).toContain('filename="passwd"')
  expect(name('C:\\temp\\a.exe')).toContain('filename="a.exe"')
  expect(name('.htaccess')).toContain('filename="htaccess"')
  expect(name('invoice\u202efdp.exe')).toContain('filename="invoicefdp.exe"')
  expect(name('\u0000\ud800/')).toContain('filename="attachment"')
  expect(name(`${'x'.repeat(5000)}.tar.gz`)).toBe(
    `filename="${'x'.repeat(147)}.gz"; filename*=UTF-8''${'x'.repeat(147)}.gz`,
  )
  expect(name(`💌${'ü'.repeat(300)}`)).toMatch(/^filename="_{150}"|^filename="_{151}"/)
  for (const bad of [
    '',
    'text',
    'text/html; charset=x',
    'text/html\r\nx: y',
    'TEXT/HTML',
    'a/b/c',
    `a/${'b'.repeat(65)}`,
    'é/b',
  ]) {
    expect(safeType(bad)).toBe('application/octet-stream')
  }
  expect(safeType('image/svg+xml')).toBe('image/svg+xml')
})
