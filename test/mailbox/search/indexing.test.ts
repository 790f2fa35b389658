import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { deleteAccount, sweepRemovals } from '../../../src/directory/removal.ts'
import { changeMessage, deleteMessage } from '../../../src/mailbox/change.ts'
import { rebuild } from '../../../src/mailbox/search/rebuild.ts'
import { sweepSearch } from '../../../src/mailbox/search/sweep.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { findMessage } from '../../../src/store/mail/reading.ts'
import { clearSome, readCursor, writeIndex } from '../../../src/store/search/words.ts'
import { searchOf } from '../../../src/store/stores.ts'
import { createDraft, updateDraft } from '../../../src/submission/drafts/drafts.ts'
import { sendDraft } from '../../../src/submission/drafts/send.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { file } from '../mail.ts'
import { found, page, plainMail } from './mail.ts'

const searchFaults = noFaults()
const faults = noFaults()
const world = await makeWorld({ searchFaults, faults })

/** Longer than an isolate trusts what it has seen of an index. */
const LATER = 31_000

async function mails(ctx: Caller, count: number, text = 'salom'): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    world.pass(1)
    ids.unshift(await file(ctx, plainMail({ text: `${text} number${ids.length}` })))
  }
  return ids
}

function index(ctx: Caller) {
  const db = searchOf(ctx.stores, ctx.account)
  if (!db) throw new Error('no index is bound')
  return db
}

async function rows(ctx: Caller): Promise<number> {
  const from = ctx.account.number * 2 ** 32
  const [row] = await index(ctx).all<{ count: number }>(
    sql`SELECT COUNT(*) AS count FROM words WHERE rowid > ${from} AND rowid < ${from + 2 ** 32}`,
  )
  return row?.count ?? 0
}

async function cursorOf(ctx: Caller): Promise<unknown> {
  const [row] = await index(ctx).all(
    sql`SELECT high, low, clearing, epoch FROM cursors WHERE account = ${ctx.account.number}`,
  )
  return row
}

/** The whole index is lost. */
async function lose(ctx: Caller): Promise<void> {
  await runBatch(index(ctx), [sql`DELETE FROM words WHERE rowid > 0`, sql`DELETE FROM cursors`])
  world.pass(LATER)
}

test('new mail is found at once, though nothing ran in between', async () => {
  const ctx = await makeAccount(world)
  expect(await found(ctx, 'salom')).toEqual([])
  const [first] = await mails(ctx, 1)
  expect(await found(ctx, 'salom')).toEqual([first])
  const [second] = await mails(ctx, 1)
  expect(await found(ctx, 'salom')).toEqual([second, first])
})

test('a mail costs the index one row written; the cursor costs one for every 32 steps at most', async () => {
  const ctx = await makeAccount(world)
  await mails(ctx, 20)
  const { written } = world.tally
  expect(await found(ctx, 'salom')).toHaveLength(20)
  expect(world.tally.written - written).toBe(20)
  await mails(ctx, 44)
  const before = world.tally.written
  expect(await found(ctx, 'salom')).toHaveLength(64)
  expect(world.tally.written - before).toBe(44 + 1)
})

test('a search of what is indexed costs three trips and writes nothing, however often', async () => {
  const ctx = await makeAccount(world)
  await mails(ctx, 5)
  await found(ctx, 'salom')
  const { trips, written, gets } = world.tally
  await found(ctx, 'salom')
  await found(ctx, 'salom -number3 is:unread')
  expect({
    trips: world.tally.trips - trips,
    written: world.tally.written - written,
    gets: world.tally.gets - gets,
  }).toEqual({
    trips: 6,
    written: 0,
    gets: 0,
  })
})

test('each message is in the index once, whoever puts it in and however often', async () => {
  const ctx = await makeAccount(world)
  const ids = await mails(ctx, 12)
  const many = await Promise.all([
    found(ctx, 'salom'),
    found(ctx, 'salom'),
    found(ctx, 'salom'),
    sweepSearch(world.ctx),
  ])
  expect(many.slice(0, 3)).toEqual([ids, ids, ids])
  expect(await rows(ctx)).toBe(12)
  world.pass(LATER)
  expect(await found(ctx, 'salom')).toEqual(ids)
  expect(await rows(ctx)).toBe(12)
})

test('what is deleted for good leaves the index', async () => {
  const ctx = await makeAccount(world)
  const [last, first] = await mails(ctx, 2)
  expect(await found(ctx, 'salom')).toHaveLength(2)
  await deleteMessage(ctx, last ?? '', true)
  expect(await found(ctx, 'salom')).toEqual([first])
  expect(await rows(ctx)).toBe(1)
})

