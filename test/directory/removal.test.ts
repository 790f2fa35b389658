import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Context } from '../../src/context.ts'
import { findRecipient } from '../../src/directory/recipients.ts'
import { deleteAccount } from '../../src/directory/removal.ts'
import { sweepDirectory } from '../../src/directory/sweep.ts'
import { parseAddress } from '../../src/mail/address.ts'
import { makeChange, runBatch } from '../../src/store/mail/change.ts'
import { listRaw } from '../../src/store/objects.ts'
import { type AccountRef, openStores } from '../../src/store/stores.ts'
import { env } from '../support/env.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Every table whose rows are an account's, whatever the schema has come to have. */
const TABLES = await accountTables()

async function accountTables(): Promise<string[]> {
  const { ctx } = await makeWorld()
  const rows = await ctx.stores.directory.all<{ name: string }>(
    sql`SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c ON c.name = 'account'
      WHERE m.type = 'table' ORDER BY m.name`,
  )
  return rows.map(({ name }) => name)
}

/** Rows in every table, and objects under both prefixes. */
async function fill(ctx: Context, account: AccountRef, each = 3): Promise<void> {
  for (const table of TABLES) if (table !== 'counters') await fillTable(ctx, table, account, each)
  await Promise.all([env.RAW.put(`raw/${account.number}/1/a`, 'x'), env.RAW.put(`bounces/${account.number}/b`, 'x')])
}

const COLUMNS = new Map<string, Column[]>()

function columnsOf(ctx: Context, table: string): Promise<Column[]> {
  return ctx.stores.directory.all<Column>(
    sql`SELECT name, type, "notnull" AS required FROM pragma_table_info(${table})`,
  )
}

type Column = { name: string; type: string; required: number }

