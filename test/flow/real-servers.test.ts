import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { freePort, hasPostfix, listening, startPostfix } from './postfix.ts'
import { authority, makeTenant, startService, until } from './service.ts'

const SINK = '/usr/sbin/smtp-sink'

/** Everything that mail servers trip over: leading dots, long lines, 8-bit names, a lone dot. */
const body = ['.', '..two', '.leading', 'плюс', '\u2028.not a line', 'x'.repeat(2000), '.'].join('\n')

test.skipIf(!hasPostfix)(
  'a real Postfix takes our mail over STARTTLS, each recipient judged by itself, to the byte',
  async () => {
    const postfix = await startPostfix('real.test', authority.issue(['localhost'], ['127.0.0.1']))
    const service = await startService({ relayUrl: `smtp://127.0.0.1:${postfix.port}?tls=starttls` })
    try {
      const { key, address } = await makeTenant(service, 'sender.test')
      const sent = await service.call('POST', '/emails', {
        key,
        body: { from: address, to: ['one@real.test', 'two@elsewhere.test'], subject: 'Dots', text: body },
      })
      const seen = await until(async () => {
        const { body } = await service.call('GET', `/emails/${sent.body.id}`, { key })
        return body.recipients.every((recipient: { state: string }) => recipient.state !== 'queued') && body
      }, 'both recipients to be judged')
      expect(seen.recipients).toMatchObject([
        { address: 'one@real.test', state: 'sent', reply: { code: 250 } },
        { address: 'two@elsewhere.test', state: 'bounced', reply: { code: 554, enhanced: '5.7.1' } },
      ])
      const [mail] = await until(() => postfix.delivered().length > 0 && postfix.delivered(), 'the delivery')
      expect((await PostalMime.parse(Buffer.from(mail ?? '', 'latin1'))).text?.trimEnd()).toBe(body)
      expect(mail).toMatch(/^Return-Path: <b-[0-9a-z-]+@send\.sender\.test>/)
      expect(postfix.log()).toContain('starttls=1')
    } finally {
      await service.close()
      await postfix.close()
    }
  },
)

test.skipIf(!existsSync(SINK))('a hundred mails reach a real smtp-sink whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-sink-'))
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const sink = spawn(SINK, [...user, '-d', `${folder}/%M.`, `127.0.0.1:${port}`, '100'], { stdio: 'ignore' })
  const service = await startService({ relayUrl: `smtp://127.0.0.1:${port}` })
  try {
    await listening(port, sink)
    const { key, address } = await makeTenant(service, 'many.test')
    for (let at = 0; at < 100; at++) {
      const sent = await service.call('POST', '/emails', {
        key,
        body: { from: address, to: `n${at}@away.test`, subject: `Number ${at}`, text: body },
      })
      expect(sent.status).toBe(200)
    }
    await until(async () => {
      const { body } = await service.call('GET', '/emails?limit=100', { key })
      return body.data.every((mail: { last_event: string }) => mail.last_event === 'sent')
    }, 'all to be sent')
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
    const subjects = files.map((file) => /^Subject: (.*)$/m.exec(file)?.[1]?.trim())
    expect(new Set(subjects).size).toBe(100)
    expect(files).toHaveLength(100)
  } finally {
    await service.close()
    sink.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})
