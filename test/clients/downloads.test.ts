/** Attachments whose names and types were made to do harm, downloaded over real HTTP: they are saved, under a harmless name, and nothing runs. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTenant, OPERATOR, type Service, startService, type Tenant } from '../flow/service.ts'

let service: Service
let tenant: Tenant

beforeAll(async () => {
  service = await startService()
  tenant = await makeTenant(service, 'downloads.test')
})

afterAll(() => service.close())

const NAMES = [
  'filename="plain.txt"',
  `filename*=UTF-8''a%0D%0ASet-Cookie:%20x=1.html`,
  `filename*=UTF-8''a%00.txt`,
  `filename*=UTF-8''..%2F..%2Fetc%2Fpasswd`,
  `filename*=UTF-8''..%5C..%5Cboot.ini`,
  `filename*=UTF-8''%E2%80%AEfdp.exe`,
  `filename*=UTF-8''%FF%FE`,
  `filename*=UTF-8''%`,
  `filename*=utf-7''+AA0ACg-x`,
  `filename="a\\"; filename=\\"evil.html"`,
  `filename="=?utf-8?B?DQpYOiB5?="`,
  `filename="${'x'.repeat(5000)}.pdf"`,
  `filename="${'\u{1f4a9}'.repeat(300)}"`,
  'filename=""',
  'filename=".htaccess"',
  'filename="con.txt "',
]

const TYPES = [
  'text/html',
  'TEXT/HTML; charset=utf-7',
  'image/svg+xml',
  'application/xhtml+xml',
  'text/html;x',
  'text/ht\tml',
  'text',
  '/',
  'text/html, image/png',
  `a/${'b'.repeat(5000)}`,
  'text/\u00e9',
]

test('whatever a mail names and types its attachments, they are saved and never shown', async () => {
  const combined = [...NAMES.map((name) => ['text/html', name]), ...TYPES.map((type) => [type, 'filename="a.html"'])]
  const parts = combined.map(([type, name]) =>
    [
      '--b',
      `Content-Type: ${type}`,
      `Content-Disposition: attachment; ${name}`,
      '',
      '<script>alert(1)</script>',
      '',
    ].join('\r\n'),
  )
  const head = 'From: ann@away.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'
  const body = `${head}--b\r\n\r\nhi\r\n${parts.join('')}--b--\r\n`
  const headers = { 'content-type': 'message/rfc822' }
  const came = await service.call('POST', `/inbound?from=a@b.test&to=${tenant.address}`, {
    key: OPERATOR,
    body,
    headers,
  })
  expect(came.status).toBe(200)
  const list = await service.call('GET', `/emails/receiving/${came.body.id}/attachments?limit=100`, { key: tenant.key })
  expect(list.body.data.length).toBeGreaterThanOrEqual(combined.length - 1)
  for (const { download_url, filename } of list.body.data) {
    const answer = await service.follow(download_url)
    const where = `${filename}: ${JSON.stringify([...answer.headers])}`
    expect(answer.status, where).toBe(200)
    expect(await answer.text(), where).toContain('alert(1)')
    expect(answer.headers.get('content-security-policy'), where).toBe("sandbox; default-src 'none'")
    expect(answer.headers.get('x-content-type-options'), where).toBe('nosniff')
    expect(answer.headers.get('content-type'), where).toMatch(/^[a-z0-9]+\/[a-z0-9.+-]+$/)
    expect(answer.headers.get('set-cookie'), where).toBeNull()
    const disposition = answer.headers.get('content-disposition') ?? ''
    const [, ascii, encoded] =
      /^attachment; filename="([^"\\]{1,300})"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)$/.exec(disposition) ?? []
    expect(ascii, where).toBeDefined()
    const name = decodeURIComponent(encoded ?? '')
    expect(name, where).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069/\\]|^\.|^$/u)
    expect([...name].length, where).toBeLessThanOrEqual(150)
  }
})

test('a link is good for what it names alone: altered in any place, or sent with a method of writing, it gives nothing', async () => {
  const raw = { 'content-type': 'message/rfc822' }
  const to = `/inbound?from=a@b.test&to=${tenant.address}`
  const { body } = await service.call('POST', to, { key: OPERATOR, body: 'Subject: s\r\n\r\nsecret\r\n', headers: raw })
  const read = await service.call('GET', `/emails/receiving/${body.id}`, { key: tenant.key })
  const path = new URL(read.body.raw.download_url).pathname
  const good = await fetch(service.url + path)
  expect([good.status, await good.text()]).toEqual([200, 'Subject: s\r\n\r\nsecret\r\n'])
  const token = path.split('/').at(-1) ?? ''
  for (let at = 0; at < token.length; at += 3) {
    // The last letter of either half carries bits that mean nothing.
    if (token[at + 1] === '.' || at + 1 === token.length) continue
    const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    const { status, body: refusal } = await service.call('GET', `/links/raw/${altered}`)
    expect([status, refusal.name], `${at} of ${token.length}`).toEqual([404, 'not_found'])
  }
  for (const other of [
    `/links/attachments/${token}`,

    `/links/raw/${token}%00`,
    '/links/raw/',
    '/links/raw/.',
  ]) {
    expect((await service.call('GET', other)).status, other).toBe(404)
  }
  for (const method of ['POST', 'PUT', 'DELETE']) expect((await service.call(method, path)).status, method).toBe(405)
})
