/** Rules asked of mail as it comes: where it goes, what it leaves to others, what it costs, and that it is never lost. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { NewRuleBody } from '../../../src/contract/rules/shapes.ts'
import { createAddress, patchAddress } from '../../../src/directory/addresses.ts'
import { createRule } from '../../../src/directory/receiving/rules.ts'
import { createMailbox, deleteMailbox } from '../../../src/mailbox/mailboxes.ts'
import { receive } from '../../../src/reception/receive.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../../support/world.ts'

const world = await makeWorld()

type Owner = Awaited<ReturnType<typeof makeAccount>>

let sent = 0

function arrive(owner: Owner, more: string[] = [], { ctx }: Pick<World, 'ctx'> = world, from = 'ann@x.test') {
  const head = [
    `Message-ID: <${++sent}@x.test>`,
    'From: Ann <ann@x.test>',
    `To: ${owner.address}`,
    'Subject: Salom',
    ...more,
  ]
  const raw = new TextEncoder().encode(`${head.join('\r\n')}\r\n\r\nSalom!\r\n`)
  return receive(ctx, { door: 'inbound', from, to: owner.address, size: raw.length, raw: new Blob([raw]).stream() })
}

const add = (owner: Caller, actions: unknown[], more: Record<string, unknown> = {}) =>
  createRule(owner, NewRuleBody.parse({ name: 'R', actions, ...more }))

const table = (name: string, owner: Owner) =>
  world.ctx.stores.directory.all<Record<string, unknown>>(
    sql`SELECT * FROM ${sql.raw(name)} WHERE account = ${owner.account.number}`,
  )

async function told(owner: Owner) {
  const events = await table('events', owner)
  return events.map(({ type, data }) => ({ type, ...JSON.parse(String(data)) }))
}

/** What filing mail left to others; an address that forwards to who has not agreed owes a question, too. */
async function tasks(owner: Owner) {
  const filed = (await table('tasks', owner)).filter(({ kind }) => kind !== 'forward-ask')
  return filed.map(({ kind, ref, state }) => ({ kind, ref, state: JSON.parse(String(state)) }))
}

test('a rule files mail and marks it, and the event tells where it went and by which rule', async () => {
  const owner = await makeAccount(world)
  const box = await createMailbox(owner, { name: 'Invoices' })
  const { id } = await add(owner, [{ move: box.id }, { keyword: 'Paid' }, { mark_read: true }])
  const received = await arrive(owner)
  const [row] = await table('messages', owner)
  expect(row).toMatchObject({ id: received.id, mailbox: 7, keywords: '{"paid":true,"$seen":true}' })
  const [counters] = await table('counters', owner)
  expect(JSON.parse(String(counters?.boxes))['7']).toEqual([1, 0])
  expect((await told(owner)).at(-1)).toMatchObject({
    type: 'email.received',
    mailbox: box.id,
    keywords: { paid: true, $seen: true },
    rules: [{ id, name: 'R' }],
  })
})

test('mail costs no more trips and no more rows with rules than without', async () => {
  const owner = await makeAccount(world)
  for (let at = 0; at < 30; at++) await add(owner, [{ keyword: `k${at}` }, { move: 'archive' }])
  Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
  await arrive(owner)
  expect(world.tally).toMatchObject({ trips: 2, written: 6, puts: 1 })
})

test('a refusal is for good and leaves nothing; what is dropped lies in Trash', async () => {
  const owner = await makeAccount(world)
  await add(owner, [{ reject: 'No adverts, please' }], {
    conditions: [{ field: 'header:x-ad', op: 'exists' }],
  })
  await add(owner, [{ drop: true }])
  await expect(arrive(owner, ['X-Ad: 1'])).rejects.toMatchObject({
    code: 'message_refused',
    message: 'No adverts, please',
  })
  await world.idle()
  expect(await table('messages', owner)).toEqual([])
  expect((await world.ctx.stores.raw.list({ prefix: `raw/${owner.account.number}/` })).objects).toEqual([])
  await arrive(owner)
  expect(await table('messages', owner)).toMatchObject([{ mailbox: 6, keywords: '{"$dropped":true,"$seen":true}' }])
})

test('mail whose mailbox was deleted since is in the inbox, and says so', async () => {
  const owner = await makeAccount(world)
  const box = await createMailbox(owner, { name: 'Gone' })
  await add(owner, [{ move: box.id }, { keyword: 'kept' }])
  await deleteMailbox(owner, box.id)
  await arrive(owner)
  expect(await table('messages', owner)).toMatchObject([
    { mailbox: 1, keywords: '{"kept":true}', problems: '["rule_mailbox_gone"]' },
  ])
  expect((await told(owner)).at(-1)).toMatchObject({ type: 'email.received', mailbox: 'inbox' })
})

test('rules that cannot be asked lose no mail: it is filed without them, and says so', async () => {
  const owner = await makeAccount(world)
  await add(owner, [{ drop: true }])
  await world.ctx.stores.directory.run(
    sql`UPDATE rules SET rule = '{"match":"all"}' WHERE account = ${owner.account.number}`,
  )
  await arrive(owner)
  expect(await table('messages', owner)).toMatchObject([{ mailbox: 1, problems: '["rules_failed"]' }])
})

test('a rule that asks for it is told of by an event of its own', async () => {
  const owner = await makeAccount(world)
  const { id } = await add(owner, [{ webhook: true }])
  const received = await arrive(owner)
  const [first, second, ...more] = (await told(owner)).filter(({ type }) => type.startsWith('email.'))
  expect(more).toEqual([])
  expect(first).toMatchObject({ type: 'email.received', email_id: received.id })
  expect(second).toMatchObject({ type: 'email.matched', email_id: received.id, rule: { id, name: 'R' } })
})

