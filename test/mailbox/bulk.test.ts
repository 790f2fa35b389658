import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { changeMany } from '../../src/mailbox/bulk.ts'
import { changeMessage } from '../../src/mailbox/change.ts'
import { copyMessage } from '../../src/mailbox/copy.ts'
import { createMailbox } from '../../src/mailbox/mailboxes.ts'
import { getMessage, getSent, listMessages, listSent } from '../../src/mailbox/read.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { getRaw } from '../../src/store/objects.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { countsOf, eventsOf, file, fillMailbox, plain } from './mail.ts'

const world = await makeWorld()

const [INBOX, ARCHIVE, TRASH] = [1, 4, 6]

async function agree(ctx: Caller, box: number, messages: number, unread: number) {
  expect(await countsOf(ctx, box)).toEqual({ messages, unread, rows: messages, unseen: unread })
}

const show = (ctx: Caller, id: string) => getMessage(ctx, id, { body: [], html_format: 'cid' })

async function cost(act: () => Promise<unknown>) {
  const { trips, written, read } = world.tally
  await act()
  return { trips: world.tally.trips - trips, written: world.tally.written - written, read: world.tally.read - read }
}

test('many messages are moved in one step each, and one event tells of all with their new uids', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b')), await file(ctx, plain('c'))]
  await changeMessage(ctx, ids[2] ?? '', { keywords: { $seen: true } })
  const answer = await changeMany(ctx, { ids: [...ids, 'nobody'], mailbox: 'archive', keywords: { Work: true } })
  expect(answer).toEqual({
    object: 'list',
    has_more: false,
    next_after: null,
    data: [...ids.map((id) => ({ id, status: 'done' })), { id: 'nobody', status: 'not_found' }],
  })
  await agree(ctx, INBOX, 0, 0)
  await agree(ctx, ARCHIVE, 3, 2)
  const shown = await Promise.all(ids.map((id) => show(ctx, id)))
  expect(new Set(shown.map(({ uid }) => uid)).size).toBe(3)
  expect(shown[2]?.keywords).toEqual({ $seen: true, work: true })
  const events = await eventsOf(ctx, 'message.moved')
  expect(events).toHaveLength(1)
  expect(events[0]?.seq).toBe(shown[2]?.uid)
  expect(events[0]?.data.messages).toMatchObject(
    shown.map(({ id, mailbox, uid, keywords }, at) => ({ id, mailbox, uid, keywords, from: { uid: at + 1 } })),
  )
})

test('what is there already is left alone, the rest changes, and both are done', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b')), await file(ctx, plain('c'))]
  await changeMessage(ctx, ids[0] ?? '', { mailbox: 'archive' })
  const answer = await changeMany(ctx, { ids, mailbox: 'archive', keywords: { $seen: true } })
  expect(answer.data.map(({ status }) => status)).toEqual(['done', 'done', 'done'])
  await agree(ctx, ARCHIVE, 3, 0)
  expect((await eventsOf(ctx, 'message.updated')).map(({ data }) => data.messages)).toMatchObject([[{ id: ids[0] }]])
  expect(await cost(() => changeMany(ctx, { ids, mailbox: 'archive', keywords: { $seen: true } }))).toMatchObject({
    written: 0,
  })
})

test('a thousand messages are moved by one batch, at the same cost in a mailbox of a thousand and one of twenty thousand', async () => {
  const costs = []
  for (const count of [1000, 20_000]) {
    const ctx = await makeAccount(world)
    const ids = await fillMailbox(ctx, INBOX, count)
    costs.push(await cost(() => changeMany(ctx, { ids: ids.slice(-1000), mailbox: 'archive' })))
    await agree(ctx, INBOX, count - 1000, count - 1000)
    await agree(ctx, ARCHIVE, 1000, 1000)
  }
  expect(costs[1]?.written).toBe(costs[0]?.written)
  expect(costs[1]?.trips).toBe(costs[0]?.trips)
  expect(costs[0]?.written).toBeLessThanOrEqual(2 * 1000 + 2)
  // A thousand rows read thrice, and what SQLite looks at to find them: nothing that grows with the mailbox.
  expect(costs[1]?.read).toBeLessThan((costs[0]?.read ?? 0) * 1.2)
  expect(costs[1]?.read).toBeLessThan(25_000)
})

