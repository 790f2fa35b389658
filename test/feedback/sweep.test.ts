import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { newId } from '../../src/context.ts'
import { sweepFeedback } from '../../src/feedback/sweep.ts'
import { makeVerp } from '../../src/mail/returned/verp.ts'
import { receive } from '../../src/reception/receive.ts'
import type { AccountRef } from '../../src/store/stores.ts'
import { eventsOf, putOutbox, readOutbox, run } from '../relay/outbox.ts'
import { type Faults, noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'
import { bounce, complaint, dsn, leaveReport } from './reports.ts'

const world = await makeWorld()

/** An account with a message that the relay took, for two recipients, and one who listens. */
async function sentMail(to = ['ann@x.test', 'bob@x.test']) {
  const { account, domain } = await makeAccount(world)
  const id = await putOutbox(world.ctx, account, to)
  await setStates(account, id, 'sent')
  await run(world.ctx, sql`UPDATE counters SET listeners = 1 WHERE account = ${account.number}`)
  return { account, domain, id }
}

async function setStates(account: AccountRef, id: string, state: string) {
  const { recipients } = await readOutbox(world.ctx, account, id)
  const moved = JSON.stringify(recipients.map(({ due: _, ...rest }) => ({ ...rest, state })))
  await run(
    world.ctx,
    sql`UPDATE messages SET recipients = ${moved}, due = NULL, last_event = ${state} WHERE account = ${account.number} AND id = ${id}`,
  )
}

const comesBack = (account: AccountRef, message: string, recipient: number, text: string | Uint8Array) =>
  leaveReport(world.ctx, account, { message, recipient }, text)

/** What is left to do, and of bytes. */
async function leftOf({ ctx }: World, account: AccountRef) {
  const tasks = await ctx.stores.directory.all<{ due: number; attempts: number; claim: string | null }>(
    sql`SELECT due, attempts, claim FROM tasks WHERE account = ${account.number} AND kind = 'feedback'`,
  )
  const { objects } = await ctx.stores.raw.list({ prefix: `bounces/${account.number}/` })
  return { tasks, objects: objects.length }
}

/** Another context over the same stores, whose clock shows the same time. */
async function shakyWorld(faults: Faults) {
  const shaky = await makeWorld({ faults })
  shaky.pass(world.ctx.now() - shaky.ctx.now())
  return shaky
}

/** What was told of the mail; what was told of the list beside it is left to dead-addresses.test.ts. */
async function mailEventsOf(account: AccountRef) {
  return (await eventsOf(world.ctx, account)).filter(({ type }) => type.startsWith('email.'))
}

const NOTHING = { tasks: [], objects: 0 }

test('a bounce that came to a return path is told of the one recipient it proves, and leaves nothing behind', async () => {
  const { account, domain, id } = await sentMail()
  const path = await makeVerp(
    world.ctx.keyring,
    { account: account.number, message: id, recipient: 1 },
    `send.${domain}`,
  )
  // It lists the other recipient too; the token proves only one.
  const raw = utf8(bounce('bob@x.test').replace('See below.', 'ann@x.test: 550 5.1.1 user unknown'))
  await receive(world.ctx, { door: 'inbound', from: '', to: path, size: raw.length, raw: new Blob([raw]).stream() })
  await sweepFeedback(world.ctx)
  const { recipients, last_event } = await readOutbox(world.ctx, account, id)
  expect(recipients.map(({ state }) => state)).toEqual(['sent', 'bounced'])
  expect(recipients[1]?.reply).toEqual({ code: 550, enhanced: '5.1.1', text: 'user unknown' })
  expect(last_event).toBe('bounced')
  const [event, ...more] = await mailEventsOf(account)
  expect(more).toEqual([])
  expect(event?.type).toBe('email.bounced')
  expect(event?.data).toMatchObject({
    email_id: id,
    to: ['ann@x.test', 'bob@x.test'],
    tags: { kind: 'test' },
    recipient: 'bob@x.test',
    bounce: {
      message: 'user unknown',
      type: 'Permanent',
      subType: 'NoEmail',
      diagnosticCode: ['smtp; 550 5.1.1 user unknown'],
    },
  })
  expect(await leftOf(world, account)).toEqual(NOTHING)
  expect(world.woken).toContainEqual({ what: 'webhooks', account: account.id })
})

test('deliveries, delays and complaints are told, and states only climb', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  const state = async () => {
    const { recipients, last_event } = await readOutbox(world.ctx, account, id)
    return [recipients[0]?.state, last_event]
  }
  const reads = async (text: string) => {
    await comesBack(account, id, 0, text)
    await sweepFeedback(world.ctx)
    return state()
  }
  const delayed = dsn('ann@x.test', 'delayed', '4.4.1', '450 4.4.1 no answer')
  expect(await reads(delayed)).toEqual(['sent', 'delivery_delayed'])
  expect(await reads(delayed)).toEqual(['sent', 'delivery_delayed'])
  expect(await reads(dsn('ann@x.test', 'delivered', '2.1.5', '250 2.1.5 ok'))).toEqual(['delivered', 'delivered'])
  const full = dsn('ann@x.test', 'failed', '4.2.2', '452 4.2.2 mailbox full')
  expect(await reads(full)).toEqual(['delivered', 'delivered'])
  expect(await reads(delayed)).toEqual(['delivered', 'delivered'])
  expect(await reads(complaint)).toEqual(['complained', 'complained'])
  expect(await reads(complaint)).toEqual(['complained', 'complained'])
  const told = await mailEventsOf(account)
  expect(told.map(({ type }) => type)).toEqual(['email.delivery_delayed', 'email.delivered', 'email.complained'])
  expect(told[0]?.data).toMatchObject({ recipients: ['ann@x.test'], delayed: { reason: '450 4.4.1 no answer' } })
  expect(told[1]?.data).toMatchObject({ recipients: ['ann@x.test'] })
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('a mail that says nothing of the delivery changes nothing and is gone', async () => {
  const { account, id } = await sentMail()
  const before = await readOutbox(world.ctx, account, id)
  await comesBack(account, id, 0, 'Subject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nAway.')
  await comesBack(
    account,
    id,
    0,
    Uint8Array.from({ length: 3000 }, (_, at) => (at * 7919) % 256),
  )
  await comesBack(account, id, 0, '')
  await comesBack(account, id, 7, bounce('ann@x.test'))
  await comesBack(account, newId(world.ctx), 0, bounce('ann@x.test'))
  await sweepFeedback(world.ctx)
  expect(await readOutbox(world.ctx, account, id)).toEqual(before)
  expect(await mailEventsOf(account)).toEqual([])
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('a bounce ends the attempts for its recipient, and leaves the others due', async () => {
  const { account } = await makeAccount(world)
  const later = world.ctx.now() + 60_000
  const id = await putOutbox(world.ctx, account, ['ann@x.test', 'bob@x.test'], { due: later })
  await comesBack(account, id, 0, bounce('ann@x.test'))
  await sweepFeedback(world.ctx)
  const half = await readOutbox(world.ctx, account, id)
  expect(half).toMatchObject({ due: later, recipients: [{ state: 'bounced' }, { state: 'queued', due: later }] })
  expect(half.recipients[0]).not.toHaveProperty('due')
  await comesBack(account, id, 1, bounce('bob@x.test'))
  await sweepFeedback(world.ctx)
  expect(await readOutbox(world.ctx, account, id)).toMatchObject({ due: null })
})

test('while the relay holds the message its claim and its due stay, and the bounce is written all the same', async () => {
  const { account } = await makeAccount(world)
  const due = world.ctx.now()
  const id = await putOutbox(world.ctx, account, ['ann@x.test'])
  await run(world.ctx, sql`UPDATE messages SET claim = 'relay', claimed_until = ${due + 1000} WHERE id = ${id}`)
  await comesBack(account, id, 0, bounce('ann@x.test'))
  await sweepFeedback(world.ctx)
  expect(await readOutbox(world.ctx, account, id)).toMatchObject({
    claim: 'relay',
    due,
    recipients: [{ state: 'bounced' }],
  })
})

test('reports about several recipients of one message, read at once, are all written', async () => {
  const to = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}@x.test`)
  const { account, id } = await sentMail(to)
  for (const [at, address] of to.entries()) await comesBack(account, id, at, bounce(address))
  await sweepFeedback(world.ctx)
  world.pass(61_000)
  await sweepFeedback(world.ctx)
  const { recipients } = await readOutbox(world.ctx, account, id)
  expect(recipients.every(({ state }) => state === 'bounced')).toBe(true)
  expect(await mailEventsOf(account)).toHaveLength(6)
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('whatever step storage fails at, the report is told of once in the end', async () => {
  for (const fate of ['fail', 'lose-answer'] as const) {
    // The batches of one report: the change, the end of its task; and of a failure: the task put off.
    for (const before of [0, 1]) {
      const faults = noFaults()
      const shaky = await shakyWorld(faults)
      const { account, id } = await sentMail(['ann@x.test'])
      await comesBack(account, id, 0, bounce('ann@x.test'))
      faults.batches = [...Array.from({ length: before }, () => 'pass' as const), fate, fate]
      await sweepFeedback(shaky.ctx)
      for (let tick = 0; tick < 5; tick++) {
        shaky.pass(200_000)
        await sweepFeedback(shaky.ctx)
      }
      const { recipients } = await readOutbox(world.ctx, account, id)
      expect(recipients[0]?.state, `${fate} ${before}`).toBe('bounced')
      expect(await mailEventsOf(account), `${fate} ${before}`).toHaveLength(1)
      expect(await leftOf(world, account)).toEqual(NOTHING)
    }
  }
})

test('what was claimed by a dead invocation is taken up after its deadline, and not before', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test'))
  const until = world.ctx.now() + 1000
  await run(
    world.ctx,
    sql`UPDATE tasks SET claim = 'dead', claimed_until = ${until}, attempts = 1 WHERE account = ${account.number}`,
  )
  await sweepFeedback(world.ctx)
  expect(await mailEventsOf(account)).toEqual([])
  world.pass(1001)
  await sweepFeedback(world.ctx)
  expect(await mailEventsOf(account)).toHaveLength(1)
})

test('a report that kills its readers again and again is let go', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test'))
  await run(world.ctx, sql`UPDATE tasks SET attempts = 20 WHERE account = ${account.number}`)
  await sweepFeedback(world.ctx)
  expect(await mailEventsOf(account)).toEqual([])
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('a report that storage fails for is put off for longer each time', async () => {
  const faults = noFaults()
  const shaky = await shakyWorld(faults)
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test'))
  const waits: number[] = []
  for (let tick = 0; tick < 4; tick++) {
    faults.batches = ['fail']
    await sweepFeedback(shaky.ctx)
    const [task] = (await leftOf(world, account)).tasks
    expect(task).toMatchObject({ claim: null, attempts: tick + 1 })
    waits.push(Number(task?.due) - shaky.ctx.now())
    shaky.pass(waits.at(-1) ?? 0)
  }
  expect(waits.map((ms) => ms / 60_000)).toEqual([1, 2, 4, 8])
  await sweepFeedback(shaky.ctx)
  expect(await mailEventsOf(account)).toHaveLength(1)
})

test('a closing account gains nothing, and a task that reception did not write is dropped', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test'))
  await run(world.ctx, sql`UPDATE counters SET state = 'closing' WHERE account = ${account.number}`)
  for (const state of ['null', '{"key":"x","from":""}', '{"message":"m","recipient":0,"key":7,"from":""}']) {
    await run(
      world.ctx,
      sql`INSERT INTO tasks (kind, account, ref, due, attempts, state)
        VALUES ('feedback', ${account.number}, ${state}, 0, 0, ${state})`,
    )
  }
  await sweepFeedback(world.ctx)
  expect(await mailEventsOf(account)).toEqual([])
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('a tick takes up more than it claims at once, and storage that is down is left for the next', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  for (let at = 0; at < 45; at++) await comesBack(account, id, 0, 'Subject: Hi\r\n\r\nHello.')
  const faults = noFaults()
  const shaky = await shakyWorld(faults)
  faults.down = true
  await sweepFeedback(shaky.ctx)
  expect((await leftOf(world, account)).tasks).toHaveLength(45)
  faults.down = false
  await sweepFeedback(shaky.ctx)
  expect(await leftOf(world, account)).toEqual(NOTHING)
})

test('of a huge report the start is read', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test').replace('--b--', `--b\r\n\r\n${'x'.repeat(3 * 1024 * 1024)}`))
  await sweepFeedback(world.ctx)
  expect((await readOutbox(world.ctx, account, id)).recipients[0]?.state).toBe('bounced')
})

test('a bounce costs a claim, a read, a change and an end: four trips, five rows, and three that put a dead address on the list', async () => {
  const { account, id } = await sentMail(['ann@x.test'])
  await comesBack(account, id, 0, bounce('ann@x.test'))
  Object.assign(world.tally, { trips: 0, written: 0, gets: 0, puts: 0 })
  await sweepFeedback(world.ctx)
  expect(world.tally).toMatchObject({ trips: 4, written: 8, gets: 1, puts: 0 })
})
