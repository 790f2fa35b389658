import { expect, test } from 'vitest'
import { changeMessage, deleteMessage } from '../../src/mailbox/change.ts'
import { getReceived, getSent, listMessages, listReceived, listSent } from '../../src/mailbox/read.ts'
import { getThread } from '../../src/mailbox/threads.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { file, plain } from './mail.ts'

const world = await makeWorld()

/** Files so many, a ms apart; newest first. */
async function fileMany(ctx: Awaited<ReturnType<typeof makeAccount>>, count: number, sent = false): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    world.pass(1)
    ids.unshift(await file(ctx, plain(`mail ${n}`), { sent }))
  }
  return ids
}

const idsOf = (page: { data: { id: string }[] }) => page.data.map(({ id }) => id)

test('a list is walked page by page in both directions, newest first, without gap or repetition', async () => {
  const ctx = await makeAccount(world)
  const ids = await fileMany(ctx, 7)
  const first = await listReceived(ctx, { limit: 3 })
  expect([idsOf(first), first.has_more]).toEqual([ids.slice(0, 3), true])
  const second = await listReceived(ctx, { limit: 3, after: ids[2] })
  expect([idsOf(second), second.has_more]).toEqual([ids.slice(3, 6), true])
  const last = await listReceived(ctx, { limit: 3, after: ids[5] })
  expect([idsOf(last), last.has_more]).toEqual([ids.slice(6), false])
  const back = await listReceived(ctx, { limit: 3, before: ids[6] })
  expect([idsOf(back), back.has_more]).toEqual([ids.slice(3, 6), true])
  const top = await listReceived(ctx, { limit: 3, before: ids[3] })
  expect([idsOf(top), top.has_more]).toEqual([ids.slice(0, 3), false])
})

test('messages of both directions come merged by time', async () => {
  const ctx = await makeAccount(world)
  const [received, sent] = [await fileMany(ctx, 2), await fileMany(ctx, 2, true)]
  const [latest] = await fileMany(ctx, 1)
  const all = [latest ?? '', ...sent, ...received]
  expect(idsOf(await listMessages(ctx, { limit: 20 }))).toEqual(all)
  expect(idsOf(await listMessages(ctx, { limit: 2, after: all[1] }))).toEqual(all.slice(2, 4))
  expect(idsOf(await listMessages(ctx, { limit: 2, before: all[3] }))).toEqual(all.slice(1, 3))
  expect(idsOf(await listMessages(ctx, { limit: 20, direction: 'sent' }))).toEqual(sent)
  expect(idsOf(await listSent(ctx, { limit: 20 }))).toEqual(sent)
})

test('a mailbox lists by when messages entered it, and a page goes on behind a message that was moved meanwhile', async () => {
  const ctx = await makeAccount(world)
  const ids = await fileMany(ctx, 5)
  const page = await listMessages(ctx, { limit: 2, mailbox: 'inbox' })
  expect(idsOf(page)).toEqual(ids.slice(0, 2))
  await changeMessage(ctx, ids[1] ?? '', { mailbox: 'archive' })
  expect(idsOf(await listMessages(ctx, { limit: 2, mailbox: 'inbox', after: ids[1] }))).toEqual(ids.slice(2, 4))
  expect(idsOf(await listMessages(ctx, { limit: 2, mailbox: 'inbox', before: ids[1] }))).toEqual(ids.slice(0, 1))
  await changeMessage(ctx, ids[0] ?? '', { mailbox: 'archive' })
  expect(idsOf(await listMessages(ctx, { limit: 9, mailbox: 'archive' }))).toEqual(ids.slice(0, 2))
  await changeMessage(ctx, ids[4] ?? '', { mailbox: 'archive' })
  await changeMessage(ctx, ids[4] ?? '', { mailbox: 'inbox' })
  expect(idsOf(await listMessages(ctx, { limit: 9, mailbox: page.data[0]?.mailbox ?? '' }))).toEqual([
    ids[4],
    ids[2],
    ids[3],
  ])
})

test('a mailbox that is not there is not found, and a cursor that left it for good is refused', async () => {
  const ctx = await makeAccount(world)
  const [id = ''] = await fileMany(ctx, 1)
  await expect(listMessages(ctx, { limit: 9, mailbox: 'nowhere' })).rejects.toMatchObject({ code: 'not_found' })
  expect(await listMessages(ctx, { limit: 9, mailbox: 'junk' })).toMatchObject({ data: [], has_more: false })
  expect(await listMessages(ctx, { limit: 9, mailbox: 'inbox', after: id })).toMatchObject({ data: [] })
  await deleteMessage(ctx, id, true)
  await expect(listMessages(ctx, { limit: 9, mailbox: 'inbox', after: id })).rejects.toMatchObject({
    code: 'invalid_parameter',
    detail: { fields: [{ path: 'after' }] },
  })
})