test('a filter finds its messages oldest first, a thousand at a time, and tells where to go on', async () => {
  const ctx = await makeAccount(world)
  const ids = await fillMailbox(ctx, INBOX, 1200)
  const first = await changeMany(ctx, { filter: { mailbox: 'inbox' }, keywords: { $seen: true } })
  expect(first).toMatchObject({ has_more: true, next_after: expect.any(String) })
  expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 1000))
  await agree(ctx, INBOX, 1200, 200)
  const after = first.next_after ?? ''
  const second = await changeMany(ctx, { filter: { mailbox: 'inbox', after }, keywords: { $seen: true } })
  expect(second).toMatchObject({ has_more: false, next_after: null })
  expect(second.data).toHaveLength(200)
  await agree(ctx, INBOX, 1200, 0)
  await expect(changeMany(ctx, { filter: { mailbox: 'nowhere' }, delete: true })).rejects.toMatchObject({
    code: 'not_found',
  })
})

test('a filter narrows by thread, address, direction and time', async () => {
  const ctx = await makeAccount(world)
  const old = await file(ctx, plain('old', 'Message-ID: <1@far.test>'))
  world.pass(60_000)
  const between = new Date(ctx.now()).toISOString()
  world.pass(60_000)
  const answer = await file(ctx, plain('new', 'Message-ID: <2@far.test>', 'In-Reply-To: <1@far.test>'))
  const sent = await file(ctx, plain('sent', 'Message-ID: <3@far.test>'), { sent: true })
  const found = async (filter: Parameters<typeof changeMany>[1]['filter']) =>
    (await changeMany(ctx, { filter, keywords: {} })).data.map(({ id }) => id)
  expect(await found({ thread: (await show(ctx, old)).thread })).toEqual([old, answer])
  expect(await found({ direction: 'sent' })).toEqual([sent])
  expect(await found({ address: 'HELLO@near.test' })).toEqual([old, answer, sent])
  expect(await found({ before: between })).toEqual([old])
  expect(await found({ mailbox: 'inbox', before: between })).toEqual([old])
})

test('many go to Trash, and from there for good with their bytes; what is owed stays', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  const owed = await file(ctx, plain('c'), { sent: true, due: world.ctx.now() })
  await changeMany(ctx, { ids: [...ids, owed], delete: true })
  await agree(ctx, TRASH, 3, 2)
  const answer = await changeMany(ctx, { filter: { mailbox: 'trash' }, delete: true, permanent: true })
  expect(answer.data.map(({ status }) => status)).toEqual(['done', 'done', 'refused'])
  await world.idle()
  await agree(ctx, TRASH, 1, 0)
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(1)
  expect((await eventsOf(ctx, 'message.deleted')).map(({ data }) => data.messages)).toMatchObject([
    ids.map((id) => ({ id })),
  ])
})

test('whoever pages through a mailbox keeps the place, though all he saw was moved on', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b')), await file(ctx, plain('c'))]
  const page = await listMessages(ctx, { mailbox: 'inbox', limit: 2 })
  expect(page.data.map(({ id }) => id)).toEqual([ids[2], ids[1]])
  await changeMany(ctx, { ids: page.data.map(({ id }) => id), mailbox: 'archive' })
  for (const after of page.data.map(({ id }) => id)) {
    const next = await listMessages(ctx, { mailbox: 'inbox', limit: 2, after })
    expect(next.data.map(({ id }) => id)).toEqual([ids[0]])
  }
})

test('a copy has its own id and bytes, stands in the same thread, and outlives what it was made of', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a', 'Message-ID: <1@far.test>'), { keywords: ['$flagged'] })
  const copy = await copyMessage(ctx, id, { mailbox: 'archive' })
  const original = await show(ctx, id)
  expect(copy).toMatchObject({ thread: original.thread, keywords: { $flagged: true }, created_at: original.created_at })
  expect(copy.id).not.toBe(id)
  await agree(ctx, INBOX, 1, 1)
  await agree(ctx, ARCHIVE, 1, 1)
  await changeMany(ctx, { ids: [id], delete: true, permanent: true })
  await world.idle()
  const [row] = await ctx.stores.directory.all<{ raw_key: string; bytes: number }>(
    sql`SELECT raw_key, (SELECT bytes FROM counters WHERE account = ${ctx.account.number}) AS bytes FROM messages WHERE id = ${copy.id}`,
  )
  const bytes = await (await getRaw(ctx.stores, row?.raw_key ?? ''))?.text()
  expect(bytes).toBe(plain('a', 'Message-ID: <1@far.test>'))
  expect(row?.bytes).toBe(bytes?.length)
  expect(await eventsOf(ctx, 'message.created')).toMatchObject([{ data: { messages: [{ id: copy.id, copy_of: id }] } }])
})

