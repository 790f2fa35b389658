import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { changeMessage, deleteMessage } from '../../src/mailbox/change.ts'
import { getMessage } from '../../src/mailbox/read.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { countsOf, eventsOf, file, plain } from './mail.ts'

const world = await makeWorld()

const [INBOX, ARCHIVE, TRASH] = [1, 4, 6]

async function agree(ctx: Caller, box: number, messages: number, unread: number) {
  expect(await countsOf(ctx, box)).toEqual({ messages, unread, rows: messages, unseen: unread })
}

const show = (ctx: Caller, id: string) => getMessage(ctx, id, { body: [], html_format: 'cid' })

test('a keyword is set and taken away, in whatever case, and unread follows $seen', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  await agree(ctx, INBOX, 1, 1)
  const seen = await changeMessage(ctx, id, { keywords: { $Seen: true, Work: true } })
  expect(seen.keywords).toEqual({ $seen: true, work: true })
  await agree(ctx, INBOX, 1, 0)
  const unseen = await changeMessage(ctx, id, { keywords: { $SEEN: false } })
  expect(unseen).toMatchObject({ keywords: { work: true }, uid: seen.uid })
  expect(unseen.modseq).toBeGreaterThan(seen.modseq)
  await agree(ctx, INBOX, 1, 1)
  expect(await show(ctx, id)).toMatchObject(unseen)
  expect((await eventsOf(ctx, 'message.updated')).map(({ data }) => data)).toEqual([
    { messages: [{ id, mailbox: seen.mailbox, uid: seen.uid, keywords: { $seen: true, work: true } }] },
    { messages: [{ id, mailbox: seen.mailbox, uid: seen.uid, keywords: { work: true } }] },
  ])
})

test('a move gives a new uid, which is the step of the history that tells of it, and both counts follow', async () => {
  const ctx = await makeAccount(world)
  const [id, other] = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  const before = await show(ctx, id)
  const after = await changeMessage(ctx, id, { mailbox: 'archive', keywords: { $flagged: true } })
  expect(after.mailbox).not.toBe(before.mailbox)
  expect(after.uid).toBeGreaterThan((await show(ctx, other)).uid)
  expect(await show(ctx, id)).toMatchObject(after)
  await agree(ctx, INBOX, 1, 1)
  await agree(ctx, ARCHIVE, 1, 1)
  expect(await eventsOf(ctx, 'message.moved')).toEqual([
    {
      seq: after.uid,
      data: {
        messages: [
          {
            id,
            mailbox: after.mailbox,
            uid: after.uid,
            keywords: { $flagged: true },
            from: { mailbox: before.mailbox, uid: before.uid },
          },
        ],
      },
    },
  ])
  await changeMessage(ctx, id, { mailbox: after.mailbox, keywords: { $seen: true } })
  await changeMessage(ctx, id, { mailbox: before.mailbox, keywords: { $seen: false } })
  await agree(ctx, INBOX, 2, 2)
  await agree(ctx, ARCHIVE, 0, 0)
})

test('what changes nothing writes nothing', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  const before = await show(ctx, id)
  world.tally.written = 0
  expect(await changeMessage(ctx, id, { mailbox: 'inbox', keywords: { $seen: false } })).toMatchObject({
    modseq: before.modseq,
  })
  expect(await changeMessage(ctx, id, {})).toMatchObject({ modseq: before.modseq })
  expect(world.tally.written).toBe(0)
})

test('keywords cost three rows, a move four, a deletion for good three; two round trips each', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  const archive = (await changeMessage(ctx, id, { mailbox: 'archive' })).mailbox
  await changeMessage(ctx, id, { mailbox: 'inbox' })
  const cost = async (act: () => Promise<unknown>) => {
    const { trips, written } = world.tally
    await act()
    return { trips: world.tally.trips - trips, written: world.tally.written - written }
  }
  expect(await cost(() => changeMessage(ctx, id, { keywords: { $seen: true } }))).toEqual({ trips: 2, written: 3 })
  expect(await cost(() => changeMessage(ctx, id, { mailbox: archive }))).toEqual({ trips: 3, written: 4 })
  expect(await cost(() => deleteMessage(ctx, id, true))).toEqual({ trips: 2, written: 3 })
})

test('many changes at once are all made, and the counts stay right', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  const names = ['one', 'two', 'three', 'four']
  await Promise.all(
    ids.flatMap((id) => [
      ...names.map((name) => changeMessage(ctx, id, { keywords: { [name]: true } })),
      changeMessage(ctx, id, { mailbox: 'archive', keywords: { $seen: true } }),
    ]),
  )
  for (const id of ids) {
    expect((await show(ctx, id)).keywords).toEqual({ one: true, two: true, three: true, four: true, $seen: true })
  }
  await agree(ctx, INBOX, 0, 0)
  await agree(ctx, ARCHIVE, 2, 0)
})

