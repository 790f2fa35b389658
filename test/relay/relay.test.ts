import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { readVerp } from '../../src/mail/returned/verp.ts'
import { addDomain, START } from '../support/world.ts'
import { eventsOf, putOutbox, readOutbox, run } from './outbox.ts'
import { HOUR, MINUTE, PLAIN, scene } from './scene.ts'

test('a message is handed over and settled by four rows and one read of its bytes', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const { written, trips, gets } = world.tally
  await relay(id)
  expect(world.tally.written - written).toBe(4)
  expect(world.tally.trips - trips).toBeLessThanOrEqual(4)
  expect(world.tally.gets - gets).toBe(1)
  expect(remote.taken).toMatchObject([{ to: ['a@there.test'] }])
  expect(remote.taken[0]?.data).toContain('Hello.\r\n..dot\r\n')
  const row = await readOutbox(ctx, account, id)
  expect(row).toMatchObject({ last_event: 'sent', due: null, claim: null, claimed_until: null, relay: 'config' })
  expect(row.recipients).toEqual([
    {
      address: 'a@there.test',
      state: 'sent',
      attempts: 1,
      reply: { code: 250, enhanced: '2.0.0', text: 'taken' },
      updatedAt: START,
    },
  ])
  const [event] = await eventsOf(ctx, account)
  expect(event).toMatchObject({ seq: 2, type: 'email.sent', data: { email_id: id, recipients: ['a@there.test'] } })
  expect(row.modseq).toBe(2)
})

test('each recipient has a return path of its own, which names it and nobody else', async () => {
  const { ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test', 'b@there.test'], { from: 'Shop <hello@sender.test>' })
  await relay(id)
  expect(remote.taken.map(({ to }) => to)).toEqual([['a@there.test'], ['b@there.test']])
  for (const [recipient, { from }] of remote.taken.entries()) {
    const [local = '', domain] = from.split('@')
    expect(domain).toBe('send.sender.test')
    expect(await readVerp(ctx.keyring, local)).toEqual({ account: account.number, message: id, recipient })
  }
})

test('return paths stand under the label that the sender’s domain was set up with', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  await addDomain(world, account, 'labelled.test')
  await run(ctx, sql`UPDATE domains SET return_path_label = 'bounces' WHERE name = 'labelled.test'`)
  await relay(await putOutbox(ctx, account, ['a@there.test'], { from: 'x@labelled.test' }))
  expect(remote.taken[0]?.from).toMatch(/@bounces\.labelled\.test$/)
})

test('a message with many recipients is read once', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const to = Array.from({ length: 60 }, (_, at) => `r${at}@there.test`)
  const id = await putOutbox(ctx, account, to)
  const { gets } = world.tally
  await relay(id)
  expect(world.tally.gets - gets).toBe(1)
  expect(Object.keys(remote.counts())).toHaveLength(60)
  const { recipients } = await readOutbox(ctx, account, id)
  expect(recipients.every(({ state }) => state === 'sent')).toBe(true)
})

test('a relay that takes no return path of ours gets the sender’s, and all recipients at once', async () => {
  const { ctx, account, remote, relay } = await scene({}, PLAIN)
  const id = await putOutbox(ctx, account, ['a@there.test', 'b@there.test'])
  await relay(id)
  expect(remote.taken).toMatchObject([{ from: 'hello@sender.test', to: ['a@there.test', 'b@there.test'] }])
})

test('the null path stays null', async () => {
  const { ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'], { sender: '' })
  await relay(id)
  expect(remote.taken).toMatchObject([{ from: '' }])
})

test.each(['smtp://127.0.0.1:2525', PLAIN])('each recipient is judged by its own reply (%s)', async (url) => {
  const replies: Record<string, string> = {
    'dead@there.test': '550 5.1.1 no such user',
    'slow@there.test': '451 4.7.1 come back later',
  }
  const { ctx, account, relay } = await scene({ rcpt: (address) => replies[address] ?? '250 ok' }, url)
  const id = await putOutbox(ctx, account, ['ok@there.test', 'dead@there.test', 'slow@there.test'])
  await relay(id)
  const row = await readOutbox(ctx, account, id)
  expect(row.recipients.map(({ state }) => state)).toEqual(['sent', 'bounced', 'deferred'])
  expect(row).toMatchObject({ last_event: 'bounced', claim: null, due: row.recipients[2]?.due })
  const events = await eventsOf(ctx, account)
  expect(events.find(({ type }) => type === 'email.sent')?.data).toMatchObject({ recipients: ['ok@there.test'] })
  expect(events.find(({ type }) => type === 'email.delivery_delayed')?.data).toMatchObject({
    recipients: ['slow@there.test'],
    delayed: { reason: '451 4.7.1 come back later' },
  })
  expect(events.find(({ type }) => type === 'email.bounced')?.data).toMatchObject({
    recipient: 'dead@there.test',
    bounce: {
      type: 'Permanent',
      subType: 'NoEmail',
      message: 'no such user',
      diagnosticCode: ['smtp; 550 5.1.1 no such user'],
    },
  })
})

test('a deferred recipient is tried again when it is due and not before, and given up at its time, with one event each', async () => {
  const { world, ctx, account, remote, relay } = await scene({ rcpt: () => '451 not now' })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const waits: number[] = []
  let last = ctx.now()
  for (let round = 0; round < 40; round++) {
    await relay(id)
    const { due } = await readOutbox(ctx, account, id)
    if (due === null) break
    waits.push((due - last) / MINUTE)
    world.pass(due - ctx.now() - 2001)
    const before = remote.connections
    await relay(id)
    expect(remote.connections).toBe(before)
    world.pass(2001)
    last = ctx.now()
  }
  const steps = [1, 5, 15, 30, 60, 120, 240, 480, 480]
  for (const [at, step] of steps.entries()) {
    expect(waits[at]).toBeGreaterThanOrEqual(step * 0.8 - 0.01)
    expect(waits[at]).toBeLessThanOrEqual(step * 1.2 + 0.01)
  }
  expect(last - START).toBeLessThanOrEqual(48 * HOUR)
  expect(last - START).toBeGreaterThan(38 * HOUR)
  const row = await readOutbox(ctx, account, id)
  expect(row).toMatchObject({ last_event: 'failed', claim: null })
  expect(row.recipients[0]).toMatchObject({ state: 'failed', attempts: waits.length + 1 })
  const events = await eventsOf(ctx, account)
  expect(events.map(({ type }) => type)).toEqual(['email.delivery_delayed', 'email.failed'])
  expect(events[1]?.data).toMatchObject({
    recipients: ['a@there.test'],
    failed: { reason: expect.stringContaining('451') },
  })
})

test('a lost acknowledgement is recorded as unknown, and tried again with the same Message-ID', async () => {
  let drops = 1
  const { world, ctx, account, remote, relay } = await scene({ dot: () => (drops-- > 0 ? 'drop' : '250 ok') })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'deferred', unknown: true })
  world.pass(2 * MINUTE)
  await relay(id)
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({
    state: 'sent',
    unknown: true,
    attempts: 2,
  })
  const ids = remote.taken.map(({ data }) => /Message-ID: (.*)/.exec(data)?.[1])
  expect(ids).toEqual([`<${id}@sender.test>`, `<${id}@sender.test>`])
})