test('a message that was moved before it was indexed is found, and stays where it was in time', async () => {
  const ctx = await makeAccount(world)
  const [newer, older] = await mails(ctx, 2)
  await changeMessage(ctx, older ?? '', { mailbox: 'archive' })
  expect(await found(ctx, 'salom')).toEqual([newer, older])
  await changeMessage(ctx, older ?? '', { mailbox: 'inbox' })
  expect(await found(ctx, 'salom')).toEqual([newer, older])
  expect(await rows(ctx)).toBe(2)
})

test('the sweep indexes those who do not search', async () => {
  const ctx = await makeAccount(world)
  await mails(ctx, 40)
  await sweepSearch(world.ctx)
  expect(await rows(ctx)).toBe(40)
  const { written } = world.tally
  await sweepSearch(world.ctx)
  expect(world.tally.written).toBe(written)
})

test('an index that is lost is made anew by itself, and loses no mail', async () => {
  const ctx = await makeAccount(world)
  const ids = await mails(ctx, 40)
  expect(await found(ctx, 'salom')).toEqual(ids)
  await lose(ctx)
  await sweepSearch(world.ctx)
  expect(await found(ctx, 'salom')).toEqual(ids)
  const few = await makeAccount(world)
  const [only] = await mails(few, 1)
  expect(await found(few, 'salom')).toEqual([only])
  await lose(few)
  expect(await found(few, 'salom')).toEqual([only])
})

test('of a large account whose index is lost the newest mail is found first, and then the rest', async () => {
  const ctx = await makeAccount(world)
  const ids = await mails(ctx, 70)
  // As if its history were long.
  await runBatch(ctx.stores.directory, [sql`UPDATE counters SET seq = 5000 WHERE account = ${ctx.account.number}`])
  expect(await found(ctx, 'salom')).toEqual(ids.slice(0, 64))
  const [fresh] = await mails(ctx, 1)
  expect((await found(ctx, 'salom')).slice(0, 2)).toEqual([fresh, ids[0]])
  await sweepSearch(world.ctx)
  expect(await found(ctx, 'salom')).toEqual([fresh, ...ids])
  expect(await cursorOf(ctx)).toMatchObject({ low: null, epoch: 0 })
  expect(await rows(ctx)).toBe(71)
})

test('the sweep goes back page by page over all of the past', async () => {
  const ctx = await makeAccount(world)
  await mails(ctx, 1)
  const { number } = ctx.account
  const columns = sql.raw(
    'created_at, mailbox, modseq, keywords, thread, msgid_hash, message_id, sender, recipient, address, parties, subject, preview, size, has_attachment, parts, raw_key',
  )
  await runBatch(ctx.stores.directory, [
    sql`WITH RECURSIVE copies(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM copies WHERE n < 1199)
      INSERT INTO messages (account, direction, id, uid, filed, dedupe, ${columns})
      SELECT account, direction, '00000000-0000-7000-8000-' || printf('%012d', n), n, n, 'copy' || n, ${columns}
      FROM copies CROSS JOIN messages WHERE account = ${number}`,
    sql`UPDATE counters SET seq = 5000 WHERE account = ${number}`,
  ])
  await sweepSearch(world.ctx)
  expect(await rows(ctx)).toBe(1101)
  expect(await cursorOf(ctx)).toEqual({ high: 5000, low: null, clearing: 0, epoch: 0 })
})

test('the operator has an index made anew, and finds all again', async () => {
  const ctx = await makeAccount(world)
  const other = await makeAccount(world)
  const ids = await mails(ctx, 3)
  const theirs = await mails(other, 2)
  await found(ctx, 'salom')
  await found(other, 'salom')
  await runBatch(index(ctx), [
    sql`UPDATE words SET body = 'spoiled', subject = '', sender = '', recipients = '', copies = '', files = '', facts = '' WHERE rowid > ${ctx.account.number * 2 ** 32}
      AND rowid < ${(ctx.account.number + 1) * 2 ** 32}`,
  ])
  expect(await found(ctx, 'salom')).toEqual([])
  expect(await rebuild(world.ctx, ctx.account.id)).toEqual({
    object: 'search_rebuild',
    account: ctx.account.id,
    started: true,
  })
  await world.idle()
  expect(await found(ctx, 'salom')).toEqual(ids)
  expect(await found(other, 'salom')).toEqual(theirs)
  await expect(rebuild(world.ctx, crypto.randomUUID())).rejects.toMatchObject({ code: 'not_found' })
})

test('who began before the index was emptied says nothing of how far it is', async () => {
  const ctx = await makeAccount(world)
  const ids = await mails(ctx, 40)
  await found(ctx, 'salom')
  const db = index(ctx)
  const before = await readCursor(db, ctx.account.number)
  await rebuild(world.ctx, ctx.account.id)
  await world.idle()
  await clearSome(db, ctx.account.number)
  // Now whoever had begun before ends: all is in, he says.
  const late = { high: 100, low: null, clearing: false, epoch: before?.epoch ?? 0 }
  await runBatch(db, [sql`UPDATE cursors SET high = 0, low = NULL WHERE account = ${ctx.account.number}`])
  await writeIndex(db, ctx.account.number, { cursor: late })
  world.pass(LATER)
  expect(await found(ctx, 'salom')).toEqual(ids)
})

