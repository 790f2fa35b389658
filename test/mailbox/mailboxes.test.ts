import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { MailboxBody } from '../../src/contract/mailbox/mailboxes.ts'
import { changeMessage, deleteMessage } from '../../src/mailbox/change.ts'
import { createMailbox, deleteMailbox, getMailbox, listMailboxes, renameMailbox } from '../../src/mailbox/mailboxes.ts'
import { findMailbox, MAX_MAILBOXES } from '../../src/store/mail/boxes.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { alterMessage } from '../../src/store/mail/keeping.ts'
import { findMessage } from '../../src/store/mail/reading.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { eventsOf, file, plain } from './mail.ts'

const world = await makeWorld()

test('every account has the six mailboxes, with their totals and unread, in one query', async () => {
  const ctx = await makeAccount(world)
  await file(ctx, plain('a'))
  await file(ctx, plain('b'), { sent: true })
  const { trips } = world.tally
  const { data } = await listMailboxes(ctx)
  expect(world.tally.trips - trips).toBe(1)
  expect(data.map(({ role, name, total, unread }) => [role, name, total, unread])).toEqual([
    ['inbox', 'Inbox', 1, 1],
    ['sent', 'Sent', 1, 0],
    ['drafts', 'Drafts', 0, 0],
    ['archive', 'Archive', 0, 0],
    ['junk', 'Junk', 0, 0],
    ['trash', 'Trash', 0, 0],
  ])
  expect(await getMailbox(ctx, 'inbox')).toEqual(data[0])
  expect(await getMailbox(ctx, data[2]?.id ?? '')).toEqual(data[2])
})

test('a mailbox is made, used, renamed, and deleted once it is empty; the history tells each', async () => {
  const ctx = await makeAccount(world)
  const made = await createMailbox(ctx, { name: 'Invoices' })
  expect(made).toMatchObject({ object: 'mailbox', name: 'Invoices', role: null, total: 0, unread: 0 })
  expect(await getMailbox(ctx, made.id)).toEqual(made)
  const id = await file(ctx, plain('a'))
  await changeMessage(ctx, id, { mailbox: made.id })
  expect(await renameMailbox(ctx, made.id, { name: 'Bills' })).toMatchObject({ name: 'Bills', total: 1, unread: 1 })
  await expect(deleteMailbox(ctx, made.id)).rejects.toMatchObject({ code: 'validation_error' })
  await deleteMessage(ctx, id, true)
  expect(await deleteMailbox(ctx, made.id)).toEqual({ object: 'mailbox', id: made.id, deleted: true })
  await expect(getMailbox(ctx, made.id)).rejects.toMatchObject({ code: 'not_found' })
  const [counters] = await ctx.stores.directory.all<{ boxes: string }>(
    sql`SELECT boxes FROM counters WHERE account = ${ctx.account.number}`,
  )
  expect(Object.keys(JSON.parse(counters?.boxes ?? ''))).toEqual(['1'])
  for (const [type, name] of [
    ['mailbox.created', 'Invoices'],
    ['mailbox.updated', 'Bills'],
    ['mailbox.deleted', 'Bills'],
  ] as const) {
    expect(await eventsOf(ctx, type)).toMatchObject([{ data: { id: made.id, name, role: null } }])
  }
  const next = await createMailbox(ctx, { name: 'Invoices' })
  const numbers = await ctx.stores.directory.all<{ number: number }>(
    sql`SELECT number FROM mailboxes WHERE account = ${ctx.account.number} AND id = ${next.id}`,
  )
  expect(numbers).toEqual([{ number: 8 }])
})

