import { expect, test } from 'vitest'
import { rotateSecret } from '../../src/webhook/endpoints.ts'
import { type FullContent, MAX_CONTENT } from '../../src/webhook/payload.ts'
import { answered, dispatch, happen, listening, makeReceiver, rowsOf, sweep } from './receiver.ts'

const content: FullContent = {
  text: 'Hello',
  html: '<p>Hello</p>',
  reply_text: null,
  headers: { subject: 'Hi' },
  thread: 't',
  verdicts: null,
  marks: null,
  invitation: null,
  attachments: [{ id: 'a', download_url: 'https://mail.example.com/links/1' }],
  truncated: false,
}

test('a full payload has the mail in it, read anew for each attempt', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver, { payload: 'full' })
  let times = 0
  const readFull = async (_: unknown, account: { id: string }, message: string) => {
    expect([account.id, message]).toEqual([ctx.account.id, 'm1'])
    return { ...content, attachments: [{ id: 'a', download_url: `link-${++times}` }] }
  }
  receiver.on('/hook', () => answered(times === 1 ? 500 : 200))
  await happen(ctx)
  await dispatch(ctx, readFull)
  receiver.world.pass(6000)
  await dispatch(ctx, readFull)
  const { truncated, ...told } = content
  expect(receiver.calls.map((call) => call.payload.data)).toEqual([
    { email_id: 'm1', ...told, attachments: [{ id: 'a', download_url: 'link-1' }] },
    { email_id: 'm1', ...told, attachments: [{ id: 'a', download_url: 'link-2' }] },
  ])
  expect(receiver.calls[0]?.id).toBe(receiver.calls[1]?.id)
})

test('a thin payload reads no mail', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver)
  await happen(ctx)
  await dispatch(ctx, async () => {
    throw new Error('the mail was read')
  })
  expect(receiver.calls.map((call) => call.payload.data)).toEqual([{ email_id: 'm1' }])
})

test('of a mail that is gone the event is told all the same', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver, { payload: 'full' })
  await happen(ctx)
  await dispatch(ctx, async () => undefined)
  expect(receiver.calls.map((call) => call.payload.data)).toEqual([{ email_id: 'm1' }])
})

test('trouble in reading the mail delays the event, and is not the endpoint’s fault', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver, { payload: 'full' })
  await happen(ctx)
  await dispatch(ctx, async () => {
    throw new Error('R2 is down')
  })
  expect(receiver.calls).toEqual([])
  expect(await rowsOf(ctx, 'dispatches')).toMatchObject([{ status: 'pending', tries: 1 }])
  expect(await rowsOf(ctx, 'webhooks')).toMatchObject([{ failing_since: null }])
  receiver.world.pass(6000)
  await sweep(ctx, async () => content)
  expect(receiver.calls).toHaveLength(1)
})

test('text and html are cut to a MiB together, no character is halved, and it is said', async () => {
  const receiver = await makeReceiver()
  const { ctx } = await listening(receiver, { payload: 'full' })
  await happen(ctx, 'email.received', 3)
  const mails = [
    { ...content, text: '€'.repeat(MAX_CONTENT) },
    { ...content, text: 'x'.repeat(MAX_CONTENT - 5), html: '😀😀' },
    { ...content, text: 'x'.repeat(MAX_CONTENT - 8), html: '😀😀' },
  ]
  await dispatch(ctx, async () => mails.shift())
  const told = receiver.calls.map((call) => Object(call.payload.data))
  expect(told.map(({ text, html, truncated }) => [text.length, html, truncated])).toEqual([
    [Math.floor(MAX_CONTENT / 3), '<', true],
    [MAX_CONTENT - 5, '😀', true],
    [MAX_CONTENT - 8, '😀😀', undefined],
  ])
})

test('after a rotation both secrets sign for 24 hours, then the new one alone', async () => {
  const receiver = await makeReceiver()
  const { ctx, webhook } = await listening(receiver)
  const signatures = async () => {
    await happen(ctx)
    await dispatch(ctx)
    return receiver.calls.at(-1)?.headers['webhook-signature']?.split(' ').length
  }
  expect(await signatures()).toBe(1)
  const { signing_secret } = await rotateSecret(ctx, webhook.id)
  expect(signing_secret).not.toBe(webhook.signing_secret)
  expect(await signatures()).toBe(2)
  receiver.world.pass(24 * 3_600_000 - 1000)
  expect(await signatures()).toBe(2)
  receiver.world.pass(1000)
  expect(await signatures()).toBe(1)
})