test('test recipients are settled with their events and never reach a relay', async () => {
  const { ctx, account, remote, relay } = await scene()
  const to = ['delivered', 'bounced+x', 'complained', 'suppressed+y'].map((local) => `${local}@resend.dev`)
  const id = await putOutbox(ctx, account, to)
  await relay(id)
  expect(remote.connections).toBe(0)
  const row = await readOutbox(ctx, account, id)
  expect(row.recipients.map(({ state }) => state)).toEqual(['delivered', 'bounced', 'complained', 'suppressed'])
  expect(row).toMatchObject({ last_event: 'complained', due: null, claim: null })
  const events = await eventsOf(ctx, account)
  expect(events.map(({ type, data }) => [type, data.recipients ?? data.recipient])).toEqual([
    ['email.sent', ['delivered@resend.dev']],
    ['email.delivered', ['delivered@resend.dev', 'complained@resend.dev']],
    ['email.complained', ['complained@resend.dev']],
    ['email.bounced', 'bounced+x@resend.dev'],
    ['email.suppressed', ['suppressed+y@resend.dev']],
  ])
})

test('test recipients and others of one message each get what is theirs', async () => {
  const { ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['delivered@resend.dev', 'a@there.test'])
  await relay(id)
  expect(remote.counts()).toEqual({ 'a@there.test': 1 })
  expect((await readOutbox(ctx, account, id)).recipients.map(({ state }) => state)).toEqual(['delivered', 'sent'])
})

test('a first deferral costs five rows, later ones four', async () => {
  const { world, ctx, account, relay } = await scene({ rcpt: () => '451 not now' })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const cost = async () => {
    const before = world.tally.written
    await relay(id)
    return world.tally.written - before
  }
  expect(await cost()).toBe(5)
  world.pass(2 * MINUTE)
  expect(await cost()).toBe(4)
})

test('a large message is streamed by one read, and arrives as it is', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const line = `${'0123456789'.repeat(7)}\r\n`
  const raw = `From: hello@sender.test\r\nSubject: big\r\n\r\n${line.repeat(40_000)}`
  const id = await putOutbox(ctx, account, ['a@there.test'], { raw })
  const { gets } = world.tally
  await relay(id)
  expect(world.tally.gets - gets).toBe(1)
  expect(remote.taken[0]?.data === raw).toBe(true)
})

test.each([10, 1_200_000])('8-bit content and UTF-8 headers go only where they are taken (%i octets)', async (size) => {
  const filler = 'x'
    .repeat(78)
    .concat('\r\n')
    .repeat(size / 80)
  const raws = { eightBit: `From: a@b.test\r\n\r\n${filler}é\r\n`, utf8: `Subject: é\r\n\r\n${filler}x\r\n` }
  const plain = `From: a@b.test\r\n\r\n${filler}x\r\n`
  const all = await scene({ ehlo: ['PIPELINING', '8BITMIME', 'SMTPUTF8'] })
  const some = await scene({ ehlo: ['8BITMIME'] })
  const none = await scene({ ehlo: [] })
  for (const { ctx, account, relay } of [all, some, none]) {
    for (const raw of [raws.eightBit, raws.utf8, plain]) {
      await relay(await putOutbox(ctx, account, ['a@there.test'], { raw }))
    }
  }
  expect(all.remote.taken).toHaveLength(3)
  expect(some.remote.taken).toHaveLength(2)
  expect(none.remote.taken).toHaveLength(1)
  const failed = await eventsOf(none.ctx, none.account)
  expect(failed.filter(({ type }) => type === 'email.failed')).toHaveLength(2)
})

test('a message whose bytes are gone fails, and says so', async () => {
  const { ctx, account, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const other = await putOutbox(ctx, account, ['b@there.test'])
  await run(ctx, sql`UPDATE messages SET raw_key = 'raw/nowhere' WHERE account = ${account.number} AND id = ${id}`)
  await relay(id, other)
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'failed', reply: { text: 'the stored message is gone' } })
  expect((await readOutbox(ctx, account, other)).last_event).toBe('sent')
})
