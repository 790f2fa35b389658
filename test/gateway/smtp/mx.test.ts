import { expect, test, vi } from 'vitest'
import { sendMail, talkTo } from '../smtp-client.ts'
import { makeWorld } from './world.ts'

const MAIL = 'From: a@x.example\r\nSubject: hi\r\n\r\nHello\r\n'

test('mail for a local address is stored byte for byte, under one Received line, before it is accepted', async () => {
  const { api, stranger, told, spooled } = await makeWorld()
  const talk = await stranger()
  expect(await sendMail(talk, 'a@x.example', ['hello@demo.test'], `${MAIL}..dot\r\n\xe9 \xff`)).toBe('250 2.6.0 taken')
  const [mail] = api.stored
  expect(mail).toMatchObject({ from: 'a@x.example', to: 'hello@demo.test' })
  const [trace = '', ...rest] = (mail?.bytes.toString('latin1') ?? '').split(/(?<=\r\n)(?!\t)/)
  expect(trace.replace(/id \S+/, 'id ID')).toBe(
    'Received: from client.example ([127.0.0.1])\r\n\tby mx.test with ESMTP id ID\r\n' +
      '\tfor <hello@demo.test>; Mon, 23 Nov 2026 10:00:00 +0000\r\n',
  )
  expect(rest.join('')).toBe(`${MAIL}.dot\r\n\xe9 \xff\r\n`)
  expect(told).toEqual([expect.stringMatching(/^in {7}a@x.example → hello@demo.test {2}\d+ B {2}stored$/)])
  expect(await spooled()).toEqual([])
})

test('the greeting offers what we keep, and nothing that is not there', async () => {
  const { port } = await makeWorld()
  const talk = await talkTo(port)
  expect((await talk.say('EHLO client.example')).split('\n').slice(1)).toEqual([
    '250-PIPELINING',
    '250-8BITMIME',
    '250-SMTPUTF8',
    '250-ENHANCEDSTATUSCODES',
    '250-AUTH PLAIN LOGIN',
    '250 SIZE 26214400',
  ])
  expect(await talk.say('STARTTLS')).toMatch(/^500 /)
  talk.cut()
})

test('each recipient gets its own copy, and its trace names nobody else', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  expect(await sendMail(talk, '', ['hello@demo.test', 'ann@demo.test'], MAIL)).toMatch(/^250 /)
  expect(api.stored.map(({ from, to }) => [from, to]).sort()).toEqual([
    ['', 'ann@demo.test'],
    ['', 'hello@demo.test'],
  ])
  for (const mail of api.stored) {
    const other = mail.to === 'ann@demo.test' ? 'hello@' : 'ann@'
    expect(mail.bytes.toString()).toContain(`for <${mail.to}>`)
    expect(mail.bytes.toString()).not.toContain(other)
  }
})

test('an unknown recipient is refused alone, a foreign one as relaying, a malformed one as no address', async () => {
  const { api, stranger, told } = await makeWorld()
  const talk = await stranger()
  await talk.say('MAIL FROM:<a@x.example>')
  expect(await talk.say('RCPT TO:<nobody@demo.test>')).toBe('550 5.1.1 <nobody@demo.test>: no such address here')
  expect(await talk.say('RCPT TO:<b@y.example>')).toMatch(/^550 5\.7\.1 relaying denied: <b@y\.example>/)
  expect(await talk.say('RCPT TO:<b..c@demo.test>')).toMatch(/^553 5\.1\.3 /)
  expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^250 2\.1\.5 /)
  await talk.say('DATA')
  talk.send(`${MAIL}.\r\n`)
  expect(await talk.reply()).toMatch(/^250 /)
  expect(api.stored.map(({ to }) => to)).toEqual(['hello@demo.test'])
  expect(told).toContain('refused  a@x.example → nobody@demo.test  550 5.1.1 <nobody@demo.test>: no such address here')
})

test('a bare postmaster is somebody', async () => {
  const { api, stranger } = await makeWorld()
  expect(await sendMail(await stranger(), '', ['Postmaster'], MAIL)).toMatch(/^250 /)
  expect(api.stored[0]?.to).toBe('hello@demo.test')
})

