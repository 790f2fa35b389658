import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { makeWorld } from '../support/world.ts'

const WITHOUT_ROWID = [
  'addresses',
  'api_keys',
  'auto_replies',
  'dispatches',
  'domains',
  'events',
  'forward_targets',
  'handed',
  'idempotency',
  'mailboxes',
  'messages',
  'providers',
  'relays',
  'rules',
  'suppressions',
  'tasks',
  'template_versions',
  'templates',
  'unsubscribes',
  'webhooks',
]

test('tables keyed by account have no rowid, so that a row costs one row written', async () => {
  const { ctx } = await makeWorld()
  const tables = await ctx.stores.directory.all<{ name: string; sql: string }>(
    sql`SELECT name, sql FROM sqlite_master WHERE type = 'table'`,
  )
  const without = tables.filter((table) => table.sql.endsWith('WITHOUT ROWID')).map((table) => table.name)
  expect(without.sort()).toEqual(WITHOUT_ROWID)
})
