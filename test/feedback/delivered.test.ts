/** Mail of ours that comes in again, to an address of ours: that is the best proof of its delivery there is. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { createAddress } from '../../src/directory/addresses.ts'
import { sweepFeedback } from '../../src/feedback/sweep.ts'
import { makeVerp } from '../../src/mail/returned/verp.ts'
import { receive } from '../../src/reception/receive.ts'
import { putOutbox, readOutbox, run } from '../relay/outbox.ts'
import { makeAccount } from '../support/world.ts'
import { told, world } from './providers/scene.ts'

const ONE = 'Message-ID: <one@here.test>\r\nSubject: One\r\n\r\nhi\r\n'

let count = 0

/** Mail that an account sent to two addresses of another. */
async function sentHere() {
  const [owner, reader] = [await makeAccount(world), await makeAccount(world)]
  const to = [`ann@${reader.domain}`, `bob@${reader.domain}`]
  for (const address of to) await createAddress(reader, { address })
  const { account } = owner
  const id = await putOutbox(world.ctx, account, to)
  const path = (recipient: number) =>
    makeVerp(world.ctx.keyring, { account: account.number, message: id, recipient }, `send.${owner.domain}`)
  const states = async () => (await readOutbox(world.ctx, account, id)).recipients.map(({ state }) => state)
  const deliveries = async () =>
    (await told({ account } as Parameters<typeof told>[0])).flatMap(({ type, data }) =>
      type === 'email.delivered' ? [(data as { recipients: string[] }).recipients] : [],
    )
  return { owner, reader, id, account, to, paths: [await path(0), await path(1)] as const, states, deliveries }
}

async function arrives(from: string, to: string, text = `Subject: ${++count}\r\n\r\nhi\r\n`) {
  const raw = utf8(text)
  return receive(world.ctx, { door: 'inbound', from, to, size: raw.length, raw: new Blob([raw]).stream() })
}

async function leftOf(account: { number: number }): Promise<number> {
  const rows = await world.ctx.stores.directory.all(
    sql`SELECT 1 FROM tasks WHERE kind = 'feedback' AND account = ${account.number}`,
  )
  return rows.length
}

test('mail of ours that an address of ours took is delivered to that recipient, and told of once', async () => {
  const { paths, to, states, deliveries, reader } = await sentHere()
  await arrives(paths[0], to[0] ?? '', ONE)
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['delivered', 'queued'])
  expect(await deliveries()).toEqual([[to[0]]])
  expect(await leftOf(reader.account)).toBe(0)
  // The sender lost our answer and came again; and somebody sends more under the same path.
  expect(await arrives(paths[0], to[0] ?? '', ONE)).toMatchObject({ duplicate: true })
  await arrives(paths[0], to[0] ?? '')
  await sweepFeedback(world.ctx)
  expect(await deliveries()).toHaveLength(1)
})

test('in whatever case the path and the address come', async () => {
  const { paths, to, states } = await sentHere()
  await arrives(paths[1].toUpperCase(), (to[1] ?? '').toUpperCase())
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['queued', 'delivered'])
})

test('a path proves nothing of another recipient, and a forged one nothing at all', async () => {
  const { paths, to, states, deliveries } = await sentHere()
  await arrives(paths[0], to[1] ?? '')
  await arrives(`${paths[0].slice(0, paths[0].indexOf('@') - 2)}aa@x.test`, to[0] ?? '')
  for (const from of ['', 'ann@x.test', `x${paths[0]}`]) await arrives(from, to[0] ?? '')
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['queued', 'queued'])
  expect(await deliveries()).toEqual([])
})

test('what is not filed is not delivered', async () => {
  const { paths, to, states, reader } = await sentHere()
  await run(world.ctx, sql`UPDATE counters SET storage_bytes = 1 WHERE account = ${reader.account.number}`)
  await expect(arrives(paths[0], to[0] ?? '')).rejects.toMatchObject({ code: 'service_unavailable' })
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['queued', 'queued'])
  expect(await leftOf(reader.account)).toBe(0)
})

test('while the sender’s account is being moved it waits, and is told afterwards', async () => {
  const { account, paths, to, states, deliveries } = await sentHere()
  const set = (state: string) =>
    run(world.ctx, sql`UPDATE accounts SET state = ${state} WHERE number = ${account.number}`)
  await set('moving')
  await arrives(paths[0], to[0] ?? '')
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['queued', 'queued'])
  await set('active')
  world.pass(10 * 60_000)
  await sweepFeedback(world.ctx)
  expect(await states()).toEqual(['delivered', 'queued'])
  expect(await deliveries()).toEqual([[to[0]]])
})
