import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { listMessages, listReceived, listSent } from '../../src/mailbox/read.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { listMessages as listLines } from '../../src/store/mail/reading.ts'
import { makeAccount, makeWorld, START } from '../support/world.ts'

const world = await makeWorld()

/** Mail of both directions, alternating, in the one mailbox, ten to a thread. */
async function fill(ctx: Caller, count: number): Promise<void> {
  const { number } = ctx.account
  const id = sql`substr(at, 1, 8) || '-' || substr(at, 9, 4) || '-7000-8000-' || printf('%012d', ${number})`
  await runBatch(ctx.stores.directory, [
    sql`WITH RECURSIVE mail(n, at) AS (SELECT 1, printf('%012x', ${START} + 1)
        UNION ALL SELECT n + 1, printf('%012x', ${START} + n + 1) FROM mail WHERE n < ${count})
      INSERT INTO messages (account, direction, id, created_at, mailbox, uid, modseq, keywords, thread, msgid_hash, dedupe,
        sender, recipient, address, parties, subject, preview, size, has_attachment, parts, raw_key, last_event)
      SELECT ${number}, n % 2, ${id}, ${START} + n, 1, n, n, '{}', 'thread-' || (n / 10), 'hash' || n, 'd', 'a@b.test',
        'x@y.test', 'x@y.test', '{"from":[],"to":[],"cc":[],"bcc":[],"reply_to":[]}', 'subject', 'preview', 1, 0, NULL, 'key', CASE n % 2 WHEN 1 THEN 'sent' END
      FROM mail`,
  ])
}

const idOf = (ctx: Caller, n: number) => {
  const at = (START + n).toString(16).padStart(12, '0')
  return `${at.slice(0, 8)}-${at.slice(8)}-7000-8000-${String(ctx.account.number).padStart(12, '0')}`
}

/** The pages that are asked for, each at a mailbox of `count` messages. */
function pages(ctx: Caller, count: number): Record<string, () => Promise<{ data: unknown[]; has_more: boolean }>> {
  const middle = idOf(ctx, count / 2)
  return {
    sent: () => listSent(ctx, { limit: 20 }),
    'sent, in the middle': () => listSent(ctx, { limit: 20, after: middle }),
    'sent, back': () => listSent(ctx, { limit: 20, before: middle }),
    received: () => listReceived(ctx, { limit: 20, after: middle }),
    both: () => listMessages(ctx, { limit: 20 }),
    'both, in the middle': () => listMessages(ctx, { limit: 20, after: middle }),
    'both, back': () => listMessages(ctx, { limit: 20, before: middle }),
    mailbox: () => listMessages(ctx, { limit: 20, mailbox: 'inbox' }),
    'mailbox, in the middle': () => listMessages(ctx, { limit: 20, mailbox: 'inbox', after: middle }),
    'mailbox, back': () => listMessages(ctx, { limit: 20, mailbox: 'inbox', before: middle }),
    thread: () => listMessages(ctx, { limit: 20, thread: 'thread-7' }),
    'thread in a mailbox': () => listMessages(ctx, { limit: 20, thread: 'thread-7', mailbox: 'inbox' }),
  }
}

async function costs(ctx: Caller, count: number) {
  const found: Record<string, unknown> = {}
  for (const [name, page] of Object.entries(pages(ctx, count))) {
    const { trips, read, written, gets } = world.tally
    const { data } = await page()
    found[name] = {
      lines: data.length,
      read: world.tally.read - read,
      trips: world.tally.trips - trips,
      written: world.tally.written - written,
      gets: world.tally.gets - gets,
    }
  }
  return found
}

test('a page costs one query and the same few rows, whether the account has a thousand messages or a hundred thousand', async () => {
  const [small, large] = [await makeAccount(world), await makeAccount(world)]
  await fill(small, 1000)
  await fill(large, 100_000)
  const cost = await costs(large, 100_000)
  expect(cost).toEqual(await costs(small, 1000))
  for (const [name, page] of Object.entries(cost)) {
    expect(page, name).toMatchObject({ lines: name.startsWith('thread') ? 10 : 20, trips: 1, written: 0, gets: 0 })
    expect(page, name).toSatisfy(({ read }: { read: number }) => read <= 130)
  }
})

test('every list is walked by an index and sorts at most a page', async () => {
  const ctx = await makeAccount(world)
  const plans: Record<string, string> = {}
  const explaining = explained(ctx, (name, plan) => {
    plans[name] = plan
  })
  const cursor = crypto.randomUUID()
  for (const [name, filter] of Object.entries({
    both: {},
    sent: { direction: 1 },
    mailbox: { mailbox: 'inbox' },
    thread: { thread: 't' },
  })) {
    for (const page of [{ limit: 5 }, { limit: 5, after: cursor }, { limit: 5, before: cursor }]) {
      await listLines(explaining(`${name} ${Object.keys(page).join(' ')}`), ctx.account, filter, page)
    }
  }
  expect(Object.keys(plans)).toHaveLength(12)
  for (const [name, plan] of Object.entries(plans)) {
    expect(plan, name).not.toMatch(/SCAN (m|k|e|messages|events|mailboxes)\b/)
    const index = name.startsWith('mailbox')
      ? 'messages_mailbox'
      : name.startsWith('thread')
        ? 'messages_thread'
        : 'PRIMARY KEY'
    expect(plan, name).toMatch(new RegExp(`SEARCH m USING (INDEX |COVERING INDEX )?${index}`))
    // Only the merge of both directions may sort, and it sorts two pages.
    if (name.startsWith('sent') || name.startsWith('mailbox')) expect(plan, name).not.toContain('TEMP B-TREE')
  }
})

/** Stores whose queries are explained before they are run. */
function explained(ctx: Caller, tell: (name: string, plan: string) => void) {
  return (name: string): Caller['stores'] => {
    const db = ctx.stores.directory
    const explaining = new Proxy(db, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member)
        if (member !== 'all' || typeof value !== 'function') return value
        return async (statement: Parameters<typeof db.all>[0]) => {
          const steps = await db.all<{ detail: string }>(sql`EXPLAIN QUERY PLAN ${asSql(statement)}`)
          tell(name, steps.map(({ detail }) => detail).join('\n'))
          return db.all(statement)
        }
      },
    })
    return { ...ctx.stores, mail: new Map([[ctx.account.mailDb, explaining]]) }
  }
}

/** The store asks in sql`…` throughout. */
function asSql(statement: unknown): ReturnType<typeof sql> {
  return statement as ReturnType<typeof sql>
}
