import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sendMail } from '../smtp-client.ts'
import { makeWorld } from './world.ts'

const MAIL = 'From: hello@demo.test\r\nTo: x@example.com\r\n\r\n.dot\r\n\xe9\r\n'
const STUFFED = MAIL.replace('\r\n.dot', '\r\n..dot')

test('what a client that logged in sends elsewhere is caught byte for byte, its envelope beside it', async () => {
  const { api, client, caught, told, spooled } = await makeWorld()
  const reply = await sendMail(await client(), 'hello@demo.test', ['x@example.com', 'y@example.org'], STUFFED)
  expect(reply).toBe('250 2.6.0 taken')
  const [json = '', eml = ''] = (await readdir(caught)).sort((a, b) =>
    a.endsWith('.json') ? -1 : b.endsWith('.json') ? 1 : 0,
  )
  expect(eml).toMatch(/^20261123T100000-000Z-x@example\.com-.+\.eml$/)
  expect((await readFile(join(caught, eml))).toString('latin1')).toBe(`${MAIL}\r\n`)
  expect(JSON.parse(await readFile(join(caught, json), 'utf8'))).toEqual({
    at: '2026-11-23T10:00:00.000Z',
    from: 'hello@demo.test',
    to: ['x@example.com', 'y@example.org'],
    helo: 'client.example',
    smtputf8: false,
  })
  expect(json.replace('.json', '')).toBe(eml.replace('.eml', ''))
  expect(told).toEqual([
    expect.stringMatching(/^caught {3}hello@demo\.test → x@example\.com {2}\d+ B {2}.+\.eml$/),
    expect.stringMatching(/^caught {3}hello@demo\.test → y@example\.org {2}\d+ B {2}.+\.eml$/),
  ])
  expect(api.stored).toEqual([])
  expect(await spooled()).toEqual([])
})

test('what it sends to a local address comes back in', async () => {
  const { api, client, caught } = await makeWorld()
  const talk = await client()
  expect(await sendMail(talk, 'b-1@send.demo.test', ['hello@demo.test', 'x@example.com'], STUFFED)).toMatch(/^250 /)
  expect(api.stored).toMatchObject([{ from: 'b-1@send.demo.test', to: 'hello@demo.test' }])
  expect(api.stored[0]?.bytes.toString()).toContain('with ESMTPA id')
  const [json = ''] = (await readdir(caught)).filter((name) => name.endsWith('.json'))
  expect(JSON.parse(await readFile(join(caught, json), 'utf8'))).toMatchObject({ to: ['x@example.com'] })
})

test('nothing is caught of a mail that must come again', async () => {
  const { api, client, caught } = await makeWorld()
  const talk = await client()
  api.trouble.inbound = () => ({ status: 503 })
  expect(await sendMail(talk, '', ['hello@demo.test', 'x@example.com'], MAIL)).toMatch(/^451 /)
  api.trouble.recipient = () => ({ status: 503 })
  await talk.say('MAIL FROM:<>')
  expect(await talk.say('RCPT TO:<x@example.com>')).toMatch(/^451 /)
  await expect(readdir(caught)).rejects.toThrow('ENOENT')
})

test('a recipient of ours that is refused for good does not stand in the way of one elsewhere', async () => {
  const { api, client, caught } = await makeWorld()
  const talk = await client()
  api.trouble.inbound = () => ({ status: 422 })
  expect(await sendMail(talk, 's@demo.test', ['hello@demo.test', 'x@example.com'], MAIL)).toMatch(/^451 4\.5\.3 /)
  expect(await sendMail(talk, 's@demo.test', ['x@example.com'], MAIL)).toMatch(/^250 /)
  await talk.say('RSET')
  expect(await sendMail(talk, 's@demo.test', ['hello@demo.test'], MAIL)).toMatch(/^554 5\.7\.1 /)
  expect((await readdir(caught)).filter((name) => name.endsWith('.eml'))).toHaveLength(1)
})

test('a wrong password is told so, thrice at most, and lets nobody relay', async () => {
  const { stranger } = await makeWorld()
  const talk = await stranger()
  const plain = (text: string) => `AUTH PLAIN ${Buffer.from(text).toString('base64')}`
  expect(await talk.say(plain('\0relay\0wrong'))).toMatch(/^535 5\.7\.8 /)
  expect(await talk.say(plain('\0other\0right-password'))).toMatch(/^535 5\.7\.8 /)
  await talk.say('MAIL FROM:<a@x.example>')
  expect(await talk.say('RCPT TO:<x@example.com>')).toMatch(/^550 5\.7\.1 relaying denied/)
  expect(await talk.say(plain('\0relay\0'))).toMatch(/^421 4\.7\.0 /)
  await talk.closed
})

test('AUTH LOGIN opens the relay as AUTH PLAIN does', async () => {
  const { stranger } = await makeWorld()
  const talk = await stranger()
  const word = (text: string) => Buffer.from(text).toString('base64')
  expect(await talk.say('AUTH LOGIN')).toBe('334 VXNlcm5hbWU6')
  expect(await talk.say(word('relay'))).toBe('334 UGFzc3dvcmQ6')
  expect(await talk.say(word('right-password'))).toMatch(/^235 2\.7\.0 /)
  await talk.say('MAIL FROM:<a@x.example>')
  expect(await talk.say('RCPT TO:<x@example.com>')).toMatch(/^250 /)
})
