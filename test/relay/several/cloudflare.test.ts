import { expect, test } from 'vitest'
import type { EmailAnswer, Net } from '../../../src/context.ts'
import { prepareMail } from '../../../src/relay/station/cloudflare-mail.ts'
import { findHanded, pruneHanded } from '../../../src/store/relays/handed.ts'
import { eventsOf, putOutbox, readOutbox } from '../outbox.ts'
import { hops } from './hops.ts'

type Given = { from: string; to: string; raw: string }

/** The service, which takes all but what `answer` says something else of. */
function service(answer: (to: string) => EmailAnswer | 'lost' | undefined = () => undefined, name = 'cf') {
  const given: Given[] = []
  const sendEmail: NonNullable<Net['sendEmail']> = async ({ from, to, raw }) => {
    const told = answer(to)
    if (told === 'lost') throw new Error('network connection lost')
    if (told) return told
    given.push({ from, to, raw: new TextDecoder().decode(raw) })
    return { kind: 'taken', id: `${name}-${given.length}` }
  }
  return { given, sendEmail }
}

const refusal = (code: string): EmailAnswer => ({ kind: 'refused', code, message: 'said so' })

const HEADER = 'From: Shop <hello@sender.test>\r\nMessage-ID: <x@sender.test>\r\n'

test('mail is given to the service one recipient at a time, from the address in From, without what it writes itself', async () => {
  const { given, sendEmail } = service()
  const { ctx, account, relay, health } = await hops({ cf: { kind: 'cloudflare' } }, { sendEmail })
  const raw = `DKIM-Signature: v=1;\r\n a=b\r\nReceived: from x\r\n${HEADER}X-Own: yes\r\n\r\nHello.\r\n`
  const to = ['a@there.test', 'b@there.test']
  const id = await putOutbox(ctx, account, to, { from: 'Shop <hello@sender.test>', sender: 'other@sender.test', raw })
  await relay(id)
  const bytes = `${HEADER}X-Own: yes\r\n\r\nHello.\r\n`
  expect(given.toSorted((a, b) => a.to.localeCompare(b.to))).toEqual(
    to.map((one) => ({ from: 'hello@sender.test', to: one, raw: bytes })),
  )
  const row = await readOutbox(ctx, account, id)
  expect(row).toMatchObject({ last_event: 'sent', relay: 'cf' })
  expect(row.recipients.map(({ reply }) => reply?.text).sort()).toEqual([
    'taken by Cloudflare as cf-1',
    'taken by Cloudflare as cf-2',
  ])
  const first = await findHanded(ctx.stores, 'cf-1', ctx.now())
  expect(first).toMatchObject({ account: account.number, message: id })
  expect(to[first?.recipient ?? -1]).toBe(given[0]?.to)
  expect(await health('cf')).toMatchObject({ okAt: ctx.now() })
})

test('by which id a mail was taken is known for ten days', async () => {
  const { sendEmail } = service(undefined, 'old')
  const { ctx, world, account, relay } = await hops({ cf: { kind: 'cloudflare' } }, { sendEmail })
  await relay(await putOutbox(ctx, account, ['a@there.test']))
  expect(await findHanded(ctx.stores, 'old-2', ctx.now())).toBeUndefined()
  // The same id, as the service may write it elsewhere.
  expect(await findHanded(ctx.stores, '<old-1>', ctx.now())).toBeDefined()
  world.pass(10 * 86_400_000)
  await pruneHanded(ctx.stores, ctx.now())
  expect(await findHanded(ctx.stores, 'old-1', ctx.now())).toBeDefined()
  world.pass(86_400_000)
  await pruneHanded(ctx.stores, ctx.now())
  expect(await findHanded(ctx.stores, 'old-1', ctx.now() - 86_400_000)).toBeUndefined()
})

