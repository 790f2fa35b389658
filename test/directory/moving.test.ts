import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { CreateTemplateBody } from '../../src/contract/templates/shapes.ts'
import { CreateWebhookBody } from '../../src/contract/webhooks.ts'
import { patchAccount } from '../../src/directory/accounts.ts'
import { cancelMove, getMove, moveAccount } from '../../src/directory/moving/move.ts'
import { sweepMoving } from '../../src/directory/moving/sweep.ts'
import { followRawLink } from '../../src/mailbox/attachments.ts'
import { deleteMessage } from '../../src/mailbox/change.ts'
import { getMessage } from '../../src/mailbox/read.ts'
import { receive } from '../../src/reception/receive.ts'
import { sweepRelay } from '../../src/relay/sweep.ts'
import { findAccountRow, refOf } from '../../src/store/directory/accounts.ts'
import type { Once } from '../../src/store/idempotency.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { claimTasks } from '../../src/store/mail/tasks.ts'
import { DIRECTORY_KINDS, MOVED_TABLES, rowsOf } from '../../src/store/shards/tables.ts'
import type { Database } from '../../src/store/stores.ts'
import { submit } from '../../src/submission/submit.ts'
import { createTemplate } from '../../src/submission/templates/edit.ts'
import { createWebhook } from '../../src/webhook/endpoints.ts'
import { mailBytes } from '../fixtures/mail/mails.ts'
import { type Faults, noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'

test('an account moves with all it has, is closed meanwhile, and opens again where it went', async () => {
  const { world } = await shardedWorld()
  const account = await lived(world)
  const before = await allRows(world, account, 'DB')
  expect(await moveAccount(world.ctx, account.account.id, 'MAIL_2')).toMatchObject({
    step: 'close',
    from: 'DB',
    to: 'MAIL_2',
  })
  await expect(arrive(world, account.address, 'meanwhile')).rejects.toMatchObject({ code: 'service_unavailable' })
  const renamed = patchAccount(world.ctx, account.account.id, { name: 'Other' })
  await expect(renamed).rejects.toMatchObject({ code: 'service_unavailable' })

  await finishMoving(world)
  const moved = await atHome(world, account)
  expect(moved.account.mailDb).toBe('MAIL_2')
  expect(settledOnly(await allRows(world, moved, 'MAIL_2'))).toEqual(settledOnly(before))
  const { id } = await arrive(world, account.address, 'after')
  expect(await getMessage(moved, id, { body: [], html_format: 'cid' })).toMatchObject({ subject: 'after' })
  await expect(getMove(world.ctx, account.account.id)).rejects.toMatchObject({ code: 'not_found' })

  // Long after the last that could still look there, the old place is empty.
  expect((await allRows(world, account, 'DB')).messages).toHaveLength(2)
  world.pass(21 * 60_000)
  await sweepMoving(world.ctx)
  expect(Object.values(await allRows(world, account, 'DB')).flat()).toEqual([])
})

test('a link that was made before a move is put off while it lasts, and then leads to where the mail is', async () => {
  const { world } = await shardedWorld()
  const account = await lived(world)
  const { id } = await arrive(world, account.address, 'linked')
  const { raw } = await getMessage(account, id, { body: [], html_format: 'cid' })
  const token = raw.download_url.split('/').at(-1) ?? ''
  await moveAccount(world.ctx, account.account.id, 'MAIL_2')
  world.pass(36_000)
  await sweepMoving(world.ctx)
  await expect(followRawLink(world.ctx, token)).rejects.toMatchObject({ code: 'service_unavailable' })
  await finishMoving(world)
  const { stream } = await followRawLink(world.ctx, token)
  expect(await new Response(stream).text()).toContain('Subject: linked')
  // Long after, when the old place knows nothing of it, and only for as long as the mail itself is there.
  world.pass(21 * 60_000)
  await sweepMoving(world.ctx)
  expect((await followRawLink(world.ctx, token)).size).toBeGreaterThan(0)
  await deleteMessage(await atHome(world, account), id, true)
  await expect(followRawLink(world.ctx, token)).rejects.toMatchObject({ code: 'not_found' })
})

test('whatever the last statement was before a kill, the account ends whole in one place', async () => {
  const statements = await killedAfter(Number.POSITIVE_INFINITY)
  // The tables are copied one like the other: of these some are enough, of what is before and after them none is left out.
  const kills = Array.from({ length: statements }, (_, at) => at).filter(
    (at) => at < 12 || at % 9 === 0 || at > statements - 12,
  )
  for (const at of kills) await killedAfter(at)
}, 120_000)

test('mail that is on its way out is waited for, and what became of it moves along', async () => {
  const { world } = await shardedWorld()
  const account = await lived(world)
  const { id } = await send(account, 'x@remote.test')
  const db = world.ctx.stores.directory
  const until = world.ctx.now() + 150_000
  await runBatch(db, [
    sql`UPDATE messages SET claim = 'held', claimed_until = ${until} WHERE account = ${account.account.number} AND id = ${id}`,
  ])
  await moveAccount(world.ctx, account.account.id, 'MAIL_2')
  world.pass(36_000)
  await sweepMoving(world.ctx)
  world.pass(61_000)
  await sweepMoving(world.ctx)
  expect(await getMove(world.ctx, account.account.id)).toMatchObject({ step: 'drain' })
  world.pass(61_000)
  await sweepMoving(world.ctx)
  expect((await atHome(world, account)).account.mailDb).toBe('MAIL_2')
})

test('nothing new is claimed of an account that is being moved, and its tasks wait for it', async () => {
  const { world } = await shardedWorld()
  const account = await lived(world)
  const { number, id } = account.account
  const db = world.ctx.stores.directory
  await send(account, 'x@remote.test')
  await runBatch(db, [
    sql`INSERT INTO tasks (kind, account, ref, due, attempts, state) VALUES ('feedback', ${number}, 'r', 0, 0, '{}')`,
  ])
  await moveAccount(world.ctx, id, 'MAIL_2')
  world.pass(36_000)
  await sweepMoving(world.ctx)
  world.woken.length = 0
  await sweepRelay(world.ctx)
  expect(world.woken.filter(({ account }) => account === id)).toEqual([])
  const claim = { token: 't', now: world.ctx.now(), until: world.ctx.now() + 1000, limit: 5 }
  expect((await claimTasks(db, ['feedback'], claim)).filter(({ account }) => account === number)).toEqual([])
  await finishMoving(world)
  expect((await allRows(world, account, 'MAIL_2')).tasks).toHaveLength(1)
})

test('a move whose target is down is taken back: the account opens where it was', async () => {
  const { world, shards } = await shardedWorld()
  const account = await lived(world)
  await moveAccount(world.ctx, account.account.id, 'MAIL_2')
  shards.MAIL_2.down = true
  for (let tick = 0; tick < 30; tick++) {
    world.pass(6 * 60_000)
    await sweepMoving(world.ctx)
  }
  expect((await atHome(world, account)).account.mailDb).toBe('DB')
  await arrive(world, account.address, 'still here')
})

test('a move can be taken back by hand, and what is nonsense is refused by name', async () => {
  const { world } = await shardedWorld()
  const account = await lived(world)
  const { id } = account.account
  await expect(moveAccount(world.ctx, id, 'MAIL_9')).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'to' }], fix: 'There are: DB, MAIL_2, MAIL_3.' },
  })
  await expect(moveAccount(world.ctx, id, 'DB')).rejects.toMatchObject({ code: 'validation_error' })
  await expect(cancelMove(world.ctx, id)).rejects.toMatchObject({ code: 'not_found' })
  await moveAccount(world.ctx, id, 'MAIL_3')
  await expect(moveAccount(world.ctx, id, 'MAIL_2')).rejects.toMatchObject({ code: 'service_unavailable' })
  await cancelMove(world.ctx, id)
  await arrive(world, account.address, 'back')
  // The target is being cleared: only then may it be gone to.
  await expect(moveAccount(world.ctx, id, 'MAIL_3')).rejects.toMatchObject({ code: 'conflict' })
  await sweepMoving(world.ctx)
  await moveAccount(world.ctx, id, 'MAIL_3')
  await finishMoving(world)
  expect((await atHome(world, account)).account.mailDb).toBe('MAIL_3')
})