test('a crash between any two steps of indexing leaves nothing out and nothing twice', async () => {
  for (const fate of ['fail', 'lose-answer'] as const) {
    for (let step = 0; step < 6; step++) {
      const ctx = await makeAccount(world)
      const [gone, ...ids] = await mails(ctx, 40)
      await deleteMessage(ctx, gone ?? '', true)
      searchFaults.batches.push(...Array<'pass'>(step).fill('pass'), fate)
      await sweepSearch(world.ctx)
      searchFaults.batches.length = 0
      await sweepSearch(world.ctx)
      world.pass(LATER)
      expect(await found(ctx, 'salom'), `${fate} ${step}`).toEqual(ids)
      expect(await rows(ctx), `${fate} ${step}`).toBe(39)
    }
  }
})

test('without its index mail goes on, and only a search is refused', async () => {
  const ctx = await makeAccount(world)
  searchFaults.down = true
  try {
    const [id] = await mails(ctx, 1)
    expect((await page(ctx, {})).data.map((line) => line.id)).toEqual([id])
    await expect(page(ctx, { q: 'salom' })).rejects.toMatchObject({ code: 'service_unavailable' })
    await sweepSearch(world.ctx)
  } finally {
    searchFaults.down = false
  }
  expect(await found(ctx, 'salom')).toHaveLength(1)
})

test('where no index is bound a search says so', async () => {
  const ctx = await makeAccount(world)
  const unbound = { ...ctx, stores: { ...ctx.stores, search: new Map() } }
  await expect(page(unbound, { q: 'salom' })).rejects.toMatchObject({
    code: 'service_unavailable',
    detail: { fix: /SEARCH/ },
  })
  await sweepSearch(unbound)
})

test('a message whose bytes are gone is found by what its row says', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plainMail({ subject: 'Subject stays', text: 'body goes' }))
  const message = await findMessage(ctx.stores, ctx.account, id)
  await ctx.stores.raw.delete(message?.rawKey ?? '')
  expect(await found(ctx, 'subject:stays')).toEqual([id])
  expect(await found(ctx, 'goes')).toEqual([])
})

test('storage that does not give a message’s bytes is asked again, and the search answers meanwhile', async () => {
  const ctx = await makeAccount(world)
  const [id] = await mails(ctx, 1)
  const broken = new Proxy(ctx.stores.raw, {
    get(bucket, name) {
      if (name === 'get') throw new Error('R2: internal error')
      const member: unknown = Reflect.get(bucket, name)
      return typeof member === 'function' ? member.bind(bucket) : member
    },
  })
  expect(await found({ ...ctx, stores: { ...ctx.stores, raw: broken } }, 'salom')).toEqual([])
  expect(await found(ctx, 'salom')).toEqual([id])
})

test('only the beginning of a long text is indexed', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plainMail({ text: `beginning ${'blah '.repeat(20_000)} ending` }))
  expect(await found(ctx, 'beginning')).toEqual([id])
  expect(await found(ctx, 'ending')).toEqual([])
})

test('an account that is deleted leaves nothing in the index', async () => {
  const ctx = await makeAccount(world)
  const other = await makeAccount(world)
  await mails(ctx, 3)
  await mails(other, 2)
  await found(ctx, 'salom')
  await found(other, 'salom')
  await deleteAccount(world.ctx, ctx.account.id)
  await world.idle()
  for (let tick = 0; tick < 5; tick++) await sweepRemovals(world.ctx)
  expect(await rows(ctx)).toBe(0)
  expect(await cursorOf(ctx)).toBeUndefined()
  expect(await rows(other)).toBe(2)
})

test('a draft is found by what it says now; sent, it is found once and as the sent mail', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createDraft(ctx, { from: ctx.address, to: 'ann@far.test', subject: 'Plans', text: 'erstens' })
  expect(await found(ctx, 'erstens')).toEqual([id])
  await updateDraft(ctx, id, { text: 'zweitens' })
  expect(await found(ctx, 'erstens')).toEqual([])
  expect(await found(ctx, 'zweitens in:drafts')).toEqual([id])
  await sendDraft(ctx, id, {}, undefined)
  expect(await found(ctx, 'zweitens')).toEqual([id])
  expect(await found(ctx, 'in:drafts')).toEqual([])
  expect(await rows(ctx)).toBe(1)
})

test('after a flood of mail the newest is found first, and the rest when the answer is given', async () => {
  const ctx = await makeAccount(world)
  const ids = await mails(ctx, 100)
  expect(await found(ctx, 'salom')).toEqual(ids.slice(0, 64))
  await world.idle()
  expect(await rows(ctx)).toBe(100)
  expect(await found(ctx, 'salom')).toEqual(ids)
})
