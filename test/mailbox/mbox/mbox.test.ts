import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { concat, utf8 } from '../../../src/base/bytes.ts'
import type { Caller } from '../../../src/context.ts'
import { changeMany } from '../../../src/mailbox/bulk.ts'
import { changeMessage } from '../../../src/mailbox/change.ts'
import { createMailbox } from '../../../src/mailbox/mailboxes.ts'
import { exportAccount, exportMailbox } from '../../../src/mailbox/mbox/export.ts'
import { importMail } from '../../../src/mailbox/mbox/import.ts'
import { getMessage, listMessages } from '../../../src/mailbox/read.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { deleteRaw, getRaw } from '../../../src/store/objects.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { countsOf, eventsOf, file, plain } from '../mail.ts'

const world = await makeWorld()

const LIMIT = { limit: 1000 }

/** Given in small chunks, as a network gives it. */
function body(bytes: Uint8Array | string): { type: string; body: ReadableStream<Uint8Array> } {
  const all = typeof bytes === 'string' ? utf8(bytes) : bytes
  let at = 0
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= all.length) return controller.close()
      controller.enqueue(all.slice(at, at + 1000))
      at += 1000
    },
  })
  return { type: 'application/mbox', body: stream }
}

async function taken({ stream }: { stream: ReadableStream<Uint8Array> }): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

async function rawOf(ctx: Caller, id: string): Promise<string> {
  const [row] = await ctx.stores.directory.all<{ raw_key: string }>(
    sql`SELECT raw_key FROM messages WHERE account = ${ctx.account.number} AND id = ${id}`,
  )
  return (await (await getRaw(ctx.stores, row?.raw_key ?? ''))?.text()) ?? ''
}

const objects = async (ctx: Caller) =>
  (await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects.length

async function content(ctx: Caller, mailbox: string) {
  const { data } = await listMessages(ctx, { mailbox, limit: 100 })
  return Promise.all(
    data.map(async ({ id, keywords, subject, date }) => ({ keywords, subject, date, raw: await rawOf(ctx, id) })),
  )
}

async function agree(ctx: Caller, box: number, messages: number, unread: number) {
  expect(await countsOf(ctx, box)).toEqual({ messages, unread, rows: messages, unseen: unread })
}

test('what is taken out of one account and brought into another is the same to the byte, keywords and all', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  await file(ann, plain('a'), { keywords: ['$seen', '$flagged', 'work'] })
  await file(ann, `${plain('b')}From me\r\n>From you\r\n`, { keywords: [] })
  await file(ann, 'Subject: no end', { keywords: ['$answered'] })
  const out = await exportMailbox(ann, 'inbox', LIMIT)
  expect(out).toMatchObject({ filename: 'Inbox.mbox', next: undefined })
  const bytes = await taken(out)
  expect(await importMail(bob, 'archive', body(bytes))).toEqual({
    object: 'import',
    imported: 3,
    duplicates: 0,
    refused: [],
    has_more: false,
  })
  expect(await content(bob, 'archive')).toEqual(await content(ann, 'inbox'))
  await agree(bob, 4, 3, 2)
  expect(await eventsOf(bob, 'message.created')).toHaveLength(1)
  expect(await eventsOf(bob, 'email.received')).toEqual([])
})

test('brought in again, or into the account that it came from, it adds nothing', async () => {
  const [ann, bob] = [await makeAccount(world), await makeAccount(world)]
  for (const subject of ['a', 'b', 'c']) await file(ann, plain(subject))
  const bytes = await taken(await exportMailbox(ann, 'inbox', LIMIT))
  expect(await importMail(ann, 'inbox', body(bytes))).toMatchObject({ imported: 0, duplicates: 3 })
  expect(await importMail(bob, 'inbox', body(bytes))).toMatchObject({ imported: 3, duplicates: 0 })
  expect(await importMail(bob, 'archive', body(bytes))).toMatchObject({ imported: 0, duplicates: 3 })
  expect(await importMail(bob, 'inbox', body(concat([bytes, bytes])))).toMatchObject({ imported: 0, duplicates: 6 })
  await agree(bob, 1, 3, 3)
  expect([await objects(ann), await objects(bob)]).toEqual([3, 3])
  const twice = await makeAccount(world)
  expect(await importMail(twice, 'inbox', body(concat([bytes, bytes])))).toMatchObject({ imported: 3, duplicates: 3 })
})

