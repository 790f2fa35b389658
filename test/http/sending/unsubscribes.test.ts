import { beforeAll, expect, test } from 'vitest'
import { call } from '../../support/api.ts'
import { json, type Mailer, makeMailer } from '../mail.ts'

let me: Mailer

beforeAll(async () => {
  me = await makeMailer()
})

const mail = (more: Record<string, unknown> = {}) => ({
  from: me.address,
  to: 'ann@y.test',
  subject: 'News',
  text: 'Hi',
  ...more,
})

const post = (path: string, body: unknown, key = me.key) => call('POST', path, { key, body })

/** The message as it would leave, unfolded. */
async function mimeOf(body: Record<string, unknown>): Promise<string> {
  const dry = await post('/emails?dry_run=true', body)
  const text = await unfolded(dry)
  expect(dry.status, text).toBe(200)
  return text
}

async function unfolded(answer: Response): Promise<string> {
  return new TextDecoder().decode(await answer.arrayBuffer()).replace(/\r\n[ \t]+/g, ' ')
}

const linkOf = (mime: string) => new URL(/^List-Unsubscribe: <([^>]+)>\r$/m.exec(mime)?.[1] ?? '').pathname

/** The path of the link in a mail. */
const linkIn = async (body: Record<string, unknown>) => linkOf(await mimeOf(body))

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

const oneClick = (path: string, body = 'List-Unsubscribe=One-Click', headers: Record<string, string> = FORM) =>
  call('POST', path, { body, headers })

const sendTo = async (more: Record<string, unknown>) => {
  const { id, suppressed } = await json(post('/emails', mail(more)))
  const { recipients } = await json(call('GET', `/emails/${id}`, { key: me.key }))
  const states = Array.isArray(recipients) ? recipients.map(({ state }) => state) : []
  return { id: String(id), suppressed, states }
}

const whoLeft = async (list = '') => {
  const { data } = await json(call('GET', `/unsubscribes?list=${list}`, { key: me.key }))
  return Array.isArray(data) ? data : []
}

test('a mail for a list has both fields of RFC 8058 with a link of its own, and the signature covers them', async () => {
  const mime = await mimeOf(mail({ unsubscribe: true }))
  expect(mime).toMatch(/^List-Unsubscribe: <http:\/\/[^>\s]+\/unsubscribe\/[\w-]+\.[\w-]{22}>\r$/m)
  expect(mime).toMatch(/^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m)
  const [, signed = ''] = /^DKIM-Signature: .*?\bh=([^;]+);/m.exec(mime) ?? []
  expect(signed.toLowerCase().split(/[:\s]+/)).toEqual(
    expect.arrayContaining(['list-unsubscribe', 'list-unsubscribe-post']),
  )
  expect(await linkIn(mail({ unsubscribe: true }))).not.toBe(await linkIn(mail({ unsubscribe: true })))
  expect(await mimeOf(mail({ unsubscribe: false }))).not.toMatch(/^List-/m)
})

test('a sender’s own field stays as it is, alone', async () => {
  const headers = { 'list-unsubscribe': '<mailto:leave@own.test>' }
  const mime = await mimeOf(mail({ unsubscribe: true, headers }))
  expect(mime.match(/^list-unsubscribe.*$/gim)).toEqual(['List-Unsubscribe: <mailto:leave@own.test>'])
})

test('each recipient needs a link of his own: several are refused, and a batch is what to use', async () => {
  for (const more of [{ to: ['a@y.test', 'b@y.test'] }, { cc: 'b@y.test' }, { bcc: 'b@y.test' }]) {
    const answer = await post('/emails', mail({ unsubscribe: true, ...more }))
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { fields: [{ path: 'unsubscribe' }], fix: expect.stringContaining('batch') },
    ])
  }
  for (const list of ['a b', 'a\n', '', 'x'.repeat(65)]) {
    expect((await post('/emails', mail({ unsubscribe: { list } }))).status).toBe(422)
  }
})

