/** Raw mail that no row names: left by a crash between the two, or by a deletion that did not come to its end. */
import { sql } from 'drizzle-orm'
import { listRaw } from './objects.ts'
import { mailOf, type Stores } from './stores.ts'

/** One page of raw mail, and which of it is old enough and named by no row. */
export type OrphanPage = { seen: number; orphans: string[]; cursor?: string }

const KEY = /^raw\/(\d+)\/\d+\/([0-9a-f-]{36})\.[a-z2-7]+$/

/** Looks through one page. What was uploaded at or after `before` is left alone, because its row may still come. */
export async function findOrphans(stores: Stores, before: number, cursor?: string): Promise<OrphanPage> {
  const page = await listRaw(stores, 'raw/', cursor)
  const old = page.objects.flatMap(({ key, uploaded }) => {
    const [, account, message] = KEY.exec(key) ?? []
    return uploaded < before && account && message ? [{ key, account: Number(account), message }] : []
  })
  const named = await namedKeys(stores, old)
  const orphans = old.map(({ key }) => key).filter((key) => !named.has(key))
  return { seen: page.objects.length, orphans, ...(page.cursor ? { cursor: page.cursor } : {}) }
}

/** Those of the keys that a row names. An account that is gone has none. */
async function namedKeys(
  stores: Stores,
  keys: readonly { key: string; account: number; message: string }[],
): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const numbers = JSON.stringify([...new Set(keys.map(({ account }) => account))])
  const accounts = await stores.directory.all<{ number: number; mailDb: string }>(
    sql`SELECT number, mail_db AS "mailDb" FROM accounts WHERE number IN (SELECT value FROM json_each(${numbers}))`,
  )
  const named = new Set<string>()
  for (const mailDb of new Set(accounts.map((account) => account.mailDb))) {
    const here = new Set(accounts.filter((account) => account.mailDb === mailDb).map(({ number }) => number))
    const wanted = keys.filter(({ account }) => here.has(account)).map(({ account, message }) => [account, message])
    const rows = await mailOf(stores, { mailDb }).all<{ key: string }>(
      sql`SELECT m.raw_key AS "key" FROM json_each(${JSON.stringify(wanted)}) AS k CROSS JOIN messages AS m
        ON m.account = k.value ->> 0 AND m.direction IN (0, 1) AND m.id = k.value ->> 1`,
    )
    for (const { key } of rows) named.add(key)
  }
  return named
}
