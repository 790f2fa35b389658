import { expect, test } from 'vitest'
import { type Judged, settleRecipients } from '../../src/relay/judge.ts'
import { simulated } from '../../src/relay/test-recipients.ts'
import { type Held, lastEventOf } from '../../src/store/mail/deliveries.ts'
import type { Recipient } from '../../src/store/mail/shapes.ts'

const patience = { now: 1000, giveUpMs: 3_600_000, randomUnit: () => 0.5 }

function held(...recipients: Partial<Recipient>[]): Held {
  const all = recipients.map(
    (given): Recipient => ({ address: 'a@b.test', state: 'queued', attempts: 1, begun: 900, updatedAt: 0, ...given }),
  )
  return {
    account: { number: 1, id: 'account', mailDb: 'DB' },
    id: 'message',
    createdAt: 0,
    sender: 's@b.test',
    parties: { from: ['s@b.test'], to: [], cc: [], bcc: [], reply_to: [] },
    subject: '',
    messageId: null,
    tags: [],
    address: null,
    rawKey: '',
    size: 1,
    claim: { token: 't', now: 900, until: 2000 },
    recipients: all,
    stored: JSON.stringify(all),
  }
}

const outcomes: [string, Judged][] = [
  ['sent', { kind: 'sent', reply: { code: 250, text: 'ok' }, relay: 'r' }],
  ['deferred', { kind: 'deferred', reply: { code: 451, text: 'later' } }],
  ['unknown', { kind: 'unknown', reason: 'lost' }],
  ['bounced', { kind: 'bounced', reply: { code: 550, text: 'no' } }],
  ['failed', { kind: 'failed', reason: 'no' }],
  ['released', { kind: 'released' }],
  ['postponed', { kind: 'postponed', due: 2000 }],
  ['postponed with a reason', { kind: 'postponed', due: 2000, reply: { code: 451, text: 'down' } }],
]

test.each(outcomes)('an outcome that is applied twice changes nothing the second time (%s)', (_, judged) => {
  const first = settleRecipients(held({}), new Map([[0, judged]]), patience)
  const again = settleRecipients({ ...held({}), recipients: first.recipients }, new Map([[0, judged]]), patience)
  expect(again.recipients).toEqual(first.recipients)
  expect(again.events).toEqual([])
  expect(again.visible).toBe(false)
})

test.each(outcomes)('no outcome brings a recipient down from where it stands (%s)', (_, judged) => {
  for (const state of ['sent', 'delivered', 'bounced', 'complained', 'failed', 'suppressed', 'canceled'] as const) {
    const { recipients } = settleRecipients(held({ state }), new Map([[0, judged]]), patience)
    expect(recipients[0]?.state).toBe(state)
  }
})

test('a claim is given back once no recipient is left under it, and is due when the next of them is', () => {
  const two = held({}, {}, { state: 'deferred', begun: undefined, due: 5000 })
  const deferred: Judged = { kind: 'deferred', reply: { code: 451, text: 'later' } }
  expect(settleRecipients(two, new Map([[0, deferred]]), patience).release).toBeUndefined()
  const both = new Map<number, Judged>([
    [0, deferred],
    [1, { kind: 'sent', reply: { code: 250, text: '' }, relay: 'r' }],
  ])
  expect(settleRecipients(two, both, patience).release).toEqual({ due: 5000 })
})

test('what a server says is kept short, and whole', () => {
  const reply = { code: 550, text: `${'x'.repeat(499)}😀 and more` }
  const { recipients } = settleRecipients(held({}), new Map([[0, { kind: 'bounced', reply }]]), patience)
  expect(recipients[0]?.reply?.text.length).toBeLessThanOrEqual(500)
  expect(recipients[0]?.reply?.text.isWellFormed()).toBe(true)
})

test('lists show of a message what is most to be said of its recipients', () => {
  const shown = (...states: Recipient['state'][]) => lastEventOf(states.map((state) => ({ state })))
  expect(shown('queued')).toBe('queued')
  expect(shown('queued', 'deferred')).toBe('delivery_delayed')
  expect(shown('sent', 'deferred')).toBe('sent')
  expect(shown('delivered', 'sent')).toBe('delivered')
  expect(shown('delivered', 'bounced', 'sent')).toBe('bounced')
  expect(shown('delivered', 'complained')).toBe('complained')
})

test('test recipients are known by their whole address, in any case and with a label', () => {
  const as = (address: string) => simulated({ address })
  expect(as('Delivered@Resend.dev')).toEqual({ kind: 'simulated', as: 'delivered' })
  expect(as('bounced+order.1@resend.dev')).toEqual({ kind: 'simulated', as: 'bounced' })
  for (const other of [
    'undelivered@resend.dev',
    'delivered@resend.dev.test',
    'deliveredx@resend.dev',
    'a+b@resend.dev',
  ]) {
    expect(as(other)).toBeUndefined()
  }
})

test('a mail that waited for its time is given the whole of our patience from then on', () => {
  const deferred = new Map<number, Judged>([[0, { kind: 'deferred', reply: { code: 451, text: 'later' } }]])
  const late = { ...patience, now: 10 * patience.giveUpMs }
  expect(settleRecipients(held({}), deferred, late).recipients[0]?.state).toBe('failed')
  expect(settleRecipients(held({ since: late.now - 1000 }), deferred, late).recipients[0]?.state).toBe('deferred')
})

test('what only waits for its turn has made no attempt, tells nobody, and is given up in time all the same', () => {
  const wait = (due: number) => settleRecipients(held({}), new Map([[0, { kind: 'postponed', due }]]), patience)
  const soon = wait(5000)
  expect(soon).toMatchObject({ visible: false, events: [], release: { due: 5000 } })
  expect(soon.recipients[0]).toMatchObject({ state: 'queued', attempts: 0, due: 5000 })
  const never = wait(3_600_001)
  expect(never).toMatchObject({ visible: true, lastEvent: 'failed', release: { due: null } })
  const reason = 'given up after 0 attempts: its turn did not come within what the relay allows'
  expect(never.events).toMatchObject([{ type: 'email.failed', data: { failed: { reason } } }])
})

test('what waits because its relays fail tells why, once', () => {
  const judged: Judged = { kind: 'postponed', due: 5000, reply: { code: 451, text: 'the relay fails' } }
  const first = settleRecipients(held({}), new Map([[0, judged]]), patience)
  expect(first.events.map(({ type }) => type)).toEqual(['email.delivery_delayed'])
  expect(first.recipients[0]).toMatchObject({
    state: 'deferred',
    attempts: 0,
    due: 5000,
    reply: { text: 'the relay fails' },
  })
  const again = settleRecipients(held({ state: 'deferred' }), new Map([[0, judged]]), patience)
  expect(again.events).toEqual([])
})