test('the pages of a copy are read by key, without a scan or a sort', async () => {
  const { world } = await shardedWorld()
  for (const table of MOVED_TABLES.filter(({ name }) => name !== 'tasks')) {
    const after = table.key.map(() => 0)
    const { pageOf } = await import('../../src/store/shards/copy.ts')
    const page = pageOf(table, rowsOf(table, 1, world.ctx.now()), after)
    const [plan = []] = await runBatch(world.ctx.stores.directory, [sql`EXPLAIN QUERY PLAN ${page}`])
    const told = plan.map(({ detail }) => String(detail)).join('; ')
    expect(told, table.name).not.toMatch(/SCAN (?!json_each)|TEMP B-TREE/)
  }
})

test('tasks of the directory stay there: every kind that is claimed in it is known to the move', () => {
  const claimed = ['check-domain', 'clear-shard', 'delete-account', 'move-account', 'open-account', 'tell-domain']
  expect([...DIRECTORY_KINDS].sort()).toEqual(claimed)
})

/** A move that is killed once and then goes on; how many statements there were up to the kill. */
async function killedAfter(alive: number): Promise<number> {
  const { world, shards, directory } = await shardedWorld()
  const account = await lived(world)
  const before = settledOnly(await allRows(world, account, 'DB'))
  await moveAccount(world.ctx, account.account.id, 'MAIL_2')
  world.pass(40_000)
  const statements = await diesAfter(alive, [directory, ...Object.values(shards)], () => finishMoving(world, 3))
  await finishMoving(world)
  const moved = await atHome(world, account)
  expect({ alive, place: moved.account.mailDb }).toEqual({ alive, place: 'MAIL_2' })
  expect(settledOnly(await allRows(world, moved, 'MAIL_2'))).toEqual(before)
  await arrive(world, account.address, `after ${alive}`)
  return statements
}

