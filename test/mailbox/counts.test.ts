import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Problem } from '../../src/base/problem.ts'
import type { Caller } from '../../src/context.ts'
import { patchAccount } from '../../src/directory/accounts.ts'
import { changeMany } from '../../src/mailbox/bulk.ts'
import { changeMessage, deleteMessage } from '../../src/mailbox/change.ts'
import { copyMessage } from '../../src/mailbox/copy.ts'
import { createMailbox } from '../../src/mailbox/mailboxes.ts'
import { importMail } from '../../src/mailbox/mbox/import.ts'
import { sweepRetention } from '../../src/mailbox/retention.ts'
import { deleteThread } from '../../src/mailbox/threads.ts'
import { receive } from '../../src/reception/receive.ts'
import { createDraft, deleteDraft, updateDraft } from '../../src/submission/drafts/drafts.ts'
import { sendDraft } from '../../src/submission/drafts/send.ts'
import { submit } from '../../src/submission/submit.ts'
import { type Faults, noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'
import { plain } from './mail.ts'

/** The same numbers in every run: Lehmer's generator. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

/** What counters say of the account, and what a recount of its rows says. */
async function bothCounts(ctx: Caller) {
  const db = ctx.stores.directory
  const { number } = ctx.account
  const [told] = await db.all<{ boxes: string; bytes: number; messages: number }>(
    sql`SELECT boxes, bytes, messages FROM counters WHERE account = ${number}`,
  )
  const rows = await db.all<{ mailbox: number; messages: number; unread: number; bytes: number }>(
    sql`SELECT mailbox, COUNT(*) AS messages, SUM(keywords ->> '$."$seen"' IS NULL) AS unread, SUM(size) AS bytes
      FROM messages WHERE account = ${number} GROUP BY mailbox ORDER BY mailbox`,
  )
  const boxes = Object.entries<[number, number]>(JSON.parse(told?.boxes ?? '{}')).filter(
    ([, [, unread]]) => unread >= 0,
  )
  return {
    told: { boxes: boxes.filter(([, [messages]]) => messages !== 0), bytes: told?.bytes, messages: told?.messages },
    counted: {
      boxes: rows.map(({ mailbox, messages, unread }) => [String(mailbox), [messages, unread]]),
      bytes: rows.reduce((sum, row) => sum + row.bytes, 0),
      messages: rows.reduce((sum, row) => sum + row.messages, 0),
    },
  }
}

const BOXES = ['inbox', 'archive', 'trash', 'junk']

/** Every way in which an account's mail changes. */
function changes(world: World, ctx: Caller & { address: string }, own: string, draw: (below: number) => number) {
  const boxes = [...BOXES, own]
  const box = () => boxes[draw(boxes.length)] ?? own
  const some = async (where = sql``) => {
    const rows = await ctx.stores.directory.all<{ id: string; thread: string }>(
      sql`SELECT id, thread FROM messages WHERE account = ${ctx.account.number}${where} ORDER BY id`,
    )
    return rows.filter(() => draw(3) === 0)
  }
  const ids = async (where = sql``) => (await some(where)).map(({ id }) => id)
  const keywords = () => ({ [['$seen', '$flagged'][draw(2)] ?? '']: draw(2) === 0 })
  const drafts = () => ids(sql` AND mailbox = 3`)
  let n = 0
  const mail = () =>
    plain(`m${n++}`, `Message-ID: <${n}@far.test>`, draw(2) ? `In-Reply-To: <${draw(n + 1)}@far.test>` : 'X-A: b')
  const body = () => ({ from: ctx.address, to: 'you@far.test', subject: `s${n++}`, text: 'x'.repeat(draw(500)) || 'x' })
  return [
    async () => {
      const bytes = utf8(mail())
      const raw = new Blob([bytes]).stream()
      await receive(world.ctx, { door: 'inbound', from: 'ann@far.test', to: ctx.address, size: bytes.length, raw })
    },
    async () => void (await submit(ctx, body())),
    async () => void (await createDraft(ctx, body())),
    async () => void (await updateDraft(ctx, (await drafts())[0] ?? '', { text: 'y'.repeat(draw(500)) })),
    async () => void (await sendDraft(ctx, (await drafts())[0] ?? '', {})),
    async () => void (await deleteDraft(ctx, (await drafts())[0] ?? '')),
    async () => void (await changeMessage(ctx, (await ids())[0] ?? '', { keywords: keywords(), mailbox: box() })),
    async () => void (await deleteMessage(ctx, (await ids())[0] ?? '', draw(2) === 0)),
    async () => void (await copyMessage(ctx, (await ids())[0] ?? '', { mailbox: box() })),
    async () => void (await changeMany(ctx, { ids: [...(await ids()), 'x'], keywords: keywords(), mailbox: box() })),
    async () => void (await changeMany(ctx, { ids: [...(await ids()), 'x'], copy_to: box() })),
    async () => void (await changeMany(ctx, { filter: { mailbox: box() }, keywords: keywords() })),
    async () => void (await changeMany(ctx, { ids: [...(await ids()), 'x'], delete: true, permanent: draw(2) === 0 })),
    async () => void (await deleteThread(ctx, (await some())[0]?.thread ?? '', draw(2) === 0)),
    async () => {
      const text = [mail(), mail(), plain(`m${draw(n)}`)].map((each) => `From a@b.test 1:00\n${each}\n`).join('')
      await importMail(ctx, box(), { type: 'application/mbox', body: new Blob([text]).stream() })
    },
    async () => {
      world.pass(draw(3) * 86_400_000)
      await sweepRetention(world.ctx)
    },
  ]
}

/** Now and then storage fails before a write, or loses the acknowledgement after it. */
function disturb(faults: Faults, draw: (below: number) => number): void {
  for (const plan of [faults.batches, faults.puts]) {
    plan.length = 0
    for (let at = 0; at < draw(4); at++) plan.push((['pass', 'fail', 'lose-answer'] as const)[draw(3)] ?? 'pass')
  }
}

/** Which changes were made at least once, over all runs. */
const done = new Set<number>()
let kinds = 0

for (const seed of [11, 2_026, 90_210]) {
  test(`whatever is done in whatever order, and whatever fails, the counters are what a recount says (${seed})`, async () => {
    const faults = noFaults()
    const world = await makeWorld({ faults })
    const ctx = await makeAccount(world)
    const own = await createMailbox(ctx, { name: 'Own' })
    await patchAccount(world.ctx, ctx.account.id, { retention: { trash_days: 1, junk_days: 2 } })
    const draw = dice(seed)
    const acts = changes(world, ctx, own.id, draw)
    for (let step = 0; step < 150; step++) {
      const at = step < 12 ? draw(4) : draw(acts.length)
      disturb(faults, draw)
      const trouble = await acts[at]?.().catch((error) => error)
      faults.batches.length = 0
      faults.puts.length = 0
      if (trouble === undefined) done.add(at)
      else if (!(trouble instanceof Problem)) expect(String(trouble)).toContain('D1_ERROR')
      world.pass(1)
      const { told, counted } = await bothCounts(ctx)
      expect(told, `after step ${step}, change ${at}`).toEqual(counted)
    }
    kinds = acts.length
    await world.idle().catch(() => {})
    const rows = await ctx.stores.directory.all<{ raw_key: string }>(
      sql`SELECT raw_key FROM messages WHERE account = ${ctx.account.number}`,
    )
    const { objects } = await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })
    const there = new Set(objects.map(({ key }) => key))
    expect(rows.filter((row) => !there.has(row.raw_key))).toEqual([])
    expect(new Set(rows.map((row) => row.raw_key)).size).toBe(rows.length)
  })
}

test('and every way to change mail was among what was done', () => {
  expect(done.size).toBe(kinds)
})
