import { expect, test } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { createProvider, deleteProvider } from '../../../src/directory/providers/providers.ts'
import { sweepFeedback } from '../../../src/feedback/sweep.ts'
import { takeCall } from '../../../src/feedback/told.ts'
import { INSTANCE } from '../../../src/store/stores.ts'
import { noFaults } from '../../support/faults.ts'
import { makeWorld } from '../../support/world.ts'
import { fateOf, type Sent, sentMail, suppressed, told, world } from './scene.ts'

/** Postmark, set up for an account. */
async function postmarkOf(sent: Sent) {
  const made = await createProvider(sent.owner, { kind: 'postmark' })
  const secret = made.secret ?? ''
  const say = (
    content: unknown,
    headers: Record<string, string> = { authorization: `Basic ${btoa(`pochta:${secret}`)}` },
  ) => {
    const body = typeof content === 'string' ? utf8(content) : utf8(JSON.stringify(content))
    return takeCall(world.ctx, made.id, { headers: new Headers(headers), body })
  }
  return { made, secret, say }
}

const metadata = (token = '') => ({
  MessageStream: 'outbound',
  MessageID: 'aaaa',
  Metadata: { pochta: token, other: 'x' },
})
const delivery = (token = '', Recipient = 'ann@x.test') => ({
  RecordType: 'Delivery',
  Recipient,
  DeliveredAt: '2026-11-23T11:00:00Z',
  Details: 'smtp;250 2.0.0 OK 1a2b3c',
  ...metadata(token),
})
const bounce = (token = '', more: Record<string, unknown> = {}) => ({
  RecordType: 'Bounce',
  ID: 42,
  Type: 'HardBounce',
  TypeCode: 1,
  Name: 'Hard bounce',
  Description: 'The server was unable to deliver your message (ex: unknown user, mailbox not found).',
  Details: 'smtp;550 5.1.1 The email account that you tried to reach does not exist.',
  Email: 'ann@x.test',
  BouncedAt: '2026-11-23T11:00:00Z',
  Inactive: true,
  ...metadata(token),
  ...more,
})

test('a bounce for good counts although the server had taken the mail first, and the address is not sent to again', async () => {
  const sent = await sentMail()
  const { say } = await postmarkOf(sent)
  const [ann] = sent.tokens
  await say(delivery(ann))
  const away = { Type: 'SoftBounce', Details: 'smtp;450 4.2.1 away until Monday' }
  await say(bounce(ann, away))
  expect(await sent.states()).toEqual(['delivered', 'sent'])
  await say(bounce(ann))
  await say(delivery(ann))
  expect(await sent.states()).toEqual(['bounced', 'sent'])
  expect((await told(sent)).map(({ type }) => type)).toEqual(['email.delivered', 'email.bounced'])
  expect(await suppressed(sent)).toEqual(['ann@x.test'])
})

test('what Postmark tells of a recipient is written to that recipient, and told to those who listen', async () => {
  const sent = await sentMail()
  const { say } = await postmarkOf(sent)
  const [ann, bob] = sent.tokens
  expect(await say(delivery(ann))).toEqual({ object: 'taken', events: 1 })
  expect(await sent.states()).toEqual(['delivered', 'sent'])
  await say(bounce(bob, { Email: 'Bob@X.test' }))
  expect(await sent.states()).toEqual(['delivered', 'bounced'])
  await say(delivery(bob, 'bob@x.test'))
  expect(await sent.states()).toEqual(['delivered', 'bounced'])
  await say({ RecordType: 'SpamComplaint', Type: 'SpamComplaint', Email: 'ann@x.test', ...metadata(ann) })
  expect(await sent.states()).toEqual(['complained', 'bounced'])
  const events = await told(sent)
  expect(events.map(({ type }) => type)).toEqual(['email.delivered', 'email.bounced', 'email.complained'])
  expect(events[1]?.data).toMatchObject({
    recipient: 'bob@x.test',
    bounce: { type: 'Permanent', subType: 'NoEmail', diagnosticCode: [expect.stringContaining('550 5.1.1')] },
  })
  expect((await suppressed(sent)).sort()).toEqual(['ann@x.test', 'bob@x.test'])
})

test('calls that come twice or out of order change nothing more', async () => {
  const sent = await sentMail()
  const { say } = await postmarkOf(sent)
  const [ann] = sent.tokens
  for (const content of [bounce(ann), delivery(ann), bounce(ann), delivery(ann)]) await say(content)
  expect(await sent.states()).toEqual(['bounced', 'sent'])
  expect((await told(sent)).map(({ type }) => type)).toEqual(['email.bounced'])
})

