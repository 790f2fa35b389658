import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { receive } from '../../../src/reception/receive.ts'
import { askNextHops } from '../../../src/relay/next-hop.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { claimDeliveries } from '../../../src/store/mail/deliveries.ts'
import { claimTasks } from '../../../src/store/mail/tasks.ts'
import { asForward } from '../../../src/store/sending/owed.ts'
import type { AccountRef } from '../../../src/store/stores.ts'
import { sendOn } from '../../../src/submission/owed/forward.ts'
import { sweepOwed } from '../../../src/submission/owed/sweep.ts'
import { type Faults, noFaults } from '../../support/faults.ts'
import { addAddress, makeAccount, makeWorld, type World } from '../../support/world.ts'

const world = await makeWorld()

const letter = (id: string, ...more: string[]) =>
  [
    ...more,
    `Message-ID: <${id}@x.test>`,
    'From: Ann <ann@x.test>',
    'To: list@x.test',
    'Subject: Salom',
    '',
    'Hi\r\n',
  ].join('\r\n')

function arrive({ ctx }: World, to: string, text: string, from = 'ann@x.test') {
  const raw = new TextEncoder().encode(text)
  return receive(ctx, { door: 'inbound', from, to, size: raw.length, raw: new Blob([raw]).stream() })
}

/** An account whose address forwards there, and where those who agreed live. */
async function forwarding(of: World, to: string[], agreed = to) {
  const made = await makeAccount(of)
  await forwardTo(of, made.address, to)
  for (const email of agreed) await agree(of, made.account, email)
  return made
}

async function forwardTo({ ctx }: World, address: string, to: string[]) {
  await runBatch(ctx.stores.directory, [
    sql`UPDATE addresses SET forward_to = ${JSON.stringify(to)} WHERE address = ${address}`,
  ])
}

async function agree({ ctx }: World, { number }: AccountRef, email: string) {
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO forward_targets (account, email, id, verified_at, asked_at, created_at)
      VALUES (${number}, ${email}, ${crypto.randomUUID()}, 1, 1, 1)`,
  ])
}

type Sent = Record<string, unknown> & { mime: string; recipients: { address: string; state: string }[] }

async function sent({ ctx }: World, { number }: AccountRef): Promise<Sent[]> {
  const rows = await ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT * FROM messages WHERE account = ${number} AND direction = 1 ORDER BY uid`,
  )
  return Promise.all(
    rows.map(async (row) => ({
      ...row,
      mime: (await (await ctx.stores.raw.get(String(row.raw_key)))?.text()) ?? '',
      recipients: JSON.parse(String(row.recipients)),
    })),
  )
}

async function told({ ctx }: World, { number }: AccountRef, type: string) {
  const rows = await ctx.stores.directory.all<{ data: string }>(
    sql`SELECT data FROM events WHERE account = ${number} AND type = ${type} ORDER BY seq`,
  )
  return rows.map(({ data }) => JSON.parse(data))
}