test('a whole account is taken out, page by page, each message once though it moves meanwhile', async () => {
  const ctx = await makeAccount(world)
  const box = await createMailbox(ctx, { name: 'Кит; kit' })
  const ids: string[] = []
  for (let n = 0; n < 5; n++) {
    world.pass(1)
    ids.push(await file(ctx, plain(`m${n}`), { sent: n % 2 === 1 }))
  }
  const first = await exportAccount(ctx, { limit: 3 })
  expect(first.next).toBe(ids[2])
  await changeMany(ctx, { ids, mailbox: box.id })
  const second = await exportAccount(ctx, { limit: 3, after: first.next })
  expect(second.next).toBeUndefined()
  const text = new TextDecoder().decode(concat([await taken(first), await taken(second)]))
  expect(Array.from(text.matchAll(/^Subject: (.*)\r$/gm), ([, subject]) => subject)).toEqual([
    'm0',
    'm1',
    'm2',
    'm3',
    'm4',
  ])
  expect(text).toContain(`mailbox=${encodeURIComponent('Кит; kit')}\n`)
  const paged = await exportMailbox(ctx, box.id, { limit: 2 })
  const rest = await exportMailbox(ctx, box.id, { limit: 10, after: paged.next })
  expect((await taken(rest)).length).toBeGreaterThan((await taken(paged)).length)
  await expect(exportMailbox(await makeAccount(world), box.id, LIMIT)).rejects.toMatchObject({ code: 'not_found' })
})

test('bytes that are missing are told in the file in their place, and are not brought in as mail', async () => {
  const ctx = await makeAccount(world)
  const ids = [await file(ctx, plain('a')), await file(ctx, plain('b'))]
  const [row] = await ctx.stores.directory.all<{ raw_key: string }>(
    sql`SELECT raw_key FROM messages WHERE id = ${ids[0]}`,
  )
  await deleteRaw(ctx.stores, [row?.raw_key ?? ''])
  const bytes = await taken(await exportMailbox(ctx, 'inbox', LIMIT))
  expect(new TextDecoder().decode(bytes)).toContain(`The bytes of the message ${ids[0]} were not in storage`)
  const other = await makeAccount(world)
  expect(await importMail(other, 'inbox', body(bytes))).toMatchObject({
    imported: 1,
    refused: [{ index: 0, reason: 'was missing when the file was written' }],
  })
})

test('files of other programs: their marks become keywords, their bytes stay', async () => {
  const ctx = await makeAccount(world)
  const mail = (...headers: string[]) => [...headers, 'Subject: x', '', 'body', ''].join('\n')
  const messages = [
    mail('Status: RO', 'X-Status: AF', 'X-Keywords: Work, $Forwarded bad/word'),
    mail('X-Mozilla-Status: 0005', 'X-Other: 1'),
    mail('X-Gmail-Labels: Inbox,Unread,Starred'),
    mail('X-None: 1'),
  ]
  const text = messages.map((message) => `From ann@far.test Mon Nov 23 12:00:00 2026\n${message}\n`).join('')
  expect(await importMail(ctx, 'inbox', body(text))).toMatchObject({ imported: 4 })
  const found = (await content(ctx, 'inbox')).reverse()
  expect(found.map(({ raw }) => raw)).toEqual(messages)
  expect(found.map(({ keywords }) => Object.keys(keywords).sort())).toEqual([
    ['$answered', '$flagged', '$forwarded', '$seen', 'work'],
    ['$flagged', '$seen'],
    ['$flagged'],
    [],
  ])
  const { data } = await listMessages(ctx, { mailbox: 'inbox', limit: 1 })
  expect(data[0]).toMatchObject({ envelope_from: 'ann@far.test', direction: 'received', address: null })
})