test('each of Postmark’s kinds of bounce means what it is', async () => {
  const kinds: [string, string, string][] = [
    ['SoftBounce', 'smtp;552 5.2.2 mailbox is full', 'bounced Permanent MailboxFull'],
    ['SoftBounce', '', 'bounced Transient General'],
    ['DnsError', '', 'bounced Transient General'],
    ['SpamNotification', '', 'bounced Permanent ContentRejected'],
    ['Blocked', 'smtp;554 5.7.1 blocked', 'bounced Permanent General'],
    ['HardBounce', '', 'bounced Permanent NoEmail suppressed'],
    ['BadEmailAddress', '', 'bounced Permanent NoEmail suppressed'],
    ['ManuallyDeactivated', '', 'bounced Permanent OnAccountSuppressionList'],
    ['Transient', 'smtp;450 4.2.0 greylisted', 'sent'],
    ['AutoResponder', 'smtp;250 away', 'sent'],
    ['ChallengeVerification', '', 'sent'],
    ['constructor', '', 'sent'],
  ]
  for (const [Type, Details, expected] of kinds) {
    const sent = await sentMail()
    const { say } = await postmarkOf(sent)
    await say(bounce(sent.tokens[0], { Type, Details }))
    expect(await fateOf(sent), Type).toBe(expected)
  }
})

test('whom Postmark does not send to any more is not sent to by us either, if a reader or a bounce made it so', async () => {
  const change = (token: string | undefined, more: Record<string, unknown>) => ({
    RecordType: 'SubscriptionChange',
    Recipient: 'ann@x.test',
    Origin: 'Recipient',
    SuppressSending: true,
    SuppressionReason: 'ManualSuppression',
    ...metadata(token),
    ...more,
  })
  for (const [more, state] of [
    [{}, 'complained'],
    [{ SuppressionReason: 'SpamComplaint' }, 'complained'],
    [{ SuppressionReason: 'HardBounce' }, 'bounced'],
    [{ Origin: 'Customer' }, 'sent'],
    [{ SuppressSending: false }, 'sent'],
  ] as const) {
    const sent = await sentMail()
    const { say } = await postmarkOf(sent)
    await say(change(sent.tokens[0], more))
    expect((await sent.states())[0], JSON.stringify(more)).toBe(state)
    expect(await suppressed(sent)).toEqual(state === 'sent' ? [] : ['ann@x.test'])
  }
})

test('a call without the secret is refused, and one about no mail of ours changes nothing', async () => {
  const sent = await sentMail()
  const { made, secret, say } = await postmarkOf(sent)
  const [ann] = sent.tokens
  const wrong: Record<string, string>[] = [
    {},
    { authorization: `Basic ${btoa('pochta:wrong')}` },
    { authorization: 'Basic %' },
    { 'x-pochta-secret': '' },
  ]
  for (const headers of wrong) {
    await expect(say(bounce(ann), headers)).rejects.toMatchObject({ code: 'invalid_api_key' })
  }
  await expect(say('{')).rejects.toMatchObject({ code: 'invalid_request' })
  const foreign = await sentMail()
  for (const content of [
    bounce(),
    bounce(`${ann?.slice(0, -1)}${ann?.endsWith('a') ? 'b' : 'a'}`),
    bounce(foreign.tokens[0]),
    bounce(ann, { Email: 'bob@x.test' }),
    bounce(ann, { Metadata: null }),
    { RecordType: 'Open', ...metadata(ann) },
    [],
    null,
    7,
  ]) {
    await say(content, { 'x-pochta-secret': secret })
  }
  expect(await sent.states()).toEqual(['sent', 'sent'])
  expect(await foreign.states()).toEqual(['sent', 'sent'])
  await deleteProvider(sent.owner, made.id)
  await expect(say(bounce(ann))).rejects.toMatchObject({ code: 'not_found' })
})

test('the instance’s provider tells of every account', async () => {
  const [one, two] = [await sentMail(), await sentMail()]
  const operator = { ...one.owner, account: INSTANCE }
  const made = await createProvider(operator, { kind: 'postmark' })
  for (const sent of [one, two]) {
    const headers = new Headers({ 'x-pochta-secret': made.secret ?? '' })
    await takeCall(world.ctx, made.id, { headers, body: utf8(JSON.stringify(delivery(sent.tokens[0]))) })
    expect(await sent.states()).toEqual(['delivered', 'sent'])
  }
})

test('what cannot be written now is kept, and written later', async () => {
  const sent = await sentMail()
  const { made, secret } = await postmarkOf(sent)
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const call = {
    headers: new Headers({ 'x-pochta-secret': secret }),
    body: utf8(JSON.stringify(bounce(sent.tokens[0]))),
  }
  faults.batches = ['fail']
  expect(await takeCall(shaky.ctx, made.id, call)).toMatchObject({ events: 1 })
  expect(await sent.states()).toEqual(['sent', 'sent'])
  await sweepFeedback(shaky.ctx)
  expect(await sent.states()).toEqual(['bounced', 'sent'])
  expect(await told(sent)).toHaveLength(1)
  faults.down = true
  await expect(takeCall(shaky.ctx, made.id, call)).rejects.toThrow()
})

test('an event costs three trips and three rows, and one that is told again reads only', async () => {
  const sent = await sentMail()
  const { say } = await postmarkOf(sent)
  await say({ RecordType: 'Open' })
  const cost = async () => {
    Object.assign(world.tally, { trips: 0, written: 0, gets: 0, puts: 0 })
    await say(delivery(sent.tokens[0]))
    return { ...world.tally }
  }
  expect(await cost()).toMatchObject({ trips: 3, written: 3, gets: 0, puts: 0 })
  expect(await cost()).toMatchObject({ trips: 2, written: 0, gets: 0, puts: 0 })
})
