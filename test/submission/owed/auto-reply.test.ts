import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { receive } from '../../../src/reception/receive.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { claimTasks } from '../../../src/store/mail/tasks.ts'
import { asAnswer } from '../../../src/store/sending/owed.ts'
import type { AccountRef } from '../../../src/store/stores.ts'
import { answerBySelf } from '../../../src/submission/owed/auto-reply.ts'
import { sweepOwed } from '../../../src/submission/owed/sweep.ts'
import { type Faults, noFaults } from '../../support/faults.ts'
import { addAddress, makeAccount, makeWorld, type World } from '../../support/world.ts'

const world = await makeWorld()

const DAY = 86_400_000

let letters = 0

type Letter = { to: string; from?: string; author?: string; named?: string; fields?: string[] }

function arrive({ ctx }: World, { to, from = 'ann@x.test', author = from, named = to, fields = [] }: Letter) {
  const id = `Message-ID: <${++letters}@x.test>`
  const lines = [...fields, id, `From: Ann <${author}>`, `To: ${named}`, 'Subject: Plov?', '', 'Come.\r\n']
  const raw = new TextEncoder().encode(lines.join('\r\n'))
  return receive(ctx, { door: 'inbound', from, to, size: raw.length, raw: new Blob([raw]).stream() })
}

/** An account whose address is away. */
async function away(of: World, more: Record<string, unknown> = {}) {
  const made = await makeAccount(of)
  const settings = { autoReply: { text: 'Back on Monday.', intervalDays: 7, ...more } }
  await runBatch(of.ctx.stores.directory, [
    sql`UPDATE addresses SET name = 'Hello', settings = ${JSON.stringify(settings)} WHERE address = ${made.address}`,
  ])
  return made
}