test('the parsed recipient is the one that is asked about and stored for', async () => {
  const { api, stranger } = await makeWorld()
  api.addresses.add('hello@xn--bcher-kva.example')
  expect(await sendMail(await stranger(), '', ['hello@BÜCHER.example'], MAIL)).toMatch(/^250 /)
  expect(api.stored[0]?.to).toBe('hello@xn--bcher-kva.example')
})

test('while nobody can say whose an address is, it is neither taken nor refused for good', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  await talk.say('MAIL FROM:<a@x.example>')
  for (const trouble of [{ status: 503 }, { status: 500 }, { status: 403 }, 'drop'] as const) {
    api.trouble.recipient = () => trouble
    expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^451 4\.3\.0 /)
  }
  await api.close()
  expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^451 4\.3\.0 /)
})

test('what an address refuses by the envelope alone is refused for good at RCPT, and the API is told of sender and size', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  await talk.say('MAIL FROM:<a@x.example> SIZE=1234')
  const told = (status: number, message: string) => {
    api.trouble.recipient = () => ({ status, message })
    return talk.say('RCPT TO:<hello@demo.test>')
  }
  expect(await told(422, 'The address takes no mail from this sender')).toBe(
    '554 5.7.1 <hello@demo.test>: The address takes no mail from this sender',
  )
  expect(await told(413, 'Too large')).toBe('552 5.3.4 <hello@demo.test>: Too large')
  expect(await told(503, 'Come again later')).toBe('451 4.3.0 Come again later')
  expect(api.asked.at(-1)).toEqual({ to: 'hello@demo.test', from: 'a@x.example', size: '1234' })
})

test('what the API answers to the mail is said in the words of SMTP', async () => {
  const { api, stranger, spooled } = await makeWorld()
  const talk = await stranger()
  const told = async (status: number, message?: string) => {
    api.trouble.inbound = () => ({ status, message })
    return sendMail(talk, 'a@x.example', ['hello@demo.test'], MAIL)
  }
  expect(await told(404)).toBe('550 5.1.1 <hello@demo.test>: no such address here')
  expect(await told(413)).toBe('552 5.3.4 <hello@demo.test>: the mail is too large')
  expect(await told(411)).toMatch(/^552 5\.3\.4 /)
  expect(await told(422, 'No spam\r\n250 fine')).toBe('554 5.7.1 <hello@demo.test>: No spam??250 fine')
  expect(await told(503, 'The mailbox is full')).toBe('451 4.3.0 The mailbox is full')
  for (const status of [400, 401, 403, 429, 500, 302]) expect(await told(status)).toMatch(/^451 4\.3\.0 /)
  api.trouble.inbound = () => 'drop'
  expect(await sendMail(talk, '', ['hello@demo.test'], MAIL)).toMatch(/^451 4\.3\.0 /)
  expect(api.stored).toEqual([])
  expect(await spooled()).toEqual([])
})

test('where one recipient of two is in doubt, the mail is to come again for both', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  api.trouble.inbound = (to) => (to === 'ann@demo.test' ? { status: 503 } : undefined)
  expect(await sendMail(talk, '', ['hello@demo.test', 'ann@demo.test'], MAIL)).toMatch(/^451 4\.3\.0 /)
  api.trouble = {}
  expect(await sendMail(talk, '', ['hello@demo.test', 'ann@demo.test'], MAIL)).toMatch(/^250 /)
  // The API stores a repeated mail once; here is seen that it was offered.
  expect(api.stored.map(({ to }) => to).sort()).toEqual(['ann@demo.test', 'hello@demo.test', 'hello@demo.test'])
})