test('a message has at most 64 keywords, and goes to no mailbox that is not there', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, true]))
  await changeMessage(ctx, id, { keywords: names(64) })
  await expect(changeMessage(ctx, id, { keywords: { more: true } })).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'keywords' }] },
  })
  await expect(changeMessage(ctx, id, { mailbox: 'nowhere' })).rejects.toMatchObject({
    detail: { fields: [{ path: 'mailbox' }] },
  })
})

test('a deletion moves to Trash; one for good takes row, counts and bytes, and leaves a tombstone', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  await deleteMessage(ctx, id, false)
  await deleteMessage(ctx, id, false)
  const trashed = await show(ctx, id)
  await agree(ctx, TRASH, 1, 1)
  expect(await deleteMessage(ctx, id, true)).toEqual({ object: 'message', id, deleted: true })
  await world.idle()
  await agree(ctx, TRASH, 0, 0)
  expect(await eventsOf(ctx, 'message.deleted')).toMatchObject([
    { data: { messages: [{ id, mailbox: trashed.mailbox, uid: trashed.uid }] } },
  ])
  const [counters] = await ctx.stores.directory.all(
    sql`SELECT bytes, messages FROM counters WHERE account = ${ctx.account.number}`,
  )
  expect(counters).toEqual({ bytes: 0, messages: 0 })
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toEqual([])
  await expect(deleteMessage(ctx, id, true)).rejects.toMatchObject({ code: 'not_found' })
})

test('mail that is still being delivered is not deleted for good', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'), { sent: true, due: world.ctx.now() })
  await expect(deleteMessage(ctx, id, true)).rejects.toMatchObject({ code: 'validation_error' })
  await deleteMessage(ctx, id, false)
  await runBatch(ctx.stores.directory, [sql`UPDATE messages SET due = NULL WHERE id = ${id}`])
  await deleteMessage(ctx, id, true)
})

test('a stranger, and an account that is closing, change nothing', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  const id = await file(ann, plain('a'))
  const wrong = { code: 'not_found' }
  await expect(changeMessage(bob, id, { keywords: { $seen: true } })).rejects.toMatchObject(wrong)
  await expect(deleteMessage(bob, id, true)).rejects.toMatchObject(wrong)
  const box = (await show(ann, id)).mailbox
  const own = await file(bob, plain('b'))
  await expect(changeMessage(bob, own, { mailbox: box })).rejects.toMatchObject({ code: 'validation_error' })
  await runBatch(ann.stores.directory, [
    sql`UPDATE counters SET state = 'closing' WHERE account = ${ann.account.number}`,
  ])
  await expect(changeMessage(ann, id, { keywords: { $seen: true } })).rejects.toMatchObject(wrong)
  await agree(ann, INBOX, 1, 1)
})

test('whoever listens is woken by a change', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('a'))
  await runBatch(ctx.stores.directory, [sql`UPDATE counters SET listeners = 1 WHERE account = ${ctx.account.number}`])
  const before = world.woken.length
  await changeMessage(ctx, id, { keywords: { $seen: true } })
  await deleteMessage(ctx, id, true)
  expect(world.woken.slice(before)).toEqual([
    { what: 'webhooks', account: ctx.account.id },
    { what: 'webhooks', account: ctx.account.id },
  ])
})

test('a lost acknowledgement is not a failure, a failed write is tried again, and neither counts twice', async () => {
  const faults = noFaults()
  const faulty = await makeWorld({ faults })
  const ctx = await makeAccount(faulty)
  const id = await file(ctx, plain('a'))
  faults.batches.push('lose-answer')
  await changeMessage(ctx, id, { keywords: { $seen: true } })
  faults.batches.push('fail')
  await changeMessage(ctx, id, { mailbox: 'archive' })
  await agree(ctx, ARCHIVE, 1, 0)
  expect(await eventsOf(ctx, 'message.updated')).toHaveLength(1)
  expect(await eventsOf(ctx, 'message.moved')).toHaveLength(1)
  faults.batches.push('fail', 'lose-answer')
  await deleteMessage(ctx, id, true)
  await agree(ctx, ARCHIVE, 0, 0)
  expect(await eventsOf(ctx, 'message.deleted')).toHaveLength(1)
  const other = await file(ctx, plain('b'))
  faults.batches.push('fail', 'fail', 'fail')
  await expect(changeMessage(ctx, other, { mailbox: 'archive' })).rejects.toMatchObject({ code: 'service_unavailable' })
  await agree(ctx, INBOX, 1, 1)
})
