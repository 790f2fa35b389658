import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { sweepFeedback } from '../../src/feedback/sweep.ts'
import { receive } from '../../src/reception/receive.ts'
import { makeAccount } from '../support/world.ts'
import { type Sent, sentMail, suppressed, told, world } from './providers/scene.ts'

/** A report as mailbox providers send it to the address that was registered with them. */
const report = (type: string, quoted: string[], fields: string[] = []) =>
  [
    'From: <fbl@provider.test>',
    'Subject: FW: Salom',
    'Message-ID: <1@provider.test>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=feedback-report; boundary=b',
    '',
    '--b',
    '',
    'This is an email abuse report.',
    '--b',
    'Content-Type: message/feedback-report',
    '',
    `Feedback-Type: ${type}`,
    'User-Agent: SomeGenerator/1.0',
    'Version: 1',
    'Original-Rcpt-To: redacted@provider.test',
    ...fields,
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    ...quoted,
    'Subject: Salom',
    '',
    'hi',
    '--b--',
    '',
  ].join('\r\n')

async function arrives(to: string, text: string): Promise<void> {
  const raw = utf8(text)
  await receive(world.ctx, {
    door: 'inbound',
    from: 'fbl@provider.test',
    to,
    size: raw.length,
    raw: new Blob([raw]).stream(),
  })
  await sweepFeedback(world.ctx)
}

const complaintsOf = async (sent: Sent) => (await told(sent)).filter(({ type }) => type === 'email.complained').length

test('a complaint that comes to an address of ours finds its mail by the return path that it quotes', async () => {
  for (const where of ['field', 'quoted'] as const) {
    for (const type of ['abuse', 'fraud', 'virus', 'other', 'opt-out']) {
      const sent = await sentMail()
      const path = `${sent.tokens[1]?.toUpperCase()}@send.x.test`
      await arrives(
        sent.owner.address,
        where === 'field'
          ? report(type, [], [`Original-Mail-From: <${path}>`])
          : report(type, [`Return-Path: <${path}>`]),
      )
      expect(await sent.states(), `${where} ${type}`).toEqual(['sent', 'complained'])
      expect(await suppressed(sent)).toEqual(['bob@x.test'])
      expect(await complaintsOf(sent)).toBe(1)
    }
  }
})

test('and no other report, or one without a token of ours, changes anything', async () => {
  const sent = await sentMail()
  const [token = ''] = sent.tokens
  const forged = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`
  for (const text of [
    report('not-spam', [`Return-Path: <${token}@send.x.test>`]),
    report('auth-failure', [`Return-Path: <${token}@send.x.test>`]),
    report('abuse', [`Return-Path: <${forged}@send.x.test>`]),
    report('abuse', ['Return-Path: <ann@x.test>']),
    `Subject: Hi\r\n\r\nReturn-Path: <${token}@send.x.test>\r\nFeedback-Type: abuse\r\n`,
  ]) {
    await arrives(sent.owner.address, text)
  }
  expect(await sent.states()).toEqual(['sent', 'sent'])
  const { objects } = await world.ctx.stores.raw.list({ prefix: `bounces/${sent.account.number}/` })
  expect(objects).toEqual([])
})

test('the operator’s address for complaints serves all accounts, and the report is filed there too', async () => {
  const sent = await sentMail()
  const operator = await makeAccount(world)
  await arrives(operator.address, report('abuse', [`Return-Path: <${sent.tokens[0]}@send.x.test>`]))
  expect(await sent.states()).toEqual(['complained', 'sent'])
  const rows = await world.ctx.stores.directory.all(
    sql`SELECT subject FROM messages WHERE account = ${operator.account.number} AND direction = 0`,
  )
  expect(rows).toHaveLength(1)
})

test('a mail that is no report is not read for one', async () => {
  const sent = await sentMail()
  Object.assign(world.tally, { gets: 0 })
  await arrives(sent.owner.address, `Subject: Hi\r\n\r\nReturn-Path: <${sent.tokens[0]}@send.x.test>\r\n`)
  expect(world.tally.gets).toBe(0)
})
