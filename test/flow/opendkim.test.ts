/** A second judge of our signatures: Debian's opendkim, which is other code than that of any test here. Its DNS is a file. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSink } from '../support/smtp-sink.ts'
import { type Json, makeTenant, type Service, startService, type Tenant, until } from './service.ts'

const OPENDKIM = '/usr/sbin/opendkim'
const isThere = existsSync(OPENDKIM)

if (!isThere) console.warn('opendkim is not installed: what it says of our signatures is not tested.')

let service: Service
let sink: Awaited<ReturnType<typeof startSink>>
let tenant: Tenant
let folder: string

beforeAll(async () => {
  if (!isThere) return
  folder = mkdtempSync(join(tmpdir(), 'pochta-opendkim-'))
  sink = await startSink()
  service = await startService({ relayUrl: `smtp://127.0.0.1:${sink.port}` })
  tenant = await makeTenant(service, 'signed.test')
  const domains = await service.call('GET', '/domains', { key: tenant.key })
  const { body } = await service.call('GET', `/domains/${domains.body.data[0].id}`, { key: tenant.key })
  const { name, value } = body.records.find(({ purpose }: Json) => purpose === 'dkim')
  // One record a line: the name, and what stands in the TXT record.
  writeFileSync(join(folder, 'zone'), `${name}.${tenant.domain} ${value.replaceAll(' ', '')}\n`)
  writeFileSync(join(folder, 'conf'), `Mode v\nTestDNSData file:${join(folder, 'zone')}\n`)
})

afterAll(async () => {
  if (!isThere) return
  await service.close()
  await sink.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What opendkim says of a message's one signature. */
function judged(message: Buffer): string {
  const file = join(folder, 'message.eml')
  writeFileSync(file, message)
  const { stdout, stderr, error } = spawnSync(OPENDKIM, ['-x', join(folder, 'conf'), '-vv', '-t', file], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  if (error) throw error
  const [, results = ''] = /\bdkim=(\w+)/.exec(stdout + stderr) ?? []
  return results || stdout + stderr
}

async function sent(call: () => Promise<{ status: number; body: Json }>): Promise<Buffer> {
  const before = sink.messages.length
  const { status, body } = await call()
  expect(status, JSON.stringify(body)).toBe(200)
  await until(() => sink.messages.length > before, 'the mail')
  return sink.messages[before]?.bytes ?? Buffer.alloc(0)
}

const MAILS: [what: string, mail: object][] = [
  ['of a line', { subject: 'Hello', text: 'It works.' }],
  ['of nothing', { subject: '', text: '' }],
  [
    'in other scripts, with dots and long lines',
    { subject: 'Салом, дунё '.repeat(20), text: `.\r\n..\r\n${'ў'.repeat(3000)}\r\n\r\n\r\n` },
  ],
  [
    'with a picture, a file and fields of its own',
    {
      subject: 'All of it',
      html: '<p>It works. <img src="cid:dot"></p>',
      text: 'It works.   ',
      headers: { 'X-Long': 'a word '.repeat(100).trim(), 'List-Unsubscribe': '<https://signed.test/u>' },
      attachments: [
        { filename: 'dot.png', content: 'iVBORw==', content_id: 'dot' },
        { filename: 'файл.bin', content: Buffer.alloc(100_000, 7).toString('base64') },
      ],
    },
  ],
]

test.skipIf(!isThere).each(MAILS)('opendkim verifies a mail %s', async (_, mail) => {
  const body = { from: `Me <${tenant.address}>`, to: 'you@away.test', ...mail }
  const message = await sent(() => service.call('POST', '/emails', { key: tenant.key, body }))
  expect(judged(message)).toBe('pass')
})

test.skipIf(!isThere)(
  'opendkim verifies mail that came ready made, and refuses it with one letter changed',
  async () => {
    const raw = [
      `from:Me   <${tenant.address}>`,
      'To: you@away.test',
      'Subject: folded',
      '\tby  its writer ',
      'X-Twice: 1',
      'X-Twice: 2',
      '',
      'Two  spaces, and some at the end   ',
      '',
      '',
    ].join('\r\n')
    const headers = { 'content-type': 'message/rfc822' }
    const path = `/outbound?from=${tenant.address}&to=you@away.test`
    const message = await sent(() => service.call('POST', path, { key: tenant.key, body: raw, headers }))
    expect(judged(message)).toBe('pass')
    for (const word of ['spaces', 'folded']) {
      const changed = message.toString('latin1').replace(word, word.toUpperCase())
      expect(judged(Buffer.from(changed, 'latin1')), word).toBe('fail')
    }
  },
)