test('forwarding by address and by rules is one task, stored with the mail, and wakes who does it', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { forward_to: ['one@y.test', owner.address] })
  await add(owner, [{ forward: ['two@y.test', 'ONE@y.test'] }])
  world.woken.length = 0
  const { id } = await arrive(owner)
  expect(await tasks(owner)).toEqual([
    { kind: 'forward', ref: id, state: { to: ['ONE@y.test', 'two@y.test'], by: 'address' } },
  ])
  expect(world.woken).toContainEqual({ what: 'owed', account: owner.account.id })
})

test('the same mail offered again owes nothing again', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { forward_to: ['one@y.test'] })
  const { id } = await arrive(owner)
  sent--
  expect(await arrive(owner, ['Received: from elsewhere by here'])).toEqual({ id, duplicate: true })
  expect(await tasks(owner)).toHaveLength(1)
})

test('mail that went round is stored and sent no further', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { forward_to: ['one@y.test'] })
  await arrive(owner, [`X-Pochta-Forwarded: ${owner.address.toUpperCase()}`])
  await arrive(
    owner,
    Array.from({ length: 26 }, (_, at) => `Received: from h${at} by h${at + 1}`),
  )
  expect(await tasks(owner)).toEqual([])
  expect(await table('messages', owner)).toMatchObject([
    { problems: '["forward_loop"]' },
    { problems: '["forward_loop"]' },
  ])
  await arrive(owner, ['X-Pochta-Forwarded: somebody@else.test', 'Received: from a by b'])
  expect(await tasks(owner)).toHaveLength(1)
})

test('an answer is owed to people while it is on, and to nobody else', async () => {
  const owner = await makeAccount(world)
  const now = world.ctx.now()
  const on = { text: 'I am away', interval_days: 3, starts_at: new Date(now).toISOString() }
  await patchAddress(owner, owner.address, { auto_reply: { ...on, ends_at: new Date(now + 1).toISOString() } })
  const { id } = await arrive(owner)
  const state = { address: owner.address, text: 'I am away', interval_days: 3, by: 'address' }
  expect(await tasks(owner)).toEqual([{ kind: 'answer', ref: id, state }])
  await arrive(owner, [], world, '')
  for (const field of [
    'Auto-Submitted: auto-generated',
    'List-Id: <l.x.test>',
    'List-Unsubscribe: <https://x.test/>',
    'Precedence: bulk',
    'Precedence: junk',
    'X-Auto-Response-Suppress: All',
    'X-Autoreply: yes',
    'X-Pochta-Forwarded: a@x.test',
  ]) {
    await arrive(owner, [field])
  }
  for (const from of [
    'mailer-daemon@x.test',
    'noreply@x.test',
    'no-reply+7@x.test',
    'owner-list@x.test',
    'list-request@x.test',
  ]) {
    await arrive(owner, [], world, from)
  }
  await arrive(owner, [], world, owner.address)
  expect(await tasks(owner)).toHaveLength(1)
  world.pass(1)
  await arrive(owner)
  expect(await tasks(owner)).toHaveLength(1)
  world.pass(-1)
})

test('a blind copy is not answered by an address, though a rule may say so; Auto-Submitted: no is a person', async () => {
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { auto_reply: { text: 'Away', interval_days: 7 } })
  const blind = { ...owner, address: owner.address.replace('@', '+x@') }
  const raw = new TextEncoder().encode(
    `Message-ID: <blind@x.test>\r\nFrom: ann@x.test\r\nTo: list@x.test\r\n\r\nhi\r\n`,
  )
  const mail = { door: 'inbound' as const, from: 'ann@x.test', to: blind.address, size: raw.length }
  await receive(world.ctx, { ...mail, raw: new Blob([raw]).stream() })
  expect(await tasks(owner)).toEqual([])
  await add(owner, [{ reply: { subject: 'Got it', text: 'Thanks' } }])
  const { id } = await arrive(owner, ['Auto-Submitted: no'])
  expect(await tasks(owner)).toEqual([
    {
      kind: 'answer',
      ref: id,
      state: { address: owner.address, subject: 'Got it', text: 'Thanks', interval_days: 7, by: 'rule' },
    },
  ])
})

test('a lost acknowledgement or a failed write leaves each task once or not at all', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  await patchAddress(owner, owner.address, { forward_to: ['one@y.test'] })
  faults.batches = ['fail', 'fail', 'fail']
  await expect(arrive(owner, ['X-N: 1'], shaky)).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await tasks(owner)).toEqual([])
  faults.batches = ['fail', 'lose-answer']
  await arrive(owner, ['X-N: 2'], shaky)
  expect(await table('messages', owner)).toHaveLength(1)
  expect(await tasks(owner)).toHaveLength(1)
})

test('an alias of its own account forwards and answers for it', async () => {
  const owner = await makeAccount(world)
  const alias = `team@${owner.domain}`
  const auto_reply = { text: 'We are on it', interval_days: 1 }
  await createAddress(owner, { address: alias, deliver_to: [owner.address], forward_to: ['one@y.test'], auto_reply })
  await arrive({ ...owner, address: alias })
  const owed = await tasks(owner)
  expect(owed.map(({ kind, state }) => [kind, state.to ?? state.address])).toEqual([
    ['answer', alias],
    ['forward', ['one@y.test']],
  ])
})
