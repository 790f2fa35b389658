import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { makeVerp } from '../../src/mail/returned/verp.ts'
import { askRecipient, receive } from '../../src/reception/receive.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { noFaults } from '../support/faults.ts'
import { addAddress, makeAccount, makeWorld, type World } from '../support/world.ts'

const world = await makeWorld()

const mail = (headers: string[], body = 'Salom!\r\n') =>
  new TextEncoder().encode(`${headers.join('\r\n')}\r\n\r\n${body}`)

const letter = (id: string, ...more: string[]) =>
  mail([...more, `Message-ID: <${id}@x.test>`, 'From: Ann <ann@x.test>', 'To: list@x.test', 'Subject: Salom'])

function arrive({ ctx }: World, to: string, raw: Uint8Array, from = 'ann@x.test') {
  return receive(ctx, { door: 'inbound', from, to, size: raw.length, raw: new Blob([raw]).stream() })
}

async function rows(account: number) {
  return world.ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT * FROM messages WHERE account = ${account} ORDER BY uid`,
  )
}

async function rawOf(key: unknown): Promise<Uint8Array> {
  const object = await world.ctx.stores.raw.get(String(key))
  return new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0))
}

async function objects(account: number): Promise<number> {
  return (await world.ctx.stores.raw.list({ prefix: `raw/${account}/` })).objects.length
}

test('a mail is stored byte for byte for its envelope recipient, whatever To says, and told of once', async () => {
  const { account, address } = await makeAccount(world)
  const raw = letter('one')
  const { id, duplicate } = await arrive(world, address, raw)
  expect(duplicate).toBe(false)
  const [row] = await rows(account.number)
  expect(row).toMatchObject({
    id,
    direction: 0,
    mailbox: 1,
    recipient: address,
    sender: 'ann@x.test',
    subject: 'Salom',
    uid: 1,
  })
  expect(row?.message_id).toBe('one@x.test')
  expect(await rawOf(row?.raw_key)).toEqual(raw)
  const [event] = await world.ctx.stores.directory.all<Record<string, string>>(
    sql`SELECT * FROM events WHERE account = ${account.number}`,
  )
  expect(event).toMatchObject({ type: 'email.received', seq: 1, message: id })
  expect(JSON.parse(event?.data ?? '')).toMatchObject({ email_id: id, received_for: [address], to: ['list@x.test'] })
})

test('the same mail over another road is one mail, and its second copy leaves no object behind', async () => {
  const { account, address } = await makeAccount(world)
  const first = await arrive(world, address, letter('two', 'Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000'))
  const second = await arrive(world, address, letter('two', 'Received: from c by b; Mon, 23 Nov 2026 10:05:00 +0000'))
  expect(second).toEqual({ id: first.id, duplicate: true })
  await world.idle()
  expect(await rows(account.number)).toHaveLength(1)
  expect(await objects(account.number)).toBe(1)
})

test('two addresses of one account each get the mail that names both', async () => {
  const { account, address, domain } = await makeAccount(world)
  await addAddress(world, account, `other@${domain}`)
  await arrive(world, address, letter('three'))
  expect((await arrive(world, `other@${domain}`, letter('three'))).duplicate).toBe(false)
  expect(await rows(account.number)).toHaveLength(2)
})

test('plus addressing reaches the address and tells the tag; the wildcard takes the rest; others are refused for good', async () => {
  const { account, address, domain } = await makeAccount(world)
  await arrive(world, address.replace('@', '+news@'), letter('four'))
  expect((await rows(account.number))[0]).toMatchObject({
    address,
    tag: 'news',
    recipient: address.replace('@', '+news@'),
  })
  await expect(arrive(world, `who@${domain}`, letter('five'))).rejects.toMatchObject({ code: 'not_found' })
  await addAddress(world, account, `*@${domain}`)
  await arrive(world, `who@${domain}`, letter('five'))
  expect((await rows(account.number))[1]).toMatchObject({ address: `*@${domain}`, recipient: `who@${domain}` })
})

test('an address that has expired takes nothing', async () => {
  const { account, domain } = await makeAccount(world)
  await addAddress(world, account, `old@${domain}`, world.ctx.now() - 1)
  await expect(askRecipient(world.ctx, `old@${domain}`)).rejects.toMatchObject({ code: 'not_found' })
})

test('a reply that comes before the mail it answers is in one thread with it', async () => {
  const { account, address } = await makeAccount(world)
  await arrive(
    world,
    address,
    letter('reply', 'References: <root@x.test> <middle@x.test>', 'In-Reply-To: <middle@x.test>'),
  )
  await arrive(world, address, letter('middle', 'In-Reply-To: <root@x.test>'))
  await arrive(world, address, letter('root'))
  await arrive(world, address, letter('stranger'))
  const threads = (await rows(account.number)).map((row) => row.thread)
  expect(new Set(threads.slice(0, 3)).size).toBe(1)
  expect(threads[3]).not.toBe(threads[0])
})

test('a mail costs one read, one batch and one put, and writes six rows', async () => {
  const { address } = await makeAccount(world)
  Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
  await arrive(world, address, letter('cost'))
  expect(world.tally).toMatchObject({ trips: 2, written: 6, puts: 1 })
})

test('a mail reads as few rows in a large mailbox as in an empty one', async () => {
  const { address } = await makeAccount(world)
  for (let at = 0; at < 60; at++) await arrive(world, address, letter(`many-${at}`))
  Object.assign(world.tally, { read: 0 })
  await arrive(world, address, letter('one-more', 'References: <many-1@x.test> <unknown@x.test>'))
  expect(world.tally.read).toBeLessThan(30)
})

test('what cannot be parsed is stored all the same', async () => {
  const { account, address } = await makeAccount(world)
  const noise = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256)
  await arrive(world, address, noise)
  const [row] = await rows(account.number)
  expect(await rawOf(row?.raw_key)).toEqual(noise)
})

test('trouble with storage is never taken for an acceptance or a refusal, and leaves no half of a mail', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const { account, address } = await makeAccount(world)
  faults.puts = ['fail']
  await expect(arrive(shaky, address, letter('six'))).rejects.toThrow('Network connection lost')
  faults.batches = ['fail', 'fail', 'fail']
  await expect(arrive(shaky, address, letter('six'))).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await rows(account.number)).toEqual([])
  expect((await arrive(shaky, address, letter('six'))).duplicate).toBe(false)
})

test('a lost acknowledgement is a success, and the mail is there once', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const { account, address } = await makeAccount(world)
  faults.batches = ['lose-answer']
  const { id } = await arrive(shaky, address, letter('seven'))
  expect((await rows(account.number)).map((row) => row.id)).toEqual([id])
  expect(shaky.woken).toMatchObject([{ what: 'webhooks', account: account.id }])
})

test('a full mailbox is a reason to come again, and a closed account has no addresses', async () => {
  const { account, address } = await makeAccount(world)
  await runBatch(world.ctx.stores.directory, [
    sql`UPDATE counters SET storage_bytes = 10 WHERE account = ${account.number}`,
  ])
  await expect(arrive(world, address, letter('eight'))).rejects.toMatchObject({ code: 'service_unavailable' })
  await runBatch(world.ctx.stores.directory, [
    sql`UPDATE counters SET storage_bytes = NULL, state = 'closing' WHERE account = ${account.number}`,
  ])
  await expect(arrive(world, address, letter('eight'))).rejects.toMatchObject({ code: 'not_found' })
  await world.idle()
  expect(await objects(account.number)).toBe(0)
})

test('mail to a return path of ours is kept for the one recipient it names; a forged one is no address', async () => {
  const { account, domain } = await makeAccount(world)
  const message = '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90'
  const path = await makeVerp(world.ctx.keyring, { account: account.number, message, recipient: 3 }, `send.${domain}`)
  expect(await askRecipient(world.ctx, path)).toEqual({ accept: true })
  await arrive(world, path, letter('dsn'), '')
  const [task] = await world.ctx.stores.directory.all<Record<string, string>>(
    sql`SELECT * FROM tasks WHERE account = ${account.number} AND kind = 'feedback'`,
  )
  expect(JSON.parse(task?.state ?? '{}')).toMatchObject({ message, recipient: 3, from: '' })
  expect(await rows(account.number)).toEqual([])
  const forged = path.replace(/-3-./, '-3-z')
  await expect(askRecipient(world.ctx, forged)).rejects.toMatchObject({ code: 'not_found' })
})