test('a copy of sent mail is delivered to nobody, and is no sent email', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'), { sent: true, due: world.ctx.now() })
  const copy = await copyMessage(ctx, id, { mailbox: 'archive' })
  const [row] = await ctx.stores.directory.all(
    sql`SELECT due, recipients, last_event FROM messages WHERE id = ${copy.id}`,
  )
  expect(row).toEqual({ due: null, recipients: null, last_event: null })
  expect((await listSent(ctx, { limit: 10 })).data.map((email) => email.id)).toEqual([id])
  await expect(getSent(ctx, copy.id)).rejects.toMatchObject({ code: 'not_found' })
})

test('the same copy asked for twice with one key is made once', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  const once = { key: 'k', body: 'b' }
  const copies = await Promise.all([1, 2, 3].map(() => copyMessage(ctx, id, { mailbox: 'archive' }, once)))
  const again = await copyMessage(ctx, id, { mailbox: 'archive' }, once)
  expect(new Set([...copies, again].map((copy) => JSON.stringify(copy))).size).toBe(1)
  await agree(ctx, ARCHIVE, 1, 1)
  await world.idle()
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(2)
})

test('copies that would not fit the storage are refused, and leave nothing behind', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET storage_bytes = bytes * 1.6 WHERE account = ${ctx.account.number}`,
  ])
  await expect(changeMany(ctx, { ids, copy_to: 'archive' })).rejects.toMatchObject({ code: 'payload_too_large' })
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(2)
  const [one] = (await changeMany(ctx, { ids: ids.slice(0, 1), copy_to: 'archive' })).data
  expect(one).toMatchObject({ status: 'done', copy: expect.any(String) })
  await agree(ctx, ARCHIVE, 1, 1)
})

test('a lost acknowledgement is no failure, and neither counts nor copies twice', async () => {
  const faults = noFaults()
  const faulty = await makeWorld({ faults })
  const ctx = await makeAccount(faulty)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  faults.batches.push('lose-answer')
  await changeMany(ctx, { ids, mailbox: 'archive' })
  await agree(ctx, ARCHIVE, 2, 2)
  faults.batches.push('fail', 'lose-answer')
  await changeMany(ctx, { ids, copy_to: 'inbox' })
  await agree(ctx, INBOX, 2, 2)
  faults.batches.push('fail', 'lose-answer')
  await changeMany(ctx, { ids, delete: true, permanent: true })
  await agree(ctx, ARCHIVE, 0, 0)
  faults.batches.push('fail', 'fail', 'fail')
  const rest = (await listMessages(ctx, { mailbox: 'inbox', limit: 10 })).data.map(({ id }) => id)
  await expect(changeMany(ctx, { ids: rest, delete: true })).rejects.toMatchObject({ code: 'service_unavailable' })
  await agree(ctx, INBOX, 2, 2)
})

test('a stranger’s messages and mailboxes are not there', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  const id = await file(ann, plain('a'))
  const box = await createMailbox(ann, { name: 'Own' })
  const own = await file(bob, plain('b'))
  expect((await changeMany(bob, { ids: [id], delete: true, permanent: true })).data).toEqual([
    { id, status: 'not_found' },
  ])
  expect((await changeMany(bob, { ids: [id], copy_to: 'inbox' })).data).toEqual([{ id, status: 'not_found' }])
  await expect(changeMany(bob, { ids: [own], mailbox: box.id })).rejects.toMatchObject({ code: 'validation_error' })
  await expect(copyMessage(bob, id, { mailbox: 'inbox' })).rejects.toMatchObject({ code: 'not_found' })
  await agree(ann, INBOX, 1, 1)
})

test('messages with so many keywords that one event could not tell them are changed in parts', async () => {
  const ctx = await makeAccount(world)
  const keywords = JSON.stringify(
    Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`${n}`.padStart(60, 'k'), true])),
  )
  const ids = await fillMailbox(ctx, INBOX, 300, keywords)
  const answer = await changeMany(ctx, { ids, mailbox: 'archive' })
  expect(answer.data.every(({ status }) => status === 'done')).toBe(true)
  await agree(ctx, ARCHIVE, 300, 300)
  expect((await eventsOf(ctx, 'message.moved')).length).toBeGreaterThan(1)
})