test('one message comes as it is, once; what is no mail at all is refused', async () => {
  const ctx = await makeAccount(world)
  const single = { ...body(plain('a')), type: 'message/rfc822' }
  expect(await importMail(ctx, 'drafts', single)).toMatchObject({ imported: 1 })
  expect(await importMail(ctx, 'inbox', { ...body(plain('a')), type: 'message/rfc822' })).toMatchObject({
    duplicates: 1,
  })
  for (const wrong of [plain('a'), '', '\n\n']) {
    await expect(importMail(ctx, 'inbox', body(wrong))).rejects.toMatchObject({ code: 'invalid_request' })
  }
  await expect(importMail(ctx, 'inbox', { type: 'message/rfc822', body: null })).rejects.toMatchObject({
    code: 'invalid_request',
  })
  await expect(importMail(ctx, 'nowhere', body(''))).rejects.toMatchObject({ code: 'not_found' })
})

test('what is too large, or no longer fits the storage, is refused by its place, and the rest comes in', async () => {
  const small = await makeWorld({ config: { MAX_MESSAGE_BYTES: 2000 } })
  const ctx = await makeAccount(small)
  const from = 'From a@b.test Mon Nov 23 12:00:00 2026\n'
  const text = [plain('a'), `${plain('b')}${'x'.repeat(3000)}\n`, plain('c')].map((mail) => `${from}${mail}\n`).join('')
  expect(await importMail(ctx, 'inbox', body(text))).toMatchObject({
    imported: 2,
    refused: [{ index: 1, reason: 'is larger than 2000 bytes' }],
  })
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET storage_bytes = bytes + 10 WHERE account = ${ctx.account.number}`,
  ])
  expect(await importMail(ctx, 'inbox', body(`${text}${from}${plain('d')}\n`))).toMatchObject({
    imported: 0,
    duplicates: 2,
    refused: [{ index: 1 }, { index: 3, reason: 'the account’s storage is full' }],
  })
  expect(await objects(ctx)).toBe(2)
  await agree(ctx, 1, 2, 2)
})

test('an answer that is brought in meets its thread', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, plain('q', 'Message-ID: <q@far.test>'))
  const answer = plain('Re: q', 'Message-ID: <a@far.test>', 'In-Reply-To: <q@far.test>')
  await importMail(ctx, 'archive', { ...body(answer), type: 'message/rfc822' })
  const { thread } = await getMessage(ctx, id, { body: [], html_format: 'cid' })
  expect((await listMessages(ctx, { thread, limit: 5 })).data).toHaveLength(2)
})

test('lost acknowledgements bring nothing in twice, and a failure is made good by sending the file again', async () => {
  const faults = noFaults()
  const faulty = await makeWorld({ faults })
  const ctx = await makeAccount(faulty)
  const from = 'From a@b.test Mon Nov 23 12:00:00 2026\n'
  const text = Array.from({ length: 60 }, (_, n) => `${from}${plain(`m${n}`)}\n`).join('')
  faults.batches.push('lose-answer', 'pass', 'fail', 'fail', 'fail')
  await expect(importMail(ctx, 'inbox', body(text))).rejects.toMatchObject({ code: 'service_unavailable' })
  await agree(ctx, 1, 50, 50)
  expect(await importMail(ctx, 'inbox', body(text))).toMatchObject({ imported: 10, duplicates: 50 })
  await agree(ctx, 1, 60, 60)
  await changeMessage(ctx, (await listMessages(ctx, { mailbox: 'inbox', limit: 1 })).data[0]?.id ?? '', {
    mailbox: 'archive',
  })
  await agree(ctx, 1, 59, 59)
})