async function answers({ ctx }: World, { number }: AccountRef) {
  const rows = await ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT * FROM messages WHERE account = ${number} AND direction = 1 ORDER BY uid`,
  )
  return Promise.all(
    rows.map(async (row) => ({
      sender: row.sender,
      to: JSON.parse(String(row.recipients)).map(({ address }: { address: string }) => address),
      mime: (await (await ctx.stores.raw.get(String(row.raw_key)))?.text()) ?? '',
    })),
  )
}

async function owed({ ctx }: World, { number }: AccountRef) {
  return ctx.stores.directory.all(sql`SELECT 1 FROM tasks WHERE account = ${number} AND kind = 'answer'`)
}

test('an answer goes to the reverse path under the null path, in the thread, and says that it is automatic', async () => {
  const { account, address, domain } = await away(world)
  await arrive(world, { to: address, author: 'ann.writes@x.test', fields: ['References: <root@x.test>'] })
  await sweepOwed(world.ctx)
  const [answer, ...others] = await answers(world, account)
  expect(others).toEqual([])
  expect(answer).toMatchObject({ sender: '', to: ['ann@x.test'] })
  const mime = answer?.mime ?? ''
  for (const line of [
    `From: Hello <${address}>`,
    'To: ann@x.test',
    'Subject: Auto: Plov?',
    'Auto-Submitted: auto-replied',
    `In-Reply-To: <${letters}@x.test>`,
    `References: <root@x.test> <${letters}@x.test>`,
  ])
    expect(mime).toContain(`\r\n${line}\r\n`)
  expect(mime).toContain('Back on Monday.')
  expect(mime).toContain(`d=${domain};`)
  expect(mime).not.toMatch(/^Precedence/im)
  expect(await owed(world, account)).toEqual([])
})

test('nobody is answered twice within the interval, and again after it', async () => {
  const own = await makeWorld()
  const { account, address } = await away(own)
  const times = async (letter: Partial<Letter>) => {
    await arrive(own, { to: address, ...letter })
    await sweepOwed(own.ctx)
    return (await answers(own, account)).length
  }
  expect(await times({})).toBe(1)
  expect(await times({ from: 'ANN@x.test' })).toBe(1)
  expect(await times({ from: 'b+1@x.test', author: 'ben@x.test' })).toBe(2)
  // A new reverse path with every mail is one sender all the same.
  expect(await times({ from: 'b+2@x.test', author: 'ben@x.test' })).toBe(2)
  own.pass(7 * DAY + 1)
  expect(await times({})).toBe(3)
})

test('another address of the account answers for itself', async () => {
  const { account, address, domain } = await away(world)
  await addAddress(world, account, `other@${domain}`)
  await runBatch(world.ctx.stores.directory, [
    sql`UPDATE addresses SET settings = (SELECT settings FROM addresses WHERE address = ${address}) WHERE address = ${`other@${domain}`}`,
  ])
  await arrive(world, { to: address })
  await arrive(world, { to: `other@${domain}` })
  await sweepOwed(world.ctx)
  expect(await answers(world, account)).toHaveLength(2)
})

const NEVER: Record<string, Partial<Letter>> = {
  'without a sender': { from: '', author: 'ann@x.test' },
  'of a daemon': { from: 'MAILER-DAEMON@x.test' },
  'of a list’s owner': { from: 'owner-list@x.test' },
  'of a list': { fields: ['List-Id: <list.x.test>'] },
  'that is automatic': { fields: ['Auto-Submitted: auto-generated'] },
  'that is an automatic answer': { fields: ['Auto-Submitted: auto-replied'] },
  'in bulk': { fields: ['Precedence: bulk'] },
  'that asks for no answer': { fields: ['X-Auto-Response-Suppress: All'] },
  'that does not name us': { named: 'undisclosed-recipients:;' },
}

test.each(Object.entries(NEVER))('mail %s is never answered', async (_name, letter) => {
  const { account, address } = await away(world)
  await arrive(world, { to: address, ...letter })
  await sweepOwed(world.ctx)
  expect(await answers(world, account)).toEqual([])
})

test('whoever forged the sender does not have us write to him', async () => {
  const judging = await makeWorld({ config: { INBOUND_AUTHSERV_IDS: ['mx.test'] } })
  const { account, address } = await away(judging)
  await arrive(judging, {
    to: address,
    fields: ['Authentication-Results: mx.test; spf=fail smtp.mailfrom=x.test; dmarc=fail header.from=x.test'],
  })
  await sweepOwed(judging.ctx)
  expect(await answers(judging, account)).toEqual([])
  expect(await owed(judging, account)).toEqual([])
})

test('two of ours who are both away write to each other once', async () => {
  const a = await away(world)
  const b = await away(world)
  await arrive(world, { to: a.address, from: b.address })
  await sweepOwed(world.ctx)
  const [answer] = await answers(world, a.account)
  const raw = new TextEncoder().encode(answer?.mime)
  await receive(world.ctx, {
    door: 'inbound',
    from: '',
    to: b.address,
    size: raw.length,
    raw: new Blob([raw]).stream(),
  })
  await sweepOwed(world.ctx)
  expect(await answers(world, b.account)).toEqual([])
})

const TROUBLES: Record<string, Partial<Faults>> = {
  'the put fails': { puts: ['fail'] },
  'the batch fails': { batches: ['fail'] },
  'the batch is acknowledged to nobody': { batches: ['lose-answer'] },
  'the batch fails for good, and the task cannot be put off': { batches: ['fail', 'fail', 'fail', 'fail'] },
}

test.each(Object.entries(TROUBLES))('there is one answer in the end where %s', async (_name, trouble) => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const { account, address } = await away(shaky)
  await arrive(shaky, { to: address })
  await arrive(shaky, { to: address })
  Object.assign(faults, { ...noFaults(), ...trouble })
  for (let minutes = 0; minutes < 12; minutes += 2) {
    await Promise.all([sweepOwed(shaky.ctx), sweepOwed(shaky.ctx)])
    shaky.pass(2 * 60_000)
  }
  expect(await answers(shaky, account)).toHaveLength(1)
  expect(await owed(shaky, account)).toEqual([])
})

test('of two mails of one sender that are answered at the same moment, one is', async () => {
  const own = await makeWorld()
  const ctx = await away(own)
  await arrive(own, { to: ctx.address })
  await arrive(own, { to: ctx.address })
  const now = own.ctx.now()
  const tasks = await claimTasks(ctx.stores.directory, ['answer'], { token: 'both', now, until: now + DAY, limit: 2 })
  expect(tasks).toHaveLength(2)
  await Promise.allSettled(tasks.map((task) => answerBySelf(ctx, task, asAnswer(task.state))))
  expect(await answers(own, ctx.account)).toHaveLength(1)
})

test('who was answered long ago is forgotten as others are answered', async () => {
  const own = await makeWorld()
  const { account, address } = await away(own)
  const row = (sender: string, at: number) =>
    sql`INSERT INTO auto_replies (account, address, sender, created_at) VALUES (${account.number}, ${address}, ${sender}, ${at})`
  const now = own.ctx.now()
  await runBatch(own.ctx.stores.directory, [row('old@x.test', now - 400 * DAY), row('new@x.test', now - 300 * DAY)])
  await arrive(own, { to: address })
  await sweepOwed(own.ctx)
  const left = await own.ctx.stores.directory.all(
    sql`SELECT sender FROM auto_replies WHERE account = ${account.number} ORDER BY sender`,
  )
  expect(left).toEqual([{ sender: 'ann@x.test' }, { sender: 'new@x.test' }])
})