async function fillTable(ctx: Context, table: string, account: AccountRef, each: number): Promise<void> {
  const columns = COLUMNS.get(table) ?? (await columnsOf(ctx, table))
  COLUMNS.set(table, columns)
  const day = Math.floor(ctx.now() / DAY)
  const special: Record<string, string> = {
    account: `${account.number}`,
    day: `${day}`,
    status: `'pending'`,
    due: `${ctx.now() + 10 * DAY}`,
    kind: `'other'`,
  }
  const needed = columns.filter(({ required }) => required)
  const values = needed.map(({ name, type }) => {
    if (special[name]) return special[name]
    // Different in each row and account, so that whatever is unique is.
    return type === 'INTEGER' ? '1000 + value' : `'${account.number}-' || value`
  })
  const numbers = JSON.stringify(Array.from({ length: table === 'messages' ? each : 3 }, (_, at) => at))
  const into = needed.map(({ name }) => `"${name}"`).join(', ')
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO ${sql.raw(`${table} (${into}) SELECT ${values.join(', ')}`)} FROM json_each(${numbers})`,
  ])
}

/** The tables that still have something of the account, and its objects. */
async function left(ctx: Context, account: AccountRef): Promise<string[]> {
  const rows = await Promise.all(
    TABLES.map((table) =>
      ctx.stores.directory.all(sql`SELECT 1 FROM ${sql.raw(table)} WHERE account = ${account.number}`),
    ),
  )
  const raw = await listRaw(ctx.stores, `raw/${account.number}/`)
  const bounces = await listRaw(ctx.stores, `bounces/${account.number}/`)
  const accounts = await ctx.stores.directory.all(sql`SELECT 1 FROM accounts WHERE number = ${account.number}`)
  return [
    ...TABLES.filter((_, at) => rows[at]?.length),
    ...[...raw.objects, ...bounces.objects].map(({ key }) => key),
    ...(accounts.length > 0 ? ['accounts'] : []),
  ]
}

/** Ticks as the cron does, until the day's wait and the second round are over. */
async function tickThrough(world: World, ctx: Context = world.ctx): Promise<void> {
  for (let tick = 0; tick < 3; tick++) {
    await sweepDirectory(ctx)
    world.pass(6 * MINUTE)
  }
  world.pass(DAY)
  for (let tick = 0; tick < 3; tick++) {
    await sweepDirectory(ctx)
    world.pass(6 * MINUTE)
  }
}

const recipient = (text: string) => parseAddress(text) ?? expect.fail(`${text} is an address`)

test('a deleted account takes no mail at once, and a day later not a byte of it is left', async () => {
  const world = await makeWorld()
  const [gone, kept] = [await makeAccount(world), await makeAccount(world)]
  await fill(world.ctx, gone.account)
  await fill(world.ctx, kept.account)
  const before = await left(world.ctx, kept.account)

  expect(await deleteAccount(world.ctx, gone.account.id)).toEqual({
    object: 'account',
    id: gone.account.id,
    deleted: true,
  })
  expect(await findRecipient(world.ctx, recipient(gone.address))).toBeUndefined()
  const change = { account: gone.account.number, now: world.ctx.now(), token: 'late', events: [] }
  expect(await makeChange(world.ctx.stores.directory, change, [])).toBeUndefined()
  await world.idle()

  // All is gone at the first tick but what proves that nothing can come in.
  expect(await left(world.ctx, gone.account)).toEqual(['counters', 'tasks', 'accounts'])
  await env.RAW.put(`raw/${gone.account.number}/1/late`, 'was on its way when the account closed')
  await tickThrough(world)
  expect(await left(world.ctx, gone.account)).toEqual([])
  expect(await left(world.ctx, kept.account)).toEqual(before)
  await expect(deleteAccount(world.ctx, gone.account.id)).rejects.toMatchObject({ code: 'not_found' })
})

test('many rows go in bounded steps, a bounded number in one tick', async () => {
  const world = await makeWorld()
  const { account } = await makeAccount(world)
  await fill(world.ctx, account, 30_000)
  await deleteAccount(world.ctx, account.id)
  await world.idle()
  const [held] = await world.ctx.stores.directory.all<{ n: number }>(
    sql`SELECT COUNT(*) AS n FROM messages WHERE account = ${account.number}`,
  )
  expect(held?.n).toBeGreaterThan(9000)
  expect(await left(world.ctx, account)).toContain('addresses')
  await tickThrough(world)
  expect(await left(world.ctx, account)).toEqual([])
})

test('its names are free for others only after its mail is gone', async () => {
  const world = await makeWorld()
  const gone = await makeAccount(world)
  await fill(world.ctx, gone.account)
  let calls = 0
  const watched = await failingAfter(world, Number.POSITIVE_INFINITY, async (text) => {
    if (!/^DELETE FROM (addresses|domains)/.test(text)) return
    calls++
    expect(await left(world.ctx, gone.account)).not.toContain('messages')
  })
  await deleteAccount(watched, gone.account.id)
  await world.idle()
  expect(calls).toBeGreaterThan(0)
})

test('a crash after any call to storage is harmless: the removal goes on when its claim has lapsed', async () => {
  for (let calls = 0; ; calls++) {
    const world = await makeWorld()
    const [gone, kept] = [await makeAccount(world), await makeAccount(world)]
    await fill(world.ctx, gone.account)
    const before = await left(world.ctx, kept.account)
    await deleteAccount(world.ctx, gone.account.id).catch(() => undefined)
    const crashing = await failingAfter(world, calls)
    await tickThrough(world, crashing)
    const survived = crashing.survived()
    await tickThrough(world)
    await tickThrough(world)
    expect(await left(world.ctx, gone.account), `crash after ${calls} calls`).toEqual([])
    expect(await left(world.ctx, kept.account)).toEqual(before)
    // Past the last call of a whole removal there is nothing more to try.
    if (survived) return
  }
}, 120_000)

type Crashing = Context & { survived(): boolean }

/** A context whose storage answers `calls` times and then, once, throws after it did what it was asked. */
async function failingAfter(world: World, calls: number, watch?: (sql: string) => Promise<void>): Promise<Crashing> {
  let done = 0
  let crashed = false
  const counted = async <T>(act: () => Promise<T>): Promise<T> => {
    const answer = await act()
    if (done++ === calls) {
      crashed = true
      throw new Error('D1_ERROR: Network connection lost.')
    }
    return answer
  }
  const texts = new WeakMap<object, string>()
  const database = new Proxy(env.DB, {
    get(target, name) {
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) => {
          for (const statement of statements) await watch?.(texts.get(statement) ?? '')
          return counted(() => target.batch(statements))
        }
      }
      if (name === 'prepare') {
        return (query: string) => {
          const statement = target.prepare(query)
          return new Proxy(statement, {
            get(inner, member) {
              const value: unknown = Reflect.get(inner, member)
              if (member !== 'bind' || typeof value !== 'function') return value
              return (...given: unknown[]) => {
                const bound = inner.bind(...given)
                texts.set(bound, query)
                return bound
              }
            },
          })
        }
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const bucket = new Proxy(env.RAW, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name !== 'delete' && name !== 'list') return member.bind(target)
      return (...given: unknown[]) => counted(() => member.apply(target, given))
    },
  })
  return { ...world.ctx, stores: openStores({ DB: database }, bucket), survived: () => !crashed }
}
