import { expect, test } from 'vitest'
import { readVerp } from '../../../src/mail/returned/verp.ts'
import { putOutbox } from '../outbox.ts'
import { hops } from './hops.ts'

test.each([
  ['postmark', /^X-PM-Metadata-pochta: (\S+)\r\n/],
  ['ses', /^X-SES-MESSAGE-TAGS: pochta=(\S+)\r\n/],
])(
  'mail that %s relays carries one recipient’s token before all other fields, and only on its way out',
  async (provider, field) => {
    const { ctx, account, relay, remote } = await hops({ one: { settings: { provider } } })
    const id = await putOutbox(ctx, account, ['a@there.test', 'b@there.test'])
    await relay(id)
    expect(remote('one').taken.map(({ to, from }) => [from, ...to])).toEqual([
      ['hello@sender.test', 'a@there.test'],
      ['hello@sender.test', 'b@there.test'],
    ])
    for (const [recipient, { data }] of remote('one').taken.entries()) {
      const token = field.exec(data)?.[1] ?? ''
      expect(await readVerp(ctx.keyring, token)).toEqual({ account: account.number, message: id, recipient })
      expect(data.replace(field, '')).toMatch(/^From: hello@sender.test\r\nMessage-ID: .*Hello\.\r\n\.\.dot\r\n$/s)
    }
  },
)

test('a large message is streamed behind its marker, whole', async () => {
  const { ctx, account, relay, remote } = await hops({ one: { settings: { provider: 'postmark' } } })
  const raw = `From: hello@sender.test\r\n\r\n${'0123456789abcdef\r\n'.repeat(100_000)}`
  await relay(await putOutbox(ctx, account, ['a@there.test'], { raw }))
  const data = remote('one').taken[0]?.data ?? ''
  expect(data.slice(data.indexOf('\r\n') + 2)).toBe(raw)
})
