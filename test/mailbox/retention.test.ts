import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { createAccount, patchAccount } from '../../src/directory/accounts.ts'
import { changeMany } from '../../src/mailbox/bulk.ts'
import { changeMessage } from '../../src/mailbox/change.ts'
import { sweepRetention } from '../../src/mailbox/retention.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'
import { countsOf, eventsOf, file, fillMailbox, plain } from './mail.ts'

const DAY = 86_400_000

const [INBOX, SENT, TRASH, JUNK] = [1, 2, 6, 5]

async function left(ctx: Caller, box: number) {
  const { messages, unread, rows, unseen } = await countsOf(ctx, box)
  expect([messages, unread]).toEqual([rows, unseen])
  return messages
}

async function taskOf(ctx: Caller): Promise<number | undefined> {
  const [row] = await ctx.stores.directory.all<{ due: number }>(
    sql`SELECT due FROM tasks WHERE kind = 'retention' AND ref = ${String(ctx.account.number)}`,
  )
  return row?.due
}

async function later(world: World, days: number): Promise<void> {
  world.pass(days * DAY)
  await sweepRetention(world.ctx)
  await world.idle()
}

test('what lies in Trash or Junk longer than is said goes for good, counted from when it came there', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  await patchAccount(world.ctx, ctx.account.id, { retention: { trash_days: 30, junk_days: 7 } })
  const old = await file(ctx, plain('old'))
  const stays = await file(ctx, plain('stays'))
  await later(world, 100)
  const ids = [old, await file(ctx, plain('b'))]
  await changeMany(ctx, { ids, delete: true })
  const junk = await file(ctx, plain('junk'))
  await changeMessage(ctx, junk, { mailbox: 'junk' })
  await later(world, 6)
  expect([await left(ctx, TRASH), await left(ctx, JUNK)]).toEqual([2, 1])
  await changeMessage(ctx, await trash(ctx), { keywords: { $seen: true } })
  await later(world, 1)
  expect([await left(ctx, TRASH), await left(ctx, JUNK)]).toEqual([3, 0])
  await later(world, 24)
  expect([await left(ctx, TRASH), await left(ctx, INBOX)]).toEqual([1, 1])
  expect((await eventsOf(ctx, 'message.deleted')).map(({ data }) => data.messages)).toMatchObject([
    [{ id: junk }],
    ids.map((id) => ({ id })),
  ])
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(2)
  await later(world, 6)
  expect(await left(ctx, TRASH)).toBe(0)
  await changeMessage(ctx, stays, { keywords: { $seen: true } })
})

async function trash(ctx: Caller): Promise<string> {
  const id = await file(ctx, plain('later'))
  await changeMessage(ctx, id, { mailbox: 'trash' })
  return id
}

test('an account is looked at when its oldest is due and no sooner; while nothing is, that costs nothing', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  await patchAccount(world.ctx, ctx.account.id, { retention: { trash_days: 30 } })
  await sweepRetention(world.ctx)
  expect(await taskOf(ctx)).toBe(world.ctx.now() + 30 * DAY)
  world.pass(10 * DAY)
  const { written } = world.tally
  await sweepRetention(world.ctx)
  expect(world.tally.written).toBe(written)
  await trash(ctx)
  await later(world, 20)
  expect(await taskOf(ctx)).toBe(world.ctx.now() + 10 * DAY)
  await later(world, 10)
  expect(await left(ctx, TRASH)).toBe(0)
})

test('more than a tick’s share is removed over several, and nothing beyond its time is left', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  await fillMailbox(ctx, TRASH, 2600)
  await patchAccount(world.ctx, ctx.account.id, { retention: { trash_days: 1 } })
  await later(world, 2)
  expect(await left(ctx, TRASH)).toBe(600)
  await later(world, 0)
  expect(await left(ctx, TRASH)).toBe(0)
})

test('received and sent mail goes by its own age where the account says so; drafts and what is owed stay', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  await patchAccount(world.ctx, ctx.account.id, { retention: { received_days: 10, sent_days: 20 } })
  await file(ctx, plain('a'))
  await file(ctx, plain('s'), { sent: true })
  await file(ctx, plain('owed'), { sent: true, due: world.ctx.now() + 90 * DAY })
  await file(ctx, plain('draft'), { sent: true, lastEvent: null, mailbox: 3, recipients: null })
  await later(world, 11)
  expect([await left(ctx, INBOX), await left(ctx, SENT)]).toEqual([0, 2])
  await later(world, 10)
  expect([await left(ctx, SENT), await left(ctx, 3)]).toEqual([1, 1])
})

test('null is for ever, and a setting says nothing of the others', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const { id } = ctx.account
  await patchAccount(world.ctx, id, { quota: { requests_per_second: 7 }, retention: { trash_days: 1, junk_days: 2 } })
  const shown = await patchAccount(world.ctx, id, { retention: { trash_days: null } })
  expect(shown).toMatchObject({
    quota: { requests_per_second: 7 },
    retention: { trash_days: null, junk_days: 2, received_days: null, sent_days: null },
  })
  await patchAccount(world.ctx, id, { retention: { junk_days: null } })
  await trash(ctx)
  await later(world, 1000)
  expect(await left(ctx, TRASH)).toBe(1)
  expect(await taskOf(ctx)).toBeUndefined()
})

test('a new account keeps Trash and Junk for thirty days unless it is told otherwise, and one that is gone is looked at no more', async () => {
  const world = await makeWorld()
  const made = await createAccount(world.ctx, { name: 'New' })
  expect(made.retention).toEqual({ trash_days: 30, junk_days: 30, received_days: null, sent_days: null })
  const ever = await createAccount(world.ctx, { name: 'Ever', retention: { trash_days: null, junk_days: null } })
  expect(ever.retention).toEqual({ trash_days: null, junk_days: null, received_days: null, sent_days: null })
  const tasks = () =>
    world.ctx.stores.directory.all(sql`SELECT 1 FROM tasks AS t JOIN accounts AS a ON t.ref = CAST(a.number AS TEXT)
    WHERE t.kind = 'retention' AND a.id IN (${made.id}, ${ever.id})`)
  expect(await tasks()).toHaveLength(2)
  await later(world, 2)
  expect(await tasks()).toHaveLength(1)
})