async function shardedWorld() {
  const shards = { MAIL_2: noFaults(), MAIL_3: noFaults() }
  const directory = noFaults()
  return { world: await makeWorld({ shards, faults: directory }), shards, directory }
}

/** An account with something in every table that a user fills. */
async function lived(world: World) {
  const account = await makeAccount(world)
  await arrive(world, account.address, 'first')
  await send(account, 'delivered@resend.dev', { key: 'k', body: 'b' })
  await createTemplate(account, CreateTemplateBody.parse({ name: 'A template', html: '<p>Salom</p>' }))
  await createWebhook(
    account,
    CreateWebhookBody.parse({ endpoint: 'http://127.0.0.1:3999/hook', events: ['email.received'] }),
  )
  await world.idle()
  return account
}

function send(account: Caller & { address: string }, to: string, once?: Once) {
  return submit(account, SendEmailBody.parse({ from: account.address, to: [to], subject: 'out', text: '.' }), once)
}

function arrive({ ctx }: World, to: string, subject: string) {
  const bytes = mailBytes(
    `From: a@b.test\nSubject: ${subject}\nMessage-ID: <${subject.replace(/ /g, '-')}@b.test>\n\nText.\n`,
  )
  const raw = new Blob([bytes]).stream()
  return receive(ctx, { door: 'inbound', from: 'a@b.test', to, size: bytes.length, raw })
}

async function atHome(world: World, account: Caller): Promise<Caller> {
  const row = await findAccountRow(world.ctx.stores, account.account.id)
  expect(row?.state).toBe('active')
  if (!row) throw new Error('the account is gone')
  return { ...account, account: refOf(row) }
}

/** As many ticks as a move takes that nothing disturbs. */
async function finishMoving(world: World, ticks = 8): Promise<void> {
  for (let tick = 0; tick < ticks; tick++) {
    world.pass(61_000)
    await sweepMoving(world.ctx)
  }
}

/** From the given statement on nothing answers, as when the isolate is killed there; how many were asked for. */
async function diesAfter(alive: number, faults: Faults[], work: () => Promise<void>): Promise<number> {
  let asked = 0
  for (const one of faults) Object.defineProperty(one, 'down', { get: () => asked++ >= alive, configurable: true })
  await work().catch(() => undefined)
  for (const one of faults) Object.defineProperty(one, 'down', { value: false, configurable: true, writable: true })
  return asked
}

async function allRows(
  world: World,
  { account }: Pick<Caller, 'account'>,
  place: string,
): Promise<Record<string, unknown[]>> {
  const db: Database | undefined = world.ctx.stores.mail.get(place)
  if (!db) throw new Error('no such database')
  const rows: Record<string, unknown[]> = {}
  for (const table of MOVED_TABLES) {
    const order = table.key.length > 0 ? sql` ORDER BY ${sql.raw(table.key.join(', '))}` : sql``
    const [some = []] = await runBatch(db, [
      sql`SELECT * FROM ${sql.raw(table.name)} WHERE ${rowsOf(table, account.number, world.ctx.now())}${order}`,
    ])
    rows[table.name] = some
  }
  return rows
}

/** Counters but for the state, which a move is about. */
function settledOnly(rows: Record<string, unknown[]>): Record<string, unknown[]> {
  return { ...rows, counters: (rows.counters ?? []).map((row) => ({ ...Object(row), state: '' })) }
}
