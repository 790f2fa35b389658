import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { NewRuleBody } from '../../../src/contract/rules/shapes.ts'
import { createRule } from '../../../src/directory/receiving/rules.ts'
import { deleteMessage } from '../../../src/mailbox/change.ts'
import { getMessage } from '../../../src/mailbox/read.ts'
import { redeliver } from '../../../src/reception/again/deliver.ts'
import { getRedelivery, redeliverMany } from '../../../src/reception/again/run.ts'
import { receive } from '../../../src/reception/receive.ts'
import { sweepRuleRuns } from '../../../src/reception/rules/sweep.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

const faults = noFaults()
const world = await makeWorld({ faults })
const { ctx } = world
const db = ctx.stores.directory

async function arrive(to: string, id: string): Promise<string> {
  const text = `Message-ID: <${id}@x.test>\r\nFrom: Ann <ann@x.test>\r\nTo: ${to}\r\nSubject: =?utf-8?q?Salom_${id}?=\r\n\r\nSalom!\r\n`
  const raw = new TextEncoder().encode(text)
  const { id: message } = await receive(ctx, {
    door: 'inbound',
    from: 'ann@x.test',
    to,
    size: raw.length,
    raw: new Blob([raw]).stream(),
  })
  return message
}

/** As if a parser of long ago had read it. */
async function misread(id: string): Promise<void> {
  await db.run(sql`UPDATE messages SET subject = '=?utf-8?q?Salom?=', preview = '', dated = 7, has_attachment = 1, parts = NULL,
    marks = '{"auto":"bulk"}', problems = '["unparsed","rules_failed"]', parties = '{"from":[],"to":[],"cc":[],"bcc":[],"reply_to":[]}'
    WHERE id = ${id}`)
}

const rowOf = async (id: string) =>
  (await db.all<Record<string, unknown>>(sql`SELECT * FROM messages WHERE id = ${id}`))[0]

async function eventsOf({ account }: Caller, id: string) {
  const rows = await db.all<{ seq: number; type: string; data: string }>(
    sql`SELECT seq, type, data FROM events WHERE account = ${account.number} AND message = ${id} ORDER BY seq`,
  )
  return rows.map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) }))
}

test('a message that was misread is read anew out of its bytes, and told of as it is now; what names it stays', async () => {
  const owner = await makeAccount(world)
  const id = await arrive(owner.address, 'one')
  const before = await rowOf(id)
  await misread(id)
  expect(await redeliver(owner, id, { tell: true, rules: false })).toEqual({
    object: 'message',
    id,
    changed: true,
    matched: false,
  })
  const after = await rowOf(id)
  // What went wrong when it was filed is no matter of its form.
  expect(after).toEqual({ ...before, problems: '["rules_failed"]', modseq: 3 })
  const events = await eventsOf(owner, id)
  expect(events.map(({ seq, type }) => [seq, type])).toEqual([
    [1, 'email.received'],
    [2, 'message.updated'],
    [3, 'email.received'],
  ])
  expect(events[2]?.data).toEqual(events[0]?.data)
  expect(await getMessage(owner, id, { body: [], html_format: 'cid', images: 'blocked' })).toMatchObject({
    subject: 'Salom one',
  })
})

test('where nothing differs nothing is written, but what is asked to be told', async () => {
  const owner = await makeAccount(world)
  const id = await arrive(owner.address, 'same')
  const before = await rowOf(id)
  expect(await redeliver(owner, id, { tell: false, rules: false })).toMatchObject({ changed: false })
  expect(await eventsOf(owner, id)).toHaveLength(1)
  const steps = sql`SELECT seq FROM counters WHERE account = ${owner.account.number}`
  expect(await db.all(steps)).toEqual([{ seq: 1 }])
  expect(await redeliver(owner, id, { tell: true, rules: false })).toMatchObject({ changed: false })
  expect((await eventsOf(owner, id)).map(({ type }) => type)).toEqual(['email.received', 'email.received'])
  expect(await rowOf(id)).toEqual(before)
})