test('lists narrow by thread and by address, and refuse what they cannot do', async () => {
  const ctx = await makeAccount(world)
  const first = await file(ctx, plain('a', 'Message-ID: <a@far.test>'))
  world.pass(1)
  const answer = await file(ctx, plain('b', 'Message-ID: <b@near.test>', 'In-Reply-To: <a@far.test>'), { sent: true })
  world.pass(1)
  const other = await file(ctx, plain('c'), { address: '*@near.test', recipient: 'x@near.test' })
  const { thread } = (await listMessages(ctx, { limit: 9 })).data.find(({ id }) => id === first) ?? { thread: '' }
  expect(idsOf(await listMessages(ctx, { limit: 9, thread }))).toEqual([answer, first])
  expect(idsOf(await listMessages(ctx, { limit: 9, thread, mailbox: 'sent' }))).toEqual([answer])
  expect((await getThread(ctx, thread)).messages.map(({ id }) => id)).toEqual([first, answer])
  await expect(getThread(ctx, first)).rejects.toMatchObject({ code: 'not_found' })
  expect(idsOf(await listMessages(ctx, { limit: 9, address: 'HELLO@near.test' }))).toEqual([answer, first])
  expect(idsOf(await listMessages(ctx, { limit: 9, address: '*@NEAR.test' }))).toEqual([other])
  expect(idsOf(await listMessages(ctx, { limit: 9, address: 'x@near.test', mailbox: 'inbox' }))).toEqual([other])
  for (const wrong of [{ q: '""' }, { address: 'none' }, { after: 'x' }, { before: first, after: first }]) {
    await expect(listMessages(ctx, { limit: 9, ...wrong })).rejects.toMatchObject({ code: 'invalid_parameter' })
  }
})

test('a sent mail shows its owner everything, Bcc and every recipient’s state too', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('s', 'Message-ID: <s@near.test>', 'Cc: c@far.test'), {
    sent: true,
    parties: { from: ['Me <hello@near.test>'], to: ['a@far.test'], cc: [], bcc: ['b@far.test'], reply_to: [] },
    tags: [{ name: 'kind', value: 'news' }],
    lastEvent: 'delivery_delayed',
    recipients: [
      {
        address: 'a@far.test',
        state: 'deferred',
        attempts: 2,
        unknown: true,
        reply: { code: 451, enhanced: '4.7.1', text: 'later' },
        updatedAt: world.ctx.now(),
      },
      { address: 'b@far.test', state: 'sent', attempts: 1, updatedAt: world.ctx.now() },
    ],
  })
  const email = await getSent(ctx, id)
  expect(email).toMatchObject({
    object: 'email',
    id,
    message_id: '<s@near.test>',
    from: 'Me <hello@near.test>',
    bcc: ['b@far.test'],
    cc: null,
    reply_to: null,
    last_event: 'delivery_delayed',
    scheduled_at: null,
    text: 'This is s.',
    html: null,
    tags: [{ name: 'kind', value: 'news' }],
    recipients: [
      { state: 'deferred', attempts: 2, outcome_unknown: true, reply: { code: 451, enhanced: '4.7.1', text: 'later' } },
      { state: 'sent', reply: null, outcome_unknown: false },
    ],
  })
  expect(email.created_at).toMatch(/^2026-11-23T.*Z$/)
  await expect(getReceived(ctx, id, { body: [], html_format: 'cid' })).rejects.toMatchObject({ code: 'not_found' })
})

test('a Date that no calendar of ours can write is left out, and spoils no list', async () => {
  const ctx = await makeAccount(world)
  for (const dated of [8.64e15, 253_402_300_800_000, -1]) await file(ctx, plain('odd'), { dated })
  expect((await listMessages(ctx, { limit: 9 })).data.map(({ date }) => date)).toEqual([null, null, null])
})

test('nothing of another account is ever read', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  const [id = ''] = await fileMany(ann, 1)
  await expect(getReceived(bob, id, { body: [], html_format: 'cid' })).rejects.toMatchObject({ code: 'not_found' })
  expect((await listMessages(bob, { limit: 9 })).data).toEqual([])
  const box = (await listMessages(ann, { limit: 9 })).data[0]
  await expect(listMessages(bob, { limit: 9, mailbox: box?.mailbox ?? '' })).rejects.toMatchObject({
    code: 'not_found',
  })
  await expect(getThread(bob, box?.thread ?? '')).rejects.toMatchObject({ code: 'not_found' })
})
