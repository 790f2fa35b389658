import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { sweepFeedback } from '../../src/feedback/sweep.ts'
import { relayBatch } from '../../src/relay/relay.ts'
import type { AccountRef } from '../../src/store/stores.ts'
import { submit } from '../../src/submission/submit.ts'
import { eventsOf, putOutbox, readOutbox } from '../relay/outbox.ts'
import { scene } from '../relay/scene.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { bounce, complaint, dsn, leaveReport } from './reports.ts'

const world = await makeWorld()
const { ctx } = world

async function listOf(account: AccountRef) {
  return ctx.stores.directory.all(
    sql`SELECT email, origin, source FROM suppressions WHERE account = ${account.number} ORDER BY email`,
  )
}

const addedOf = async (account: AccountRef) =>
  (await eventsOf(ctx, account)).filter(({ type }) => type === 'suppression.added').map(({ data }) => data)

/** A message to these, about which reports have come and been read. */
async function reported(to: string[], ...reports: string[]) {
  const { account } = await makeAccount(world)
  const id = await putOutbox(ctx, account, to)
  for (const [recipient, text] of reports.entries()) await leaveReport(ctx, account, { message: id, recipient }, text)
  await sweepFeedback(ctx)
  return { account, id }
}

test('a report that an address is dead puts it on the list, and so does a complaint', async () => {
  // What the report names is nothing to us: the return path says whom it is about.
  const { account, id } = await reported(['Ann@x.test', 'bob@x.test'], bounce('eve@x.test'), complaint)
  expect(await listOf(account)).toEqual([
    { email: 'ann@x.test', origin: 'bounce', source: id },
    { email: 'bob@x.test', origin: 'complaint', source: id },
  ])
  expect((await addedOf(account)).sort((a, b) => (String(a.email) < String(b.email) ? -1 : 1))).toEqual([
    { id: expect.any(String), email: 'ann@x.test', origin: 'bounce', source_id: id, created_at: expect.any(String) },
    { id: expect.any(String), email: 'bob@x.test', origin: 'complaint', source_id: id, created_at: expect.any(String) },
  ])
})

test('a full mailbox, a policy, a delay and a delivery put nobody on the list', async () => {
  const { account } = await reported(
    ['full@x.test', 'spam@x.test', 'slow@x.test', 'ok@x.test'],
    dsn('full@x.test', 'failed', '5.2.2', '552 5.2.2 mailbox full'),
    dsn('spam@x.test', 'failed', '5.7.1', '550 5.7.1 rejected as spam'),
    dsn('slow@x.test', 'delayed', '4.4.1', '450 4.4.1 no answer'),
    dsn('ok@x.test', 'delivered', '2.1.5', '250 2.1.5 ok'),
  )
  expect(await listOf(account)).toEqual([])
})

test('an address that is on the list stays as it was put there, and is told of once', async () => {
  const { account, id } = await reported(['ann@x.test'], bounce('ann@x.test'))
  const later = await putOutbox(ctx, account, ['ann@x.test', 'ANN@x.test'])
  await leaveReport(ctx, account, { message: later, recipient: 0 }, complaint)
  await leaveReport(ctx, account, { message: later, recipient: 1 }, bounce('ann@x.test'))
  await sweepFeedback(ctx)
  expect(await listOf(account)).toEqual([{ email: 'ann@x.test', origin: 'bounce', source: id }])
  expect(await addedOf(account)).toHaveLength(1)
})

test('whatever step storage fails at, the bounce, the list and what is told of both go together', async () => {
  for (const fate of ['fail', 'lose-answer'] as const) {
    const faults = noFaults()
    const shaky = await makeWorld({ faults })
    const { account } = await makeAccount(world)
    const id = await putOutbox(ctx, account, ['ann@x.test'])
    await leaveReport(ctx, account, { message: id, recipient: 0 }, bounce('ann@x.test'))
    faults.batches = [fate]
    await sweepFeedback(shaky.ctx)
    const [recipient] = (await readOutbox(ctx, account, id)).recipients
    const there = fate === 'fail' ? 0 : 1
    expect(recipient?.state, fate).toBe(there ? 'bounced' : 'queued')
    expect(
      [await listOf(account), await addedOf(account)].map((all) => all.length),
      fate,
    ).toEqual([there, there])
    shaky.pass(10 * 60_000)
    await sweepFeedback(shaky.ctx)
    expect(
      [await listOf(account), await addedOf(account)].map((all) => all.length),
      fate,
    ).toEqual([1, 1])
  }
})

const REPLIES: Record<string, string> = {
  dead: '550 5.1.1 no such user',
  full: '552 5.2.2 mailbox full',
  spam: '554 5.7.1 not from you',
  slow: '451 4.7.1 later',
}

const refusing = () => scene({ rcpt: (address) => REPLIES[address.split('@')[0]?.toLowerCase() ?? ''] ?? '250 ok' })

test('a server that says an address is dead puts it on the list, and no other refusal does', async () => {
  const { ctx, account, relay } = await refusing()
  const to = ['dead', 'full', 'spam', 'slow', 'ok'].map((name) => `${name}@there.test`)
  const id = await putOutbox(ctx, account, to)
  await relay(id)
  expect(await listOf(account)).toEqual([{ email: 'dead@there.test', origin: 'bounce', source: id }])
  expect(await addedOf(account)).toMatchObject([{ email: 'dead@there.test', origin: 'bounce', source_id: id }])
})

test('a dead address in two spellings and several messages of one batch is on the list once', async () => {
  const { ctx, account, relay } = await refusing()
  const ids = [
    await putOutbox(ctx, account, ['dead@there.test', 'Dead@there.test']),
    await putOutbox(ctx, account, ['DEAD@there.test', 'ok@there.test']),
  ]
  await relay(...ids)
  expect(await listOf(account)).toMatchObject([{ email: 'dead@there.test' }])
  expect(await addedOf(account)).toHaveLength(1)
  const bounced = (await eventsOf(ctx, account)).filter(({ type }) => type === 'email.bounced')
  expect(bounced).toHaveLength(3)
})

test('test recipients bounce and complain each time anew', async () => {
  const { ctx, account, relay } = await refusing()
  await relay(await putOutbox(ctx, account, ['bounced@resend.dev', 'complained@resend.dev', 'suppressed@resend.dev']))
  expect(await listOf(account)).toEqual([])
})

test('a dead address costs three rows more, once', async () => {
  const { world, ctx, account, relay } = await refusing()
  const cost = async () => {
    const id = await putOutbox(ctx, account, ['dead@there.test'])
    const { written } = world.tally
    await relay(id)
    return world.tally.written - written
  }
  expect([await cost(), await cost()]).toEqual([7, 4])
})

test('who bounced once is not sent to again, until the list is told otherwise', async () => {
  const { world, remote } = await refusing()
  const owner = await makeAccount(world)
  const send = async () => {
    const body = { from: owner.address, to: 'Dead@there.test', subject: 'Salom', text: 'Hi' }
    const { id } = await submit(owner, SendEmailBody.parse(body))
    await relayBatch(world.ctx, [{ account: owner.account, messages: [id] }])
    return (await readOutbox(world.ctx, owner.account, id)).recipients.map(({ state }) => state)
  }
  expect(await send()).toEqual(['bounced'])
  expect(await send()).toEqual(['suppressed'])
  expect(remote.taken).toEqual([])
  await world.ctx.stores.directory.run(sql`DELETE FROM suppressions WHERE account = ${owner.account.number}`)
  expect(await send()).toEqual(['bounced'])
})