test('where one recipient of two is refused for good, the sender learns it of that one alone', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  api.trouble.inbound = (to) => (to === 'ann@demo.test' ? { status: 422, message: 'not for Ann' } : undefined)
  expect(await sendMail(talk, 's@x.example', ['hello@demo.test', 'ann@demo.test'], MAIL)).toMatch(/^451 4\.5\.3 /)
  await talk.say('MAIL FROM:<s@x.example>')
  expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^250 /)
  expect(await talk.say('RCPT TO:<ann@demo.test>')).toMatch(/^452 4\.5\.3 /)
  await talk.say('DATA')
  talk.send(`${MAIL}.\r\n`)
  expect(await talk.reply()).toMatch(/^250 /)
  await talk.say('MAIL FROM:<s@x.example>')
  expect(await talk.say('RCPT TO:<ann@demo.test>')).toMatch(/^250 /)
  expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^452 4\.5\.3 /)
  await talk.say('DATA')
  talk.send(`${MAIL}.\r\n`)
  expect(await talk.reply()).toBe('554 5.7.1 <ann@demo.test>: not for Ann')
})

test('where all recipients are refused for good, so is the mail', async () => {
  const { api, stranger } = await makeWorld()
  api.trouble.inbound = () => ({ status: 422 })
  const reply = await sendMail(await stranger(), '', ['hello@demo.test', 'ann@demo.test'], MAIL)
  expect(reply).toMatch(/^554 5\.7\.1 /)
})

test('a reason in any script is told in ASCII, as replies are', async () => {
  const { api, stranger } = await makeWorld()
  api.trouble.inbound = () => ({ status: 422, message: 'Ünerwünscht, “bitte” нет' })
  const reply = await sendMail(await stranger(), 's@x.example', ['hello@demo.test'], MAIL)
  expect(reply).toBe('554 5.7.1 <hello@demo.test>: Unerwunscht, "bitte" ???')
})

test('pipelined commands are answered one by one, in their order', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  talk.send('MAIL FROM:<a@x.example>\r\nRCPT TO:<nobody@demo.test>\r\nRCPT TO:<hello@demo.test>\r\nDATA\r\n')
  const replies = [await talk.reply(), await talk.reply(), await talk.reply(), await talk.reply()]
  expect(replies.map((reply) => reply.slice(0, 3))).toEqual(['250', '550', '250', '354'])
  talk.send(`${MAIL}.\r\nMAIL FROM:<b@x.example>\r\nQUIT\r\n`)
  expect([await talk.reply(), await talk.reply(), await talk.reply()].map((reply) => reply.slice(0, 3))).toEqual([
    '250',
    '250',
    '221',
  ])
  expect(api.stored).toHaveLength(1)
})

test('a client that goes away in the middle of DATA leaves nothing behind', async () => {
  const { api, stranger, spooled } = await makeWorld()
  const talk = await stranger()
  for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<hello@demo.test>', 'DATA']) await talk.say(line)
  talk.send(`${MAIL}half a li`)
  await vi.waitFor(async () => expect(await spooled()).toHaveLength(1))
  talk.cut()
  await vi.waitFor(async () => expect(await spooled()).toHaveLength(0))
  expect(api.requests.filter((request) => request.startsWith('POST'))).toEqual([])
})

test('a sender whose address no parser likes is taken as it is', async () => {
  const { api, stranger } = await makeWorld()
  expect(await sendMail(await stranger(), 'name.@x.example', ['hello@demo.test'], MAIL)).toMatch(/^250 /)
  expect(api.stored[0]?.from).toBe('name.@x.example')
})

test('a recipient beyond the hundredth is told to come later', async () => {
  const { api, stranger } = await makeWorld()
  const talk = await stranger()
  await talk.say('MAIL FROM:<a@x.example>')
  for (let at = 0; at < 100; at++) {
    api.addresses.add(`u${at}@demo.test`)
    expect(await talk.say(`RCPT TO:<u${at}@demo.test>`)).toMatch(/^250 /)
  }
  expect(await talk.say('RCPT TO:<hello@demo.test>')).toMatch(/^452 4\.5\.3 /)
})

test('a client that guesses addresses is sent away', async () => {
  const { stranger } = await makeWorld()
  const talk = await stranger()
  await talk.say('MAIL FROM:<a@x.example>')
  for (let at = 0; at < 20; at++) expect(await talk.say(`RCPT TO:<u${at}@demo.test>`)).toMatch(/^550 /)
  expect(await talk.say('RCPT TO:<u20@demo.test>')).toMatch(/^421 4\.7\.0 /)
  await talk.closed
})
