import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { changeMessage } from '../../src/mailbox/change.ts'
import { changeThread, deleteThread, getThread, listThreads } from '../../src/mailbox/threads.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { countsOf, file, fillMailbox, plain } from './mail.ts'

const world = await makeWorld()

const first = (n: number) => plain(`t${n}`, `Message-ID: <${n}@far.test>`)
const answer = (n: number, to: number, from = 'Bob <bob@far.test>') =>
  plain(`Re: t${to}`, `Message-ID: <${n}@far.test>`, `In-Reply-To: <${to}@far.test>`).replace(
    'Ann <ann@far.test>',
    from,
  )

async function put(ctx: Caller, mime: string, more: Parameters<typeof file>[2] = {}): Promise<string> {
  world.pass(1)
  return file(ctx, mime, more)
}

const list = (ctx: Caller, more: { limit?: number; after?: string; mailbox?: string } = {}) =>
  listThreads(ctx, { limit: 20, ...more })

test('threads are listed by their newest message, each once, with who wrote and what is unread', async () => {
  const ctx = await makeAccount(world)
  await put(ctx, first(1), { keywords: ['$seen'] })
  await put(ctx, first(2))
  const own = await put(ctx, answer(3, 1, 'Me <hello@near.test>'), { sent: true })
  await put(ctx, first(4))
  const latest = await put(ctx, answer(5, 1))
  const { data, has_more, next_after } = await list(ctx)
  expect([has_more, next_after]).toEqual([false, null])
  expect(data.map(({ latest: { subject } }) => subject)).toEqual(['Re: t1', 't4', 't2'])
  expect(data[0]).toMatchObject({
    messages: 3,
    more: false,
    unread: 1,
    participants: ['Ann <ann@far.test>', 'Me <hello@near.test>', 'Bob <bob@far.test>'],
    latest: { id: latest },
  })
  const thread = await getThread(ctx, data[0]?.id ?? '')
  expect(thread).toMatchObject({ unread: 1, participants: data[0]?.participants, has_more: false })
  expect(thread.messages.map(({ id }) => id)).toContain(own)
})

test('paged through, every thread comes once and none is missed, though a long one takes whole pages', async () => {
  const ctx = await makeAccount(world)
  for (let n = 1; n <= 9; n++) await put(ctx, first(n))
  for (let n = 10; n <= 30; n++) await put(ctx, answer(n, n % 4 === 0 ? 2 : 1))
  for (const mailbox of [undefined, 'inbox']) {
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await list(ctx, { limit: 2, ...(after ? { after } : {}), ...(mailbox ? { mailbox } : {}) })
      seen.push(...page.data.map(({ id }) => id))
      after = page.next_after ?? undefined
    } while (after !== undefined)
    expect(new Set(seen).size).toBe(9)
    expect(seen).toHaveLength(9)
  }
})

test('a mailbox has the threads that have a message in it', async () => {
  const ctx = await makeAccount(world)
  const moved = await put(ctx, first(1))
  await put(ctx, first(2))
  await put(ctx, answer(3, 2))
  await changeMessage(ctx, moved, { mailbox: 'archive' })
  expect((await list(ctx, { mailbox: 'archive' })).data.map(({ latest: { id } }) => id)).toEqual([moved])
  expect((await list(ctx, { mailbox: 'inbox' })).data.map(({ messages }) => messages)).toEqual([2])
  await expect(list(ctx, { mailbox: 'nowhere' })).rejects.toMatchObject({ code: 'not_found' })
})

test('a page costs the same in an account of a thousand messages and one of fifty thousand', async () => {
  const costs = []
  for (const count of [1000, 50_000]) {
    const ctx = await makeAccount(world)
    await fillMailbox(ctx, 1, count)
    const { read, trips } = world.tally
    expect((await list(ctx)).data).toHaveLength(20)
    expect((await list(ctx, { mailbox: 'inbox' })).data).toHaveLength(20)
    costs.push({ read: world.tally.read - read, trips: world.tally.trips - trips })
  }
  expect(costs[1]).toEqual(costs[0])
})

test('all messages of a thread are changed and deleted at once, and a stranger’s is not there', async () => {
  const [ctx, stranger] = [await makeAccount(world), await makeAccount(world)]
  await put(ctx, first(1))
  await put(ctx, answer(2, 1))
  await put(ctx, first(3))
  const id = (await list(ctx)).data[1]?.id ?? ''
  expect((await changeThread(ctx, id, { keywords: { $seen: true }, mailbox: 'archive' })).data).toHaveLength(2)
  expect(await countsOf(ctx, 4)).toMatchObject({ messages: 2, unread: 0, rows: 2 })
  await deleteThread(ctx, id, false)
  expect(await countsOf(ctx, 6)).toMatchObject({ messages: 2, rows: 2 })
  const gone = { code: 'not_found' }
  await expect(changeThread(stranger, id, { keywords: { $seen: true } })).rejects.toMatchObject(gone)
  await expect(deleteThread(stranger, id, true)).rejects.toMatchObject(gone)
  await deleteThread(ctx, id, true)
  expect(await countsOf(ctx, 6)).toMatchObject({ messages: 0, rows: 0 })
  await expect(getThread(ctx, id)).rejects.toMatchObject(gone)
})