async function owed({ ctx }: World, { number }: AccountRef) {
  return ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT kind, attempts, due FROM tasks WHERE account = ${number} AND kind = 'forward'`,
  )
}

test('mail goes on as it came, under our return path and signature, and the copy lies in Sent', async () => {
  const { account, address, domain } = await forwarding(world, ['me@home.test', 'us@work.test'])
  const original = letter('one', 'DKIM-Signature: v=1; d=x.test; b=abc')
  const { id } = await arrive(world, address, original)
  expect(world.woken).toContainEqual({ what: 'owed', account: account.id })
  await sweepOwed(world.ctx)
  const [copy, ...others] = await sent(world, account)
  expect(others).toEqual([])
  expect(copy?.mime.endsWith(original)).toBe(true)
  const [before = ''] = copy?.mime.split(original) ?? []
  expect(before).toMatch(
    /^X-Pochta-Forwarded: hello@[^\r]*\r\nReceived: from \S+ by \S+ \(forwarded\) id [^;]*;\r\n\t[^\r]*\r\nDKIM-Signature: /,
  )
  expect(before).toContain(`d=${domain};`)
  expect(copy?.recipients.map((to) => to.address)).toEqual(['me@home.test', 'us@work.test'])
  expect(copy).toMatchObject({ mailbox: 2, sender: address, address, subject: 'Salom', due: world.ctx.now() })
  expect(JSON.parse(String(copy?.keywords))).toEqual({ $seen: true, $forwarded: true })
  expect(await told(world, account, 'email.queued')).toMatchObject([{ email_id: copy?.id, forward_of: id }])
  expect(world.woken.at(-1)).toEqual({ what: 'relay', account: account.id, messages: [copy?.id] })
  expect(await owed(world, account)).toEqual([])
})

test('what comes back about a copy comes back to the forwarding address’ own domain', async () => {
  const { account, address, domain } = await forwarding(world, ['me@home.test'])
  await arrive(world, address, letter('path'))
  await sweepOwed(world.ctx)
  const [copy] = await sent(world, account)
  const now = world.ctx.now()
  const claim = { token: 'mine', now, until: now + 1000 }
  const [held] = await claimDeliveries(world.ctx.stores, [{ account, id: String(copy?.id) }], claim)
  if (!held) throw new Error('nothing was due')
  expect((await askNextHops(world.ctx)(held)).bounceDomain).toBe(`send.${domain}`)
})

test('a bounce goes on with the null path that it came with', async () => {
  const { account, address } = await forwarding(world, ['me@home.test'])
  await arrive(world, address, letter('null'), '')
  await sweepOwed(world.ctx)
  expect(await sent(world, account)).toMatchObject([{ sender: '' }])
})

test('nothing goes where nobody has agreed, and that is told; the account’s own addresses need not agree', async () => {
  const { account, address, domain } = await forwarding(world, ['stranger@y.test', 'me@home.test'], ['me@home.test'])
  await forwardTo(world, address, ['stranger@y.test', 'me@home.test', `other@${domain}`])
  const { id } = await arrive(world, address, letter('some'))
  await sweepOwed(world.ctx)
  const [copy] = await sent(world, account)
  expect(copy?.recipients.map((to) => to.address)).toEqual(['me@home.test', `other@${domain}`])
  const failed = { email_id: id, recipients: ['stranger@y.test'], reason: 'not_verified' }
  expect(await told(world, account, 'email.forward_failed')).toMatchObject([failed])
  await forwardTo(world, address, ['stranger@y.test'])
  await arrive(world, address, letter('none'))
  await sweepOwed(world.ctx)
  expect(await sent(world, account)).toHaveLength(1)
  expect(await told(world, account, 'email.forward_failed')).toHaveLength(2)
  expect(await owed(world, account)).toEqual([])
})

test('a target on the suppression list is left out and told', async () => {
  const { account, address } = await forwarding(world, ['dead@home.test', 'me@home.test'])
  await runBatch(world.ctx.stores.directory, [
    sql`INSERT INTO suppressions (account, email, id, origin, created_at)
      VALUES (${account.number}, 'dead@home.test', 'sup', 'bounce', 1)`,
  ])
  await arrive(world, address, letter('dead'))
  await sweepOwed(world.ctx)
  const [copy] = await sent(world, account)
  expect(copy?.recipients.map(({ state }) => state)).toEqual(['suppressed', 'queued'])
  expect(await told(world, account, 'email.suppressed')).toMatchObject([{ recipients: ['dead@home.test'] }])
})

test('two addresses that forward to each other pass a mail on once each, and then it stops', async () => {
  const a = await forwarding(world, [])
  const b = await forwarding(world, [a.address])
  await forwardTo(world, a.address, [b.address])
  await agree(world, a.account, b.address)
  let there = b
  let here = a
  await arrive(world, a.address, letter('loop'))
  const passed = new Set<unknown>()
  for (let hops = 0; hops < 6; hops++) {
    await sweepOwed(world.ctx)
    const copy = (await sent(world, here.account)).find(({ id }) => !passed.has(id))
    if (!copy) break
    passed.add(copy.id)
    // Some hop adds a line, so that it is not known for the mail that it was.
    await arrive(world, there.address, `${copy.mime}-- \r\n${hops}\r\n`)
    ;[here, there] = [there, here]
  }
  expect(await sent(world, a.account)).toHaveLength(1)
  expect(await sent(world, b.account)).toHaveLength(1)
  const [back] = await world.ctx.stores.directory.all<{ problems: string }>(
    sql`SELECT problems FROM messages WHERE account = ${a.account.number} AND direction = 0 ORDER BY uid DESC`,
  )
  expect(back?.problems).toContain('forward_loop')
})

test('what the wildcard of sub-domains has sent on, in the name of the domain, it sends on no more', async () => {
  const { account, domain } = await forwarding(world, ['me@home.test'])
  await addAddress(world, account, `*@*.${domain}`)
  await forwardTo(world, `*@*.${domain}`, ['me@home.test'])
  await arrive(world, `Ann@sub.${domain}`, letter('out'))
  await sweepOwed(world.ctx)
  const [copy, ...none] = await sent(world, account)
  expect(none).toEqual([])
  const [mark = ''] = /^X-Pochta-Forwarded: [^\r]*/.exec(copy?.mime ?? '') ?? []
  expect(mark).toBe(`X-Pochta-Forwarded: ann@${domain}`)
  await arrive(world, `Ann@sub.${domain}`, letter('back', mark))
  await sweepOwed(world.ctx)
  expect(await sent(world, account)).toHaveLength(1)
})

test('what kills its sender counts no attempt of what is owed behind it', async () => {
  const { account, address } = await forwarding(world, ['me@home.test'])
  for (const id of ['first', 'second']) await arrive(world, address, letter(id))
  let reached = () => {}
  const dying = new Promise<void>((resolve) => {
    reached = resolve
  })
  const raw = new Proxy(world.ctx.stores.raw, {
    get(target, name) {
      if (name === 'get') return () => new Promise(reached)
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  void sweepOwed({ ...world.ctx, stores: { ...world.ctx.stores, raw } })
  await dying
  expect((await owed(world, account)).map(({ attempts }) => attempts).sort()).toEqual([0, 1])
  world.pass(600_000)
  await sweepOwed(world.ctx)
  expect(await sent(world, account)).toHaveLength(2)
})

test('mail that nobody can sign goes on without our signature', async () => {
  const { account, address } = await forwarding(world, ['me@home.test'])
  await arrive(world, address, letter('odd', 'this line is no field'))
  await sweepOwed(world.ctx)
  const [copy] = await sent(world, account)
  expect(copy?.mime).not.toContain('DKIM-Signature')
  expect(copy?.mime).toContain('this line is no field')
})

test('a copy counts towards the sends of the day, and waits for the next where they are used up', async () => {
  const { account, address } = await forwarding(world, ['me@home.test'])
  await runBatch(world.ctx.stores.directory, [
    sql`UPDATE counters SET sends_per_day = 1 WHERE account = ${account.number}`,
  ])
  await arrive(world, address, letter('first'))
  await arrive(world, address, letter('second'))
  await sweepOwed(world.ctx)
  expect(await sent(world, account)).toHaveLength(1)
  const midnight = Math.ceil(world.ctx.now() / 86_400_000) * 86_400_000
  expect(await owed(world, account)).toMatchObject([{ due: midnight }])
  expect((await world.ctx.stores.raw.list({ prefix: `raw/${account.number}/` })).objects).toHaveLength(3)
})

const TROUBLES: Record<string, Partial<Faults>> = {
  'the put fails': { puts: ['fail'] },
  'the put is acknowledged to nobody': { puts: ['lose-answer'] },
  'the batch fails': { batches: ['fail'] },
  'the batch is acknowledged to nobody': { batches: ['lose-answer'] },
  'the batch fails for good, and the task cannot be put off': { batches: ['fail', 'fail', 'fail', 'fail'] },
}

test.each(Object.entries(TROUBLES))('there is one copy in the end where %s', async (_name, trouble) => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const { account, address } = await forwarding(shaky, ['me@home.test'])
  await arrive(shaky, address, letter(`shaky-${_name.length}`))
  Object.assign(faults, { ...noFaults(), ...trouble })
  for (let minutes = 0; minutes < 12; minutes += 2) {
    await sweepOwed(shaky.ctx)
    await Promise.all([sweepOwed(shaky.ctx), sweepOwed(shaky.ctx)])
    shaky.pass(2 * 60_000)
  }
  await shaky.idle()
  expect(await sent(shaky, account)).toHaveLength(1)
  expect(await owed(shaky, account)).toEqual([])
})

test('whose claim has lapsed sends nothing where another has done it meanwhile', async () => {
  const slow = await makeWorld()
  const ctx = await forwarding(slow, ['me@home.test'])
  await arrive(slow, ctx.address, letter('slow'))
  const now = slow.ctx.now()
  const [task] = await claimTasks(ctx.stores.directory, ['forward'], { token: 'slow', now, until: now + 1, limit: 1 })
  if (!task) throw new Error('nothing is owed')
  slow.pass(60_000)
  await sweepOwed(slow.ctx)
  await expect(sendOn(ctx, task, asForward(task.state))).rejects.toThrow()
  expect(await sent(slow, ctx.account)).toHaveLength(1)
  await slow.idle()
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(2)
})

test('what cannot be sent for days is let go, and told', async () => {
  const late = await makeWorld()
  const { account, address, domain } = await forwarding(late, ['me@home.test'])
  await arrive(late, address, letter('late'))
  await runBatch(late.ctx.stores.directory, [sql`UPDATE domains SET verified_at = NULL WHERE name = ${domain}`])
  for (let tries = 0; tries < 25; tries++) {
    await sweepOwed(late.ctx)
    late.pass(6 * 3_600_000)
  }
  expect(await sent(late, account)).toEqual([])
  expect(await told(late, account, 'email.forward_failed')).toMatchObject([{ reason: 'given_up' }])
  expect(await owed(late, account)).toEqual([])
})

test('a copy of a large mail is the same mail, and costs seven round trips, nine rows, one object read and one written', async () => {
  const own = await makeWorld()
  const { account, address } = await forwarding(own, ['me@home.test'])
  const large = `${letter('large')}${'x'.repeat(76)}\r\n`.concat(`${'y'.repeat(998)}\r\n`.repeat(20_000))
  await arrive(own, address, large)
  const before = { ...own.tally }
  await sweepOwed(own.ctx)
  const { trips, written, gets, puts } = own.tally
  expect({ trips: trips - before.trips, written: written - before.written }).toEqual({ trips: 7, written: 9 })
  expect({ gets: gets - before.gets, puts: puts - before.puts }).toEqual({ gets: 1, puts: 1 })
  const [copy] = await sent(own, account)
  expect(copy?.mime.length).toBeGreaterThan(20_000_000)
  expect(copy?.mime.endsWith(large)).toBe(true)
})
