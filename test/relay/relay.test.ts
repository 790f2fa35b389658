import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { readVerp } from '../../src/mail/verp.ts'
import { relayBatch } from '../../src/relay/relay.ts'
import { sweepRelay } from '../../src/relay/sweep.ts'
import { addDomain, makeAccount, makeWorld, START } from '../support/world.ts'
import { eventsOf, putOutbox, readOutbox, run } from './outbox.ts'
import { type Manners, Remote } from './remote.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

async function scene(manners: Manners = {}, url = 'smtp://127.0.0.1:2525') {
  const remote = new Remote(manners)
  const world = await makeWorld({ net: { connect: remote.connect }, config: { RELAY_URL: url } })
  const { account } = await makeAccount(world)
  const { ctx } = world
  const relay = (...messages: string[]) => relayBatch(ctx, [{ account, messages }])
  return { world, ctx, account, remote, relay }
}

const PLAIN = 'smtp://127.0.0.1:2525?verp=false'

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
    world.pass(due - ctx.now() - 1)
    const before = remote.connections
    await relay(id)
    expect(remote.connections).toBe(before)
    world.pass(1)
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

test('a hundred messages to one relay take two connections at most', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const ids = await Promise.all(Array.from({ length: 100 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  const { written, trips } = world.tally
  await relay(...ids)
  expect(remote.connections).toBeLessThanOrEqual(2)
  expect(remote.taken).toHaveLength(100)
  expect(Object.values(remote.counts()).every((count) => count === 1)).toBe(true)
  expect(world.tally.written - written).toBe(400)
  expect(world.tally.trips - trips).toBeLessThan(60)
})

test('more than a batch holds is woken for again', async () => {
  const { world, account, relay } = await scene()
  await relay(...Array.from({ length: 230 }, (_, at) => `no such message ${at}`))
  const again = world.woken.filter(({ what, account: id }) => what === 'relay' && id === account.id)
  expect(again.map(({ messages }) => messages?.length)).toEqual([100, 30])
})

test('two that are woken at once for a message send it once', async () => {
  const { ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await Promise.all([relay(id), relay(id), relay(id)])
  expect(remote.counts()).toEqual({ 'a@there.test': 1 })
})

test.each([
  ['refuses connections', { greeting: () => '554 no service' }],
  ['says it is busy', { greeting: () => '421 busy' }],
  ['hangs up', { greeting: () => 'drop' }],
])('a relay that %s defers all, is asked once, and fails nobody', async (_, manners) => {
  const { ctx, account, remote, relay } = await scene(manners)
  const ids = await Promise.all(Array.from({ length: 60 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(1)
  for (const id of ids) {
    const row = await readOutbox(ctx, account, id)
    expect(row).toMatchObject({ last_event: 'delivery_delayed', claim: null })
    expect(row.recipients[0]).toMatchObject({ state: 'deferred', attempts: 1, reply: { code: 451 } })
  }
})

test('a relay that wants TLS and offers none, or refuses our login, burns no mail', async () => {
  const { world, ctx, account } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  const remote = new Remote({ mail: () => '530 5.7.0 authentication required' })
  const strict = { ...ctx, net: { ...ctx.net, connect: remote.connect } }
  await relayBatch(strict, [{ account, messages: [id] }])
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'deferred', reply: { code: 530 } })
  world.pass(2 * MINUTE)
  const tls = { ...strict, config: { ...ctx.config, RELAY_URL: 'smtp://u:p@relay.example:587' } }
  await relayBatch(tls, [{ account, messages: [id] }])
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'deferred', attempts: 2 })
  expect(recipient?.reply?.text).toContain('relay.example:587 cannot be used as it is set up')
})

test('without any relay mail waits, and says what is missing', async () => {
  const { ctx, account, relay } = await scene({}, '')
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  const [recipient] = (await readOutbox(ctx, account, id)).recipients
  expect(recipient).toMatchObject({ state: 'deferred', attempts: 1 })
  expect(recipient?.reply?.text).toContain('no relay is configured')
})

test('a relay that ends the connection in the middle is connected to again, and no turn that did not come counts as an attempt', async () => {
  let left = 3
  const { ctx, account, remote, relay } = await scene({
    mail: () => {
      if (left-- > 0) return '250 ok'
      left = 3
      return '421 enough for one connection'
    },
  })
  const ids = await Promise.all(Array.from({ length: 9 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ claim }) => claim === null)).toBe(true)
  expect(rows.flatMap(({ recipients }) => recipients).every(({ attempts }) => attempts <= 1)).toBe(true)
  expect(remote.taken.length).toBeGreaterThanOrEqual(6)
  expect(Object.values(remote.counts()).every((count) => count === 1)).toBe(true)
})

test('nothing is begun with less time under the claim than a transaction may take: the rest is given back untouched', async () => {
  const { world, ctx, account, remote, relay } = await scene({
    dot: () => {
      world.pass(2 * MINUTE)
      return '250 ok'
    },
  })
  const ids: string[] = []
  for (let at = 0; at < 8; at++) ids.push(await putOutbox(ctx, account, [`r${at}@there.test`]))
  await relay(...ids)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  const sent = rows.filter(({ recipients }) => recipients[0]?.state === 'sent')
  const back = rows.filter(({ recipients }) => recipients[0]?.state === 'queued')
  expect(sent.length).toBeGreaterThan(0)
  expect(back.length).toBeGreaterThan(0)
  expect(sent.length + back.length).toBe(8)
  for (const row of back) {
    expect(row).toMatchObject({ claim: null, claimed_until: null, due: START })
    expect(row.recipients[0]).toMatchObject({ attempts: 0 })
    expect(row.recipients[0]).not.toHaveProperty('begun')
  }
  await relay(...ids)
  expect(Object.values(remote.counts()).every((count) => count === 1)).toBe(true)
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

test.each([
  ['with our mark on it', sql`json_set(recipients, '$[0].state', 'bounced')`],
  [
    'written anew',
    sql`json_set(recipients, '$[0]', json('{"address":"a@there.test","state":"bounced","attempts":1}'))`,
  ],
])(
  'a recipient that was brought further meanwhile (%s) stays there, and the others get their outcome',
  async (_, set) => {
    let id = ''
    const bounce = () =>
      run(ctx, sql`UPDATE messages SET recipients = ${set} WHERE account = ${account.number} AND id = ${id}`)
    const { ctx, account, relay } = await scene({ dot: () => bounce().then(() => '250 ok') }, PLAIN)
    id = await putOutbox(ctx, account, ['a@there.test', 'b@there.test'])
    await relay(id)
    const row = await readOutbox(ctx, account, id)
    expect(row.recipients.map(({ state }) => state)).toEqual(['bounced', 'sent'])
    expect(row.recipients[0]).not.toHaveProperty('begun')
    expect(row).toMatchObject({ last_event: 'bounced', claim: null, due: null })
  },
)

test('who holds no claim any more writes nothing', async () => {
  const { ctx, account, relay } = await scene({
    dot: async () => {
      await run(ctx, sql`UPDATE messages SET claim = 'another' WHERE account = ${account.number} AND id = ${id}`)
      return '250 ok'
    },
  })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relay(id)
  expect(await readOutbox(ctx, account, id)).toMatchObject({ claim: 'another', last_event: 'queued', modseq: 1 })
  expect(await eventsOf(ctx, account)).toEqual([])
})

test('mail of a closing account is not sent, because that could not be recorded', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await run(ctx, sql`UPDATE counters SET state = 'closing' WHERE account = ${account.number}`)
  await relay(id)
  await sweepRelay(ctx)
  expect(remote.connections).toBe(0)
  expect(world.woken.filter(({ account: woken }) => woken === account.id)).toEqual([])
})

test('endpoints are woken where there are any, and not for each message', async () => {
  const { world, ctx, account, relay } = await scene()
  const ids = await Promise.all(Array.from({ length: 30 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids.slice(0, 5))
  expect(world.woken).toEqual([])
  await run(ctx, sql`UPDATE counters SET listeners = 1 WHERE account = ${account.number}`)
  await relay(...ids.slice(5))
  expect(world.woken.length).toBeGreaterThan(0)
  expect(world.woken.length).toBeLessThanOrEqual(2)
})

test('the sweep finds what is due and what was orphaned, and nothing that is claimed or waits', async () => {
  const { world, ctx, account } = await scene()
  const due = await putOutbox(ctx, account, ['a@there.test'])
  const later = await putOutbox(ctx, account, ['a@there.test'], { due: START + HOUR })
  const held = await putOutbox(ctx, account, ['a@there.test'])
  const orphan = await putOutbox(ctx, account, ['a@there.test'])
  const claim = (id: string, until: number) =>
    run(
      ctx,
      sql`UPDATE messages SET claim = 'x', claimed_until = ${until} WHERE account = ${account.number} AND id = ${id}`,
    )
  await claim(held, START + 1)
  await claim(orphan, START - 1)
  const woken = () =>
    new Set(world.woken.splice(0).flatMap(({ account: of, messages }) => (of === account.id ? (messages ?? []) : [])))
  await sweepRelay(ctx)
  expect(woken()).toEqual(new Set([due, orphan]))
  world.pass(HOUR)
  await sweepRelay(ctx)
  expect(woken()).toEqual(new Set([due, later, held, orphan]))
})

test('what is owed is found by its index, and claimed by its key, however much else there is', async () => {
  const { world, ctx, account, relay } = await scene()
  const ids: string[] = []
  for (let at = 0; at < 40; at++) ids.push(await putOutbox(ctx, account, ['a@there.test'], { due: START + 99 * HOUR }))
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await run(ctx, sql`UPDATE messages SET due = NULL WHERE due < ${START + HOUR} AND id <> ${id}`)
  const before = world.tally.read
  await sweepRelay(ctx)
  const swept = world.tally.read
  await relay(id)
  expect(swept - before).toBeLessThan(10)
  expect(world.tally.read - swept).toBeLessThan(30)
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

test('an attempt that never comes to an outcome is given up after twenty tries', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await run(
    ctx,
    sql`UPDATE messages SET recipients = json_set(recipients, '$[0].attempts', 20, '$[0].begun', 1)
      WHERE account = ${account.number} AND id = ${id}`,
  )
  world.pass(MINUTE)
  await relay(id)
  expect(remote.connections).toBe(0)
  expect((await readOutbox(ctx, account, id)).recipients[0]).toMatchObject({ state: 'failed', unknown: true })
})

test('a row that cannot be written holds up no other, and its own outcome is unknown', async () => {
  const { world, ctx, account, remote, relay } = await scene({ greeting: () => '421 busy' })
  const ids = await Promise.all(['a', 'b', 'c', 'd'].map((name) => putOutbox(ctx, account, [`${name}@there.test`])))
  const poison = ids[2] ?? ''
  const refuse = `CREATE TRIGGER poison BEFORE UPDATE ON messages
    WHEN NEW.id = '${poison}' AND NEW.last_event <> 'queued' BEGIN SELECT RAISE(ABORT, 'no'); END`
  await run(ctx, sql.raw(refuse))
  await relay(...ids)
  await run(ctx, sql.raw('DROP TRIGGER poison'))
  const states = async () =>
    Promise.all(ids.map(async (id) => (await readOutbox(ctx, account, id)).recipients[0]?.state))
  expect(await states()).toEqual(['deferred', 'deferred', 'queued', 'deferred'])
  remote.manners = {}
  world.pass(15 * MINUTE)
  await relay(...ids)
  expect(await states()).toEqual(['sent', 'sent', 'sent', 'sent'])
  expect((await readOutbox(ctx, account, poison)).recipients[0]).toMatchObject({ unknown: true, attempts: 2 })
})

test('a recipient that is settled, or not due yet, is left alone when another is tried', async () => {
  let busy = true
  const { world, ctx, account, remote, relay } = await scene({
    rcpt: (address) => (busy && address === 'slow@there.test' ? '451 not now' : '250 ok'),
  })
  const id = await putOutbox(ctx, account, ['ok@there.test', 'slow@there.test', 'later@there.test'])
  const set = sql`json_set(recipients, '$[2].due', CAST(${START + HOUR} AS INTEGER))`
  await run(ctx, sql`UPDATE messages SET recipients = ${set} WHERE account = ${account.number} AND id = ${id}`)
  await relay(id)
  busy = false
  world.pass(2 * MINUTE)
  await relay(id)
  expect(remote.counts()).toEqual({ 'ok@there.test': 1, 'slow@there.test': 1 })
  expect((await readOutbox(ctx, account, id)).due).toBe(START + HOUR)
  world.pass(HOUR)
  await relay(id)
  expect(remote.counts()).toEqual({ 'ok@there.test': 1, 'slow@there.test': 1, 'later@there.test': 1 })
  expect((await readOutbox(ctx, account, id)).recipients.map(({ attempts }) => attempts)).toEqual([1, 2, 1])
})

test('messages of several accounts share a connection, and each account has its own history', async () => {
  const { world, ctx, account, remote } = await scene()
  const { account: other } = await makeAccount(world)
  const mine = await putOutbox(ctx, account, ['a@there.test'])
  const theirs = await putOutbox(ctx, other, ['b@there.test'])
  await relayBatch(ctx, [
    { account, messages: [mine] },
    { account: other, messages: [theirs] },
  ])
  expect(remote.connections).toBe(1)
  expect((await eventsOf(ctx, account)).map(({ data }) => data.email_id)).toEqual([mine])
  expect((await eventsOf(ctx, other)).map(({ data }) => data.email_id)).toEqual([theirs])
})

test('another’s message id brings nothing', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const { account: other } = await makeAccount(world)
  const theirs = await putOutbox(ctx, other, ['b@there.test'])
  await relay(theirs)
  expect(remote.connections).toBe(0)
  expect(await readOutbox(ctx, other, theirs)).toMatchObject({ claim: null, last_event: 'queued' })
  expect(account.number).not.toBe(other.number)
})

test('a relay that takes one connection only gets everything over that one', async () => {
  const { ctx, account, remote, relay } = await scene({
    greeting: (connection) => (connection === 1 ? '220 hello' : '421 too many connections'),
  })
  const ids = await Promise.all(Array.from({ length: 60 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(2)
  expect(remote.taken).toHaveLength(60)
})

test('a relay that ends every connection at once is left alone after three, and nobody fails', async () => {
  const { ctx, account, remote, relay } = await scene({ mail: () => '421 go away' })
  const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => putOutbox(ctx, account, [`r${at}@there.test`])))
  await relay(...ids)
  expect(remote.connections).toBe(3)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.every(({ claim, recipients }) => claim === null && recipients[0]?.state === 'deferred')).toBe(true)
})

test('mail goes by the relay of its sender’s domain, over few connections at a time, whoever else is down', async () => {
  const { ctx, account, remote } = await scene({
    dot: () => new Promise((resolve) => setTimeout(resolve, 20, '250 ok')),
  })
  const connect: typeof remote.connect = async (to) => {
    if (to.host === 'relay0.example') throw new Error('connection refused')
    return remote.connect(to)
  }
  const ids: string[] = []
  for (let at = 0; at < 8; at++) {
    await run(
      ctx,
      sql`INSERT INTO relays (account, id, domain, name, host, port, security, verp, created_at)
        VALUES (${account.number}, ${`relay${at}`}, ${`s${at}.test`}, 'x', ${`relay${at}.example`}, 2525, 'none', ${at % 2}, 0)`,
    )
    for (const to of ['a', 'b'])
      ids.push(await putOutbox(ctx, account, [`${to}@there.test`], { from: `x@s${at}.test` }))
  }
  await relayBatch({ ...ctx, net: { ...ctx.net, connect } }, [{ account, messages: ids }])
  expect(new Set(remote.asked)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7].map((at) => `relay${at}.example:2525`)))
  expect(remote.connections).toBe(7)
  expect(remote.mostOpen).toBe(4)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  expect(rows.map((row) => row.relay)).toEqual([
    null,
    null,
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((at) => [`relay${at}`, `relay${at}`]),
  ])
  expect(rows[0]?.recipients[0]).toMatchObject({ state: 'deferred', reply: { enhanced: '4.4.1' } })
  const froms = remote.taken.map(({ from }) => from)
  expect(froms.filter((from) => from.startsWith('b-'))).toHaveLength(8)
})

test('the password of a relay goes to its server and into no row, event or log', async () => {
  const said: string[] = []
  const { ctx, account } = await scene({}, 'smtp://user:hunter2%21@127.0.0.1:2525')
  const log: typeof ctx.log = (_level, fact, about) => void said.push(`${fact} ${JSON.stringify(about)}`)
  const remote = new Remote({ ehlo: ['AUTH PLAIN'], auth: (line) => `535 5.7.8 no: ${line}` })
  const id = await putOutbox(ctx, account, ['a@there.test'])
  await relayBatch({ ...ctx, log, net: { ...ctx.net, connect: remote.connect } }, [{ account, messages: [id] }])
  const row = await readOutbox(ctx, account, id)
  expect(row.recipients[0]).toMatchObject({ state: 'deferred', reply: { code: 451, enhanced: '4.3.5' } })
  const everything = JSON.stringify([row, await eventsOf(ctx, account), said])
  for (const secret of ['hunter2', btoa('\0user\0hunter2!')]) expect(everything).not.toContain(secret)
})

test.each([
  ['never takes the connection', new Remote(), () => new Promise<never>(() => undefined)],
  ['never greets', new Remote({ greeting: () => 'silence' }), undefined],
  ['falls silent', new Remote({ mail: () => 'silence' }), undefined],
])('a relay that %s is given up by a timer', async (_, remote, connect) => {
  const world = await makeWorld({
    net: { connect: connect ?? remote.connect },
    config: { RELAY_URL: 'smtp://127.0.0.1:2525' },
  })
  const { account } = await makeAccount(world)
  const id = await putOutbox(world.ctx, account, ['a@there.test'])
  const wait = setTimeout
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let over = false
  const relaying = relayBatch(world.ctx, [{ account, messages: [id] }]).finally(() => {
    over = true
  })
  for (let second = 0; second < 600 && !over; second++) {
    await vi.advanceTimersByTimeAsync(1000)
    await new Promise((resolve) => wait(resolve, 1))
  }
  vi.useRealTimers()
  await relaying
  const row = await readOutbox(world.ctx, account, id)
  expect(row).toMatchObject({ claim: null, recipients: [{ state: 'deferred', attempts: 1 }] })
})

test('what was told by a slow relay is written down before the next answer comes', async () => {
  let waited: Promise<unknown> | undefined
  const { ctx, account, relay } = await scene({
    dot: async ({ to }) => {
      if (to.includes('b@there.test')) {
        waited = new Promise((resolve) => setTimeout(resolve, 2500)).then(() => readOutbox(ctx, account, id))
        await waited
      }
      return '250 ok'
    },
  })
  const id = await putOutbox(ctx, account, ['a@there.test', 'b@there.test'])
  await relay(id)
  expect(await waited).toMatchObject({ recipients: [{ state: 'sent' }, { state: 'queued' }] })
})