test('a name is taken once, in whatever case; those with a role can be renamed and not deleted', async () => {
  const ctx = await makeAccount(world)
  const one = await createMailbox(ctx, { name: 'One' })
  const taken = { code: 'validation_error', detail: { fields: [{ path: 'name' }] } }
  await expect(createMailbox(ctx, { name: 'INBOX' })).rejects.toMatchObject(taken)
  await expect(createMailbox(ctx, { name: 'one' })).rejects.toMatchObject(taken)
  await expect(renameMailbox(ctx, one.id, { name: 'Sent' })).rejects.toMatchObject(taken)
  expect(await renameMailbox(ctx, one.id, { name: 'ONE' })).toMatchObject({ name: 'ONE' })
  await expect(deleteMailbox(ctx, 'trash')).rejects.toMatchObject({ code: 'validation_error' })
  expect(await renameMailbox(ctx, 'trash', { name: 'Bin' })).toMatchObject({ role: 'trash', name: 'Bin' })
  const id = await file(ctx, plain('a'))
  await deleteMessage(ctx, id, false)
  expect(await getMailbox(ctx, 'trash')).toMatchObject({ name: 'Bin', total: 1 })
})

test('a message goes into no mailbox that was deleted a moment before', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createMailbox(ctx, { name: 'Gone' })
  const box = await findMailbox(ctx.stores, ctx.account, id)
  const message = await findMessage(ctx.stores, ctx.account, await file(ctx, plain('a')))
  if (!box || !message) throw new Error('both were just made')
  await deleteMailbox(ctx, id)
  const target = { keywords: [], mailbox: box }
  const stamp = { now: world.ctx.now(), token: 'late' }
  expect(await alterMessage(ctx.stores, ctx.account, message, target, stamp)).toBeUndefined()
  expect(await getMailbox(ctx, 'inbox')).toMatchObject({ total: 1, unread: 1 })
})

test('an account has a limited number of mailboxes', async () => {
  const ctx = await makeAccount(world)
  const numbers = JSON.stringify(Array.from({ length: MAX_MAILBOXES - 6 }, (_, n) => n + 7))
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO mailboxes (account, number, id, name, uidvalidity, created_at)
      SELECT ${ctx.account.number}, value, 'id' || value, 'name' || value, 1, 1 FROM json_each(${numbers})`,
  ])
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET last_mailbox = ${MAX_MAILBOXES} WHERE account = ${ctx.account.number}`,
  ])
  await expect(createMailbox(ctx, { name: 'One more' })).rejects.toThrow('at most 250')
  await deleteMailbox(ctx, 'id9')
  await createMailbox(ctx, { name: 'One more' })
})

test('the same request makes one mailbox, also when its acknowledgement was lost', async () => {
  const faults = noFaults()
  const ctx = await makeAccount(await makeWorld({ faults }))
  const once = { key: 'k', body: 'b' }
  faults.batches.push('lose-answer')
  const first = await createMailbox(ctx, { name: 'Once' }, once)
  expect(await createMailbox(ctx, { name: 'Once' }, once)).toEqual(first)
  expect((await listMailboxes(ctx)).data).toHaveLength(7)
  await expect(createMailbox(ctx, { name: 'Other' }, { ...once, body: 'c' })).rejects.toMatchObject({
    code: 'invalid_idempotent_request',
  })
  const both = await Promise.all([1, 2].map(() => createMailbox(ctx, { name: 'Both' }, { key: 'k2', body: 'b' })))
  expect(both[0]).toEqual(both[1])
  faults.batches.push('lose-answer')
  expect(await renameMailbox(ctx, first.id, { name: 'Twice' })).toMatchObject({ name: 'Twice' })
  faults.batches.push('lose-answer')
  await deleteMailbox(ctx, first.id)
  expect((await listMailboxes(ctx)).data).toHaveLength(7)
})

test('another account’s mailbox is not found', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  const { id } = await createMailbox(ann, { name: 'Hers' })
  for (const act of [getMailbox(bob, id), renameMailbox(bob, id, { name: 'His' }), deleteMailbox(bob, id)]) {
    await expect(act).rejects.toMatchObject({ code: 'not_found' })
  }
})

test('a name is one visible line', () => {
  expect(MailboxBody.parse({ name: '  Rechnungen  ' })).toEqual({ name: 'Rechnungen' })
  for (const name of ['', ' ', 'a\nb', 'a\0', 'x'.repeat(256), '\ud800']) {
    expect(MailboxBody.safeParse({ name }).success).toBe(false)
  }
})
