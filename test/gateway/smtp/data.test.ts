import { expect, test } from 'vitest'
import { Scan } from '../../../src/gateway/smtp/scan.ts'
import { sendMail, type Talk } from '../smtp-client.ts'
import { makeWorld } from './world.ts'

const MAIL = 'From: a@x.example\r\n\r\nHello\r\n'

async function startData(talk: Talk): Promise<void> {
  for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<hello@demo.test>', 'DATA']) await talk.say(line)
}

test('no other end than CR LF dot CR LF ends the mail, and what holds a bare CR or LF is refused', async () => {
  const { api, stranger } = await makeWorld()
  const smuggled = 'MAIL FROM:<evil@x.example>\r\nRCPT TO:<hello@demo.test>\r\nDATA\r\nevil'
  for (const end of ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r.\r\n', '\r\n.\r', '\n\n.\r\n']) {
    const talk = await stranger()
    await startData(talk)
    talk.send(`${MAIL}x${end}${smuggled}\r\n.\r\n`)
    expect(await talk.reply(), JSON.stringify(end)).toMatch(/^550 5\.6\.11 /)
    expect(await talk.say('NOOP')).toMatch(/^250 2\.0\.0 OK/)
  }
  expect(api.stored).toEqual([])
})

test('a bare CR or LF is seen wherever the bytes are cut, and whole breaks are never taken for one', () => {
  const judge = (text: string, cut: number) => {
    const scan = new Scan()
    scan.write(Buffer.from(text.slice(0, cut)))
    scan.write(Buffer.from(text.slice(cut)))
    return scan.end()?.responseCode
  }
  for (const text of ['a\r\n\r\nb\r\n', '\r\n', 'a\r\n.\r\n..']) {
    for (let cut = 0; cut <= text.length; cut++)
      expect(judge(text, cut), `${JSON.stringify(text)} ${cut}`).toBeUndefined()
  }
  for (const text of ['a\nb\r\n', 'a\rb\r\n', 'a\r\r\nb', 'a\r\n\nb', '\n', '\r', 'a\r\nb\r', '\na', '\ra']) {
    for (let cut = 0; cut <= text.length; cut++) expect(judge(text, cut), `${JSON.stringify(text)} ${cut}`).toBe(550)
  }
})

test('dots are unstuffed to the byte however the stream is cut', async () => {
  const { api, stranger } = await makeWorld()
  const body = '.\r\n..\r\n...x\r\n\r\n.\r\na.b\r\n.last\r\n'
  const stuffed = `A: b\r\n\r\n${body}`.replace(/(^|\r\n)\./g, '$1..')
  for (let step = 1; step <= 7; step++) {
    const talk = await stranger()
    await startData(talk)
    for (let at = 0; at < stuffed.length; at += step) {
      talk.send(stuffed.slice(at, at + step))
      await new Promise((resolve) => setImmediate(resolve))
    }
    talk.send('.\r\n')
    expect(await talk.reply()).toMatch(/^250 /)
    expect(api.stored.at(-1)?.bytes.toString('latin1').endsWith(`+0000\r\nA: b\r\n\r\n${body}`), `step ${step}`).toBe(
      true,
    )
    talk.cut()
  }
})

test('a mail over the limit is refused at MAIL where its size is told, else at its end, and is not stored', async () => {
  const { api, stranger, spooled } = await makeWorld()
  const talk = await stranger()
  expect(await talk.say('MAIL FROM:<a@x.example> SIZE=26214401')).toMatch(/^552 5\.3\.4 /)
  expect(await talk.say('MAIL FROM:<a@x.example> SIZE=26214400')).toMatch(/^250 /)
  await talk.say('RSET')
  const line = `${'x'.repeat(998)}\r\n`
  const large = Buffer.from(MAIL + line.repeat(26_300))
  expect(await sendMail(talk, 'a@x.example', ['hello@demo.test'], large)).toMatch(/^552 5\.3\.4 /)
  expect(api.stored).toEqual([])
  expect(await spooled()).toEqual([])
})

test('a client that never ends its mail is sent away', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  await startData(talk)
  const block = Buffer.from('x'.repeat(1024 * 1024))
  for (let at = 0; at < 54; at++) talk.send(block)
  expect(await talk.reply()).toMatch(/^421 4\.3\.2 /)
  await talk.closed
  expect(api.stored).toEqual([])
})

test('a mail just under the limit is stored whole', async () => {
  const { api, stranger } = await makeWorld()
  const line = `${'.'.padEnd(998, 'x')}\r\n`
  const large = `A: b\r\n\r\n${line.repeat(26_000)}`
  const reply = await sendMail(
    await stranger(),
    '',
    ['hello@demo.test'],
    Buffer.from(large.replaceAll('\r\n.', '\r\n..')),
  )
  expect(reply).toMatch(/^250 /)
  expect(api.stored[0]?.bytes.toString('latin1').endsWith(`+0000\r\n${large}\r\n`)).toBe(true)
})

test('a mail that passed more than 25 servers goes in a circle; what only looks like a trace does not count', async () => {
  const { stranger } = await makeWorld()
  const talk = await stranger()
  const passed = (count: number) => `${'Received: from a by b;\r\n\tnow\r\n'.repeat(count)}X-Received: no\r\n\r\n`
  const body = 'Received: in the body\r\n'.repeat(30)
  expect(await sendMail(talk, '', ['hello@demo.test'], passed(25) + body)).toMatch(/^250 /)
  expect(await sendMail(talk, '', ['hello@demo.test'], passed(25) + body)).toMatch(/^250 /)
  expect(await sendMail(talk, '', ['hello@demo.test'], passed(26) + body)).toMatch(/^554 5\.4\.6 /)
  expect(await sendMail(talk, '', ['hello@demo.test'], `received :x\r\n${passed(25)}`)).toMatch(/^554 5\.4\.6 /)
})

test('a header without end is refused', async () => {
  const { stranger } = await makeWorld()
  const header = Buffer.from('X: y\r\n'.repeat(100_000))
  expect(await sendMail(await stranger(), '', ['hello@demo.test'], header)).toMatch(/^552 5\.3\.4 the header/)
})
