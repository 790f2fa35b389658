/** Mail from one address of ours to another: out by a relay, in again by the door, and the sender is told that it is there. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSink } from '../support/smtp-sink.ts'
import { makeTenant, type Service, startService, type Tenant, until } from './service.ts'

let service: Service
let sink: Awaited<ReturnType<typeof startSink>>
let writer: Tenant
let reader: Tenant

beforeAll(async () => {
  sink = await startSink()
  service = await startService({ relayUrl: `smtp://127.0.0.1:${sink.port}` })
  writer = await makeTenant(service, 'writer.test')
  reader = await makeTenant(service, 'reader.test')
})

afterAll(async () => {
  await service.close()
  await sink.close()
})

test('mail that comes in again is delivered to that recipient, and to no other', async () => {
  const to = [reader.address, 'you@away.test']
  const mail = { from: writer.address, to, subject: 'Round', text: 'hi' }
  const { body } = await service.call('POST', '/emails', { key: writer.key, body: mail })
  await until(() => sink.messages.length === 2, 'the relay to have both')
  const ours = sink.messages.find(({ recipients }) => recipients[0]?.address === reader.address)
  await service.email(ours?.from ?? '', reader.address, ours?.bytes.toString('latin1') ?? '')
  const states = async () => {
    const shown = (await service.call('GET', `/emails/${body.id}`, { key: writer.key })).body
    return shown.recipients.map(({ state }: { state: string }) => state)
  }
  // Nobody runs the sweep: who files the mail wakes who tells of it.
  await until(async () => (await states())[0] === 'delivered', 'the delivery')
  expect(await states()).toEqual(['delivered', 'sent'])
  const { data } = (await service.call('GET', '/events?types=email.delivered', { key: writer.key })).body
  expect(data).toMatchObject([{ data: { email_id: body.id, recipients: [reader.address] } }])
})
