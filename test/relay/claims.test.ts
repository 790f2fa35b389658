import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Context } from '../../src/context.ts'
import { relayBatch } from '../../src/relay/relay.ts'
import { sweepRelay } from '../../src/relay/sweep.ts'
import { openStores } from '../../src/store/stores.ts'
import { env } from '../support/env.ts'
import { makeAccount, START } from '../support/world.ts'
import { eventsOf, putOutbox, readOutbox, run } from './outbox.ts'
import { HOUR, MINUTE, PLAIN, scene } from './scene.ts'

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

test('a message from a clock that runs a little ahead need not wait for the sweep', async () => {
  const { ctx, account, remote, relay } = await scene()
  const id = await putOutbox(ctx, account, ['a@there.test'], { due: START + 1500 })
  await relay(id)
  expect(remote.counts()).toEqual({ 'a@there.test': 1 })
})

test('one batch makes no more statements than an invocation may, however much there is to tell, and the next goes on', async () => {
  const { ctx, account } = await scene({ rcpt: () => '550 5.1.1 no such user' })
  const to = Array.from({ length: 100 }, (_, at) => `r${at}@there.test`)
  const ids: string[] = []
  for (let at = 0; at < 15; at++) ids.push(await putOutbox(ctx, account, to))
  const most: number[] = []
  for (let rounds = 0; rounds < 10; rounds++) {
    const { counted, statements } = countStatements(ctx)
    await relayBatch(counted, [{ account, messages: ids }])
    most.push(statements())
  }
  expect(Math.max(...most)).toBeLessThan(1000)
  expect(most[0]).toBeGreaterThan(400)
  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  const recipients = rows.flatMap((row) => row.recipients)
  expect(recipients.every(({ state, attempts }) => state === 'bounced' && attempts === 1)).toBe(true)
  expect((await eventsOf(ctx, account)).filter(({ type }) => type === 'email.bounced')).toHaveLength(1500)
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

test('another’s message id brings nothing', async () => {
  const { world, ctx, account, remote, relay } = await scene()
  const { account: other } = await makeAccount(world)
  const theirs = await putOutbox(ctx, other, ['b@there.test'])
  await relay(theirs)
  expect(remote.connections).toBe(0)
  expect(await readOutbox(ctx, other, theirs)).toMatchObject({ claim: null, last_event: 'queued' })
  expect(account.number).not.toBe(other.number)
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

/** The same context, and how many statements its database was given. */
function countStatements(ctx: Context): { counted: Context; statements(): number } {
  let statements = 0
  const database = new Proxy(env.DB, {
    get(target, name) {
      if (name === 'batch') {
        return (batch: D1PreparedStatement[]) => {
          statements += batch.length
          return target.batch(batch)
        }
      }
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { counted: { ...ctx, stores: openStores({ DB: database }, env.RAW) }, statements: () => statements }
}