test('one click leaves the list: told once as an event, and told in the answers of what is sent later', async () => {
  const to = 'Leaver@y.test'
  const { id } = await json(post('/emails', mail({ to, unsubscribe: { list: 'news' } })))
  const path = linkOf(await unfolded(await call('GET', `/messages/${id}/raw`, { key: me.key })))
  for (let click = 0; click < 2; click++) {
    const left = await oneClick(path)
    expect([left.status, left.headers.get('location'), left.headers.get('set-cookie')]).toEqual([200, null, null])
  }
  const { data } = await json(call('GET', '/events?types=email.unsubscribed', { key: me.key }))
  const email = 'leaver@y.test'
  expect(data).toMatchObject([{ data: { email_id: id, recipients: [email], unsubscribed: { list: 'news' } } }])
  expect(await whoLeft('news')).toMatchObject([{ list: 'news', email, source_id: id }])

  const again = await sendTo({ to: email, unsubscribe: { list: 'news' } })
  expect(again).toMatchObject({ suppressed: [{ address: email, reason: 'unsubscribed' }], states: ['suppressed'] })
  expect(await sendTo({ to, unsubscribe: { list: 'other' } })).toMatchObject({ states: ['queued'] })
  expect(await sendTo({ to })).toEqual({ id: expect.any(String), suppressed: undefined, states: ['queued'] })

  const listed = await post('/emails?ignore_suppressions=true', mail({ to, unsubscribe: { list: 'news' } }))
  expect(await listed.json()).toMatchObject({ suppressed: [{ reason: 'unsubscribed' }] })
  const batch = await post('/emails/batch', [
    mail({ to, unsubscribe: { list: 'news' } }),
    mail({ to, unsubscribe: { list: 'other' } }),
    mail({ to }),
  ])
  const { data: sent }: { data: Record<string, unknown>[] } = await batch.json()
  expect(sent.map(({ suppressed }) => suppressed !== undefined)).toEqual([true, false, false])
})

test('whoever has left may be put on the list again', async () => {
  const to = '"odd one"@y.test'
  await oneClick(await linkIn(mail({ to, unsubscribe: true })))
  expect(await whoLeft()).toMatchObject([{ list: '', email: to }])
  expect((await sendTo({ to, unsubscribe: true })).states).toEqual(['suppressed'])
  const remove = () => call('DELETE', `/unsubscribes/${encodeURIComponent(to)}`, { key: me.key })
  expect(await json(remove())).toEqual({ object: 'unsubscribe', list: '', email: to, deleted: true })
  expect((await remove()).status).toBe(404)
  expect((await sendTo({ to, unsubscribe: true })).states).toEqual(['queued'])
})

test('to look at the link takes nobody off the list; its page runs nothing and posts what a provider would', async () => {
  const path = await linkIn(mail({ to: 'looker@y.test', unsubscribe: { list: 'looked-at' } }))
  const shown = await call('GET', path, {})
  expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(shown.headers.get('content-security-policy')).toContain("default-src 'none'")
  const html = await shown.text()
  expect(html).toContain('looker@y.test')
  expect(html).toContain('<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">')
  expect(html).not.toMatch(/<script|<link|<img|https?:/)
  expect((await call('HEAD', path, {})).status).toBe(200)
  for (const body of ['', 'List-Unsubscribe=No', 'x=One-Click', `List-Unsubscribe=One-Click&${'x'.repeat(9000)}`]) {
    expect((await oneClick(path, body)).status, body.slice(0, 40)).toBeGreaterThanOrEqual(400)
  }
  expect(await whoLeft('looked-at')).toEqual([])
  const form = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
  expect((await oneClick(path, form, { 'content-type': 'multipart/form-data; boundary=b' })).status).toBe(200)
  expect(await whoLeft('looked-at')).toHaveLength(1)
})

test('a token is good as we wrote it alone, and what stands in it is shown as text', async () => {
  const path = await linkIn(mail({ to: 'forged@y.test', unsubscribe: { list: 'forged' } }))
  const [, text = '', proof = ''] = /^\/unsubscribe\/([\w-]+)\.([\w-]+)$/.exec(path) ?? []
  const said = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const other = btoa(said.replace('forged@', 'friend@')).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  for (const token of [
    `${other}.${proof}`,
    `${text}.${proof.slice(0, 12)}`,
    `${text}.`,
    text,
    'x.y',
    'a'.repeat(5000),
  ]) {
    expect((await oneClick(`/unsubscribe/${token}`)).status, token.slice(0, 80)).toBe(404)
    expect((await call('GET', `/unsubscribe/${token}`, {})).status).toBe(404)
  }
  const odd = await call('GET', await linkIn(mail({ to: '"<b>&"@y.test', unsubscribe: true })), {})
  expect(await odd.text()).toContain('&quot;&lt;b&gt;&amp;&quot;@y.test')
})

test('a link works where its mail is not there (any more), and then the event tells less', async () => {
  const path = await linkIn(mail({ to: 'late@y.test', unsubscribe: { list: 'late' } }))
  expect((await oneClick(path)).status).toBe(200)
  const [{ source_id }] = await whoLeft('late')
  expect((await call('GET', `/emails/${source_id}`, { key: me.key })).status).toBe(404)
  const { data } = await json(call('GET', '/events?types=email.unsubscribed', { key: me.key }))
  expect(Array.isArray(data) ? data.at(-1)?.data : undefined).toEqual({
    email_id: source_id,
    recipients: ['late@y.test'],
    unsubscribed: { list: 'late' },
  })
})