const ANSWERS: [string, EmailAnswer | 'lost', Record<string, unknown>, string | null][] = [
  ['is suppressed there', refusal('E_RECIPIENT_SUPPRESSED'), { state: 'bounced' }, null],
  ['could not be delivered to now', refusal('E_DELIVERY_FAILED'), { state: 'deferred', attempts: 1 }, null],
  ['is over the rate', refusal('E_RATE_LIMIT_EXCEEDED'), { state: 'queued', attempts: 0 }, null],
  ['met trouble inside', refusal('E_INTERNAL_SERVER_ERROR'), { state: 'deferred', unknown: true }, null],
  ['was not answered about', 'lost', { state: 'deferred', unknown: true }, null],
  ['has an unknown sender', refusal('E_SENDER_NOT_VERIFIED'), { state: 'sent' }, 'next'],
  ['is over the day’s limit', refusal('E_DAILY_LIMIT_EXCEEDED'), { state: 'sent' }, 'next'],
  ['is of no use to it', refusal('E_HEADER_NOT_ALLOWED'), { state: 'sent' }, 'next'],
]

test.each(ANSWERS)(
  'a recipient who %s is judged by its code: what was surely not taken, nor judged, goes to the next relay',
  async (_, answer, recipient, by) => {
    const { sendEmail } = service(() => answer)
    const { ctx, account, relay, remote } = await hops({ cf: { kind: 'cloudflare' }, next: {} }, { sendEmail })
    const id = await putOutbox(ctx, account, ['a@there.test'])
    await relay(id)
    const row = await readOutbox(ctx, account, id)
    expect(row).toMatchObject({ relay: by, claim: null })
    expect(row.recipients[0]).toMatchObject(recipient)
    expect(remote('next').taken).toHaveLength(by ? 1 : 0)
  },
)

test('without another relay, and without the binding, mail waits and says what is missing', async () => {
  const { ctx, account, relay } = await hops({ cf: { kind: 'cloudflare' } })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  const { recipients } = await readOutbox(ctx, account, id)
  expect(recipients[0]).toMatchObject({ state: 'deferred', reply: { code: 451 } })
  expect(recipients[0]?.reply?.text).toContain('no send_email binding')
})

test('what the service does not take is not given to it, and fails with the reason where nobody else takes it', async () => {
  const { given, sendEmail } = service()
  const { ctx, account, relay } = await hops({ cf: { kind: 'cloudflare' } }, { sendEmail })
  const id = await putOutbox(ctx, account, ['a@there.test'], {
    raw: `${HEADER}Sender: x@sender.test\r\n\r\nHello.\r\n`,
  })
  await relay(id)
  expect(given).toEqual([])
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'failed' })
  const [event] = await eventsOf(ctx, account)
  expect(event).toMatchObject({
    type: 'email.failed',
    data: { failed: { reason: 'not sent: Cloudflare does not take the header field sender' } },
  })
})

const bytes = (text: string) => new TextEncoder().encode(text)
const fields = (count: number, name: (at: number) => string, value = 'x') =>
  Array.from({ length: count }, (_, at) => `${name(at)}: ${value}\r\n`).join('')

test.each([
  ['larger than 5 MiB', `${HEADER}\r\n${'x'.repeat(5 * 1024 * 1024)}`, /octets/],
  ['with a field that is not on the list', `${HEADER}Resent-From: a@b.test\r\n\r\n`, /resent-from/],
  ['with a field twice', `${HEADER}Comments: a\r\nComments: b\r\n\r\n`, /twice/],
  ['with a value too long', `${HEADER}X-Long: ${'x'.repeat(2049)}\r\n\r\n`, /2048/],
  ['with an empty value', `${HEADER}X-Empty:\r\n\r\n`, /empty/],
  ['with a name too long', `${HEADER}X-${'n'.repeat(99)}: x\r\n\r\n`, /longer/],
  ['with more than 16 KB of fields', `${HEADER}${fields(10, (at) => `X-${at}`, 'y'.repeat(2000))}\r\n`, /16 KB/],
  ['with a subject too long', `${HEADER}Subject: ${'s'.repeat(999)}\r\n\r\n`, /998/],
  ['with a line that is no field', `${HEADER}what is this\r\n\r\n`, /field/],
])('a mail %s is none for the service', (_, mail, reason) => {
  expect(prepareMail(bytes(mail))).toMatchObject({ fault: expect.stringMatching(reason) })
})

test('what is on the service’s list stays, folded as it is, and the body is untouched', () => {
  const mail = `${HEADER}References: <a@b>\r\n <c@d>\r\nList-Unsubscribe: <https://x.test>\r\nX-A: b\r\nMIME-Version: 1.0\r\n\r\nReceived: not a header\r\n`
  expect(prepareMail(bytes(mail))).toEqual({ raw: bytes(mail) })
})