test('rules are asked where that is wanted, of what is read now; they move and mark, and write to nobody', async () => {
  const owner = await makeAccount(world)
  const id = await arrive(owner.address, 'ruled')
  const rule = {
    name: 'r',
    conditions: [{ field: 'subject', op: 'is', value: 'Salom ruled' }],
    actions: [{ move: 'archive' }, { keyword: 'seen-anew' }, { reply: { text: 'no' } }],
  }
  await createRule(owner, NewRuleBody.parse(rule))
  await misread(id)
  expect(await redeliver(owner, id, { tell: true, rules: false })).toMatchObject({ matched: false })
  await misread(id)
  expect(await redeliver(owner, id, { tell: true, rules: true })).toMatchObject({ changed: true, matched: true })
  const told = (await eventsOf(owner, id)).at(-1)
  expect(told).toMatchObject({ type: 'email.received', data: { mailbox: 'archive', keywords: { 'seen-anew': true } } })
  expect(await db.all(sql`SELECT 1 FROM tasks WHERE account = ${owner.account.number}`)).toEqual([])
  const counted = await db.all<{ boxes: string }>(
    sql`SELECT boxes FROM counters WHERE account = ${owner.account.number}`,
  )
  expect(JSON.parse(counted[0]?.boxes ?? '')).toMatchObject({ 1: [0, 0], 4: [1, 1] })
})

test('what somebody else changes meanwhile is kept', async () => {
  const owner = await makeAccount(world)
  const id = await arrive(owner.address, 'race')
  await misread(id)
  await db.run(sql`UPDATE messages SET keywords = '{"mine":true}', modseq = modseq WHERE id = ${id}`)
  await Promise.all([1, 2, 3].map(() => redeliver(owner, id, { tell: false, rules: false })))
  expect(await rowOf(id)).toMatchObject({ subject: 'Salom race', keywords: '{"mine":true}' })
  expect((await eventsOf(owner, id)).filter(({ type }) => type === 'message.updated')).toHaveLength(1)
})

test('another account’s message, one whose bytes are gone and one that was sent are not found', async () => {
  const owner = await makeAccount(world)
  const stranger = await makeAccount(world)
  const id = await arrive(owner.address, 'mine')
  const how = { tell: true, rules: false }
  await expect(redeliver(stranger, id, how)).rejects.toMatchObject({ code: 'not_found' })
  await db.run(sql`UPDATE messages SET raw_key = 'raw/gone' WHERE id = ${id}`)
  await expect(redeliver(owner, id, how)).rejects.toMatchObject({ code: 'not_found' })
  await db.run(sql`UPDATE messages SET direction = 1 WHERE id = ${id}`)
  await expect(redeliver(owner, id, how)).rejects.toMatchObject({ code: 'not_found' })
})

test('a range is delivered anew in steps, shows how far it is, and leaves what lies outside alone', async () => {
  const owner = await makeAccount(world)
  const outside = await arrive(owner.address, 'outside')
  world.pass(60_000)
  const after = new Date(ctx.now()).toISOString()
  const ids: string[] = []
  for (let at = 0; at < 60; at++) {
    world.pass(1)
    ids.push(await arrive(owner.address, `range${at}`))
  }
  world.pass(60_000)
  for (const id of [outside, ...ids.slice(0, 3)]) await misread(id)
  await db.run(sql`UPDATE messages SET raw_key = 'raw/gone' WHERE id = ${ids.at(-1)}`)
  const made = await redeliverMany(owner, { tell: true, rules: false, after })
  expect(made).toMatchObject({ status: 'running', checked: 0 })
  await expect(getRedelivery(await makeAccount(world), made.id)).rejects.toMatchObject({ code: 'not_found' })
  await sweepRuleRuns(ctx)
  expect(await getRedelivery(owner, made.id)).toMatchObject({ status: 'done', checked: 60, changed: 3, unread: 1 })
  expect((await eventsOf(owner, outside)).map(({ type }) => type)).toEqual(['email.received'])
  expect(await rowOf(outside)).toMatchObject({ dated: 7 })
  for (const id of ids.slice(3, -1)) expect(await eventsOf(owner, id)).toHaveLength(2)
  expect((await eventsOf(owner, ids[0] ?? '')).map(({ type }) => type)).toEqual([
    'email.received',
    'message.updated',
    'email.received',
  ])
})

test('a range goes on where it stood after storage failed it', async () => {
  const owner = await makeAccount(world)
  const ids = [await arrive(owner.address, 'a'), await arrive(owner.address, 'b')]
  for (const id of ids) await misread(id)
  world.pass(1000)
  const { id } = await redeliverMany(owner, { tell: false, rules: false })
  faults.batches = ['pass', 'fail', 'fail', 'fail']
  await sweepRuleRuns(ctx)
  faults.batches = []
  expect((await getRedelivery(owner, id)).status).toBe('running')
  world.pass(5 * 60_000)
  await sweepRuleRuns(ctx)
  expect(await getRedelivery(owner, id)).toMatchObject({ status: 'done', checked: 2, unread: 0 })
  for (const one of ids) expect(await rowOf(one)).toMatchObject({ dated: null })
  await deleteMessage(owner, ids[0] ?? '', true)
})
