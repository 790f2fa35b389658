/** Rules by the API: made, ordered, changed, tried, run over what is stored. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { RunRulesBody } from '../../src/contract/rules/routes.ts'
import { runRules } from '../../src/reception/rules/run.ts'
import { sweepRuleRuns } from '../../src/reception/rules/sweep.ts'
import { claimTasks } from '../../src/store/mail/tasks.ts'
import { RULE_RUN, readRun, stepRun } from '../../src/store/receiving/runs.ts'
import { call, operator } from '../support/api.ts'
import { noFaults } from '../support/faults.ts'
import { makeWorld } from '../support/world.ts'

type Json = Record<string, unknown> & { id: string }

async function ask<T = Json>(method: string, path: string, key: string, body?: unknown, status = 200): Promise<T> {
  const answer = await call(method, path, { key, ...(body === undefined ? {} : { body }) })
  const text = await answer.text()
  expect(answer.status, text).toBe(status)
  return JSON.parse(text)
}

async function newAccount(domain: string) {
  const made = await ask<Json & { api_key: { token: string } }>(
    'POST',
    '/accounts',
    operator,
    { name: 'A', database: 'DB' },
    201,
  )
  const key = made.api_key.token
  await ask('POST', '/domains', key, { name: domain }, 201)
  await ask('POST', '/addresses', key, { address: `me@${domain}` }, 201)
  const [number] = await (await makeWorld()).ctx.stores.directory.all<{ number: number }>(
    sql`SELECT number FROM accounts WHERE id = ${made.id}`,
  )
  const arrive = async (subject: string, text = 'Salom!') => {
    const body = `From: Ann <ann@x.test>\r\nTo: me@${domain}\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@x.test>\r\n\r\n${text}\r\n`
    const headers = { 'content-type': 'message/rfc822', 'content-length': String(body.length) }
    const answer = await call('POST', `/inbound?from=ann@x.test&to=me@${domain}`, { key: operator, body, headers })
    const read: Json = await answer.json()
    return read.id
  }
  return { key, account: number?.number ?? 0, arrive, address: `me@${domain}` }
}

const invoices = {
  name: 'Invoices',
  conditions: [{ field: 'subject', op: 'contains', value: 'invoice' }],
  actions: [{ move: 'archive' }, { keyword: 'Invoice' }],
}

type List = { data: (Json & { name: string; position: number })[] }

test('a rule is made, shown, changed and deleted', async () => {
  const { key } = await newAccount('crud.test')
  const made = await ask('POST', '/rules', key, invoices, 201)
  expect(made).toMatchObject({
    object: 'rule',
    name: 'Invoices',
    enabled: true,
    position: 1,
    match: 'all',
    conditions: [{ field: 'subject', op: 'contains', value: 'invoice' }],
    actions: [{ move: 'archive' }, { keyword: 'invoice' }],
    stop: false,
  })
  expect(await ask('GET', `/rules/${made.id}`, key)).toEqual(made)
  const changed = await ask('PATCH', `/rules/${made.id}`, key, { enabled: false, stop: true })
  expect(changed).toEqual({ ...made, enabled: false, stop: true })
  expect(await ask('PATCH', `/rules/${made.id}`, key, {})).toEqual(changed)
  await ask('DELETE', `/rules/${made.id}`, key)
  await ask('GET', `/rules/${made.id}`, key, undefined, 404)
  await ask('DELETE', `/rules/${made.id}`, key, undefined, 404)
})

test('rules are listed in the order in which they are asked, which can be changed', async () => {
  const { key } = await newAccount('order.test')
  const make = async (name: string, position?: number) =>
    (await ask('POST', '/rules', key, { ...invoices, name, position }, 201)).id
  const a = await make('a')
  const b = await make('b')
  await make('c')
  await make('first', 1)
  const names = async () => (await ask<List>('GET', '/rules', key)).data.map(({ name }) => name)
  expect(await names()).toEqual(['first', 'a', 'b', 'c'])
  await ask('PATCH', `/rules/${b}`, key, { position: 1 })
  expect(await names()).toEqual(['b', 'first', 'a', 'c'])
  await ask('PATCH', `/rules/${a}`, key, { position: 1000 })
  expect(await names()).toEqual(['b', 'first', 'c', 'a'])
})

test('faults are named each by its place, and nothing is made', async () => {
  const { key } = await newAccount('faults.test')
  const fields = async (body: unknown) =>
    (await ask<{ fields: { path: string }[] }>('POST', '/rules', key, body, 422)).fields.map(({ path }) => path)
  const bad = {
    name: 'x',
    conditions: [
      { field: 'colour', op: 'is', value: 'red' },
      { field: 'size', op: 'is', value: 1 },
    ],
    actions: [{ move: 'junk', drop: true }],
  }
  expect(await fields(bad)).toEqual(['conditions[0].field', 'conditions[1].op', 'actions[0]'])
  const clash = {
    name: 'x',
    actions: [{ move: 'junk' }, { drop: true }, { reply: { text: 'a' } }, { reply: { text: 'b' } }],
  }
  expect(await fields(clash)).toEqual(['actions[1]', 'actions[3]'])
  expect(await fields({ name: 'x', actions: [{ reject: 'no' }, { keyword: 'k' }] })).toEqual(['actions[0]'])
  expect(await fields({ name: 'x', actions: [{ move: 'nowhere' }, { forward: ['a@b.test', 'c'] }] })).toEqual([
    'actions[0].move',
    'actions[1].forward[1]',
  ])
  expect((await ask<List>('GET', '/rules', key)).data).toEqual([])
})

test('all rules of an account together have 64 KiB at most', async () => {
  const { key } = await newAccount('many.test')
  const long = { ...invoices, conditions: [{ field: 'subject', op: 'in', value: Array(60).fill('x'.repeat(500)) }] }
  const first = await ask('POST', '/rules', key, { ...invoices }, 201)
  await ask('POST', '/rules', key, long, 201)
  await ask('POST', '/rules', key, long, 201)
  expect(await ask('POST', '/rules', key, long, 422)).toMatchObject({ message: expect.stringMatching(/characters/) })
  expect(await ask('PATCH', `/rules/${first.id}`, key, { conditions: long.conditions }, 422)).toMatchObject({
    message: expect.stringMatching(/characters/),
  })
})

test('an account has a hundred rules at most, however many it asks for at once', async () => {
  const { key } = await newAccount('hundred.test')
  const tries = Array.from({ length: 110 }, () => call('POST', '/rules', { key, body: invoices }))
  const made = (await Promise.all(tries)).filter(({ status }) => status === 201)
  expect(made).toHaveLength(100)
})

test('a repeated request makes one rule, and two who change one at once both see their change', async () => {
  const { key } = await newAccount('once.test')
  const headers = { 'idempotency-key': 'k' }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => call('POST', '/rules', { key, body: invoices, headers })),
  )
  const ids = new Set(await Promise.all(answers.map(async (answer) => ((await answer.json()) as Json).id)))
  expect(ids.size).toBe(1)
  const [id] = ids
  await Promise.all([
    ask('PATCH', `/rules/${id}`, key, { stop: true }),
    ask('PATCH', `/rules/${id}`, key, { match: 'any' }),
    ask('PATCH', `/rules/${id}`, key, { name: 'New' }),
  ])
  expect(await ask('GET', `/rules/${id}`, key)).toMatchObject({ stop: true, match: 'any', name: 'New' })
})

test('a rule is tried on a stored message before it is saved or switched on, and nothing changes', async () => {
  const { key, arrive } = await newAccount('try.test')
  const message_id = await arrive('Invoice-1', 'Pay now')
  const before = await ask('GET', `/messages/${message_id}`, key)
  const off = await ask('POST', '/rules', key, { ...invoices, enabled: false }, 201)
  const rule = {
    match: 'any',
    conditions: [
      { field: 'text', op: 'contains', value: 'PAY' },
      { field: 'from', op: 'is', value: 'bob@x.test' },
    ],
    actions: [{ forward: ['f@y.test'] }, { reply: { text: 'ok' } }, { drop: true }],
  }
  expect(await ask('POST', '/rules/test', key, { message_id, rule })).toEqual({
    object: 'rule_test',
    message_id,
    rules: [
      {
        id: null,
        name: '',
        asked: true,
        matched: true,
        conditions: [
          { ...rule.conditions[0], held: true },
          { ...rule.conditions[1], held: false },
        ],
      },
    ],
    outcome: {
      mailbox: 'trash',
      keywords: ['$dropped', '$seen'],
      forward: ['f@y.test'],
      webhook: false,
      reply: true,
      reject: null,
      drop: true,
    },
  })
  expect(await ask('POST', '/rules/test', key, { message_id })).toMatchObject({
    rules: [],
    outcome: { mailbox: 'inbox' },
  })
  expect(await ask('POST', '/rules/test', key, { message_id, rules: [off.id] })).toMatchObject({
    rules: [{ id: off.id, matched: true }],
    outcome: { mailbox: 'archive', keywords: ['invoice'] },
  })
  expect(await ask('GET', `/messages/${message_id}`, key)).toEqual({ ...before, raw: expect.anything() })
  await ask('POST', '/rules/test', key, { message_id, rule, rules: [off.id] }, 422)
})

test('neither a stranger’s message nor a stranger’s rule can be tried or run', async () => {
  const owner = await newAccount('mine.test')
  const stranger = await newAccount('theirs.test')
  const message_id = await owner.arrive('private')
  const { id } = await ask('POST', '/rules', owner.key, invoices, 201)
  await ask('POST', '/rules/test', stranger.key, { message_id }, 404)
  const own = await stranger.arrive('own')
  await ask('POST', '/rules/test', stranger.key, { message_id: own, rules: [id] }, 404)
  await ask('POST', '/rules/run', stranger.key, { rules: [id] }, 404)
})

type Owner = Awaited<ReturnType<typeof newAccount>>

/** A context whose clock has passed the Worker's own, by which the mail came. */
async function present(faults = noFaults()) {
  const world = await makeWorld({ faults })
  world.pass(Date.now() - world.ctx.now() + 1000)
  return world.ctx
}

/** Begins a run without waking the Worker, which would take it up beside us. */
async function begin(owner: Owner, body: Record<string, unknown> = {}): Promise<string> {
  const ctx = await present()
  const [row] = await ctx.stores.directory.all<{ id: string; mail_db: string }>(
    sql`SELECT id, mail_db FROM accounts WHERE number = ${owner.account}`,
  )
  const account = { number: owner.account, id: row?.id ?? '', mailDb: row?.mail_db ?? '' }
  const caller = { ...ctx, account, access: { key: 'k', scopes: new Set<string>() } }
  return (await runRules(caller, RunRulesBody.parse(body))).id
}

const sweep = async (faults = noFaults()) => sweepRuleRuns(await present(faults))

test('rules run over stored mail: what is there is filed as if it came now, and the outcome is told', async () => {
  const owner = await newAccount('run.test')
  const { key, arrive } = owner
  const ids = [await arrive('invoice-1'), await arrive('other'), await arrive('invoice-2')]
  await ask('POST', '/rules', key, invoices, 201)
  const id = await begin(owner)
  const shown = { object: 'rule_run', id, status: 'running', checked: 0, finished_at: null }
  expect(await ask('GET', `/rules/runs/${id}`, key)).toMatchObject(shown)
  await sweep()
  expect(await ask('GET', `/rules/runs/${id}`, key)).toMatchObject({
    status: 'done',
    checked: 3,
    matched: 2,
    changed: 2,
    unread: 0,
    finished_at: expect.any(String),
  })
  const kept = await Promise.all(ids.map((message) => ask<Json>('GET', `/messages/${message}`, key)))
  expect(kept.map(({ keywords }) => keywords)).toEqual([{ invoice: true }, {}, { invoice: true }])
  expect(await ask('GET', '/mailboxes/archive', key)).toMatchObject({ total: 2, unread: 2 })
  const again = await begin(owner)
  await sweep()
  expect(await ask('GET', `/rules/runs/${again}`, key)).toMatchObject({ matched: 2, changed: 0 })
})

test('a run begins at once, without waiting for the sweep', async () => {
  const { key, arrive } = await newAccount('wake.test')
  await arrive('invoice-1')
  await ask('POST', '/rules', key, invoices, 201)
  const headers = { 'idempotency-key': 'run' }
  const answers = [
    await call('POST', '/rules/run', { key, body: {}, headers }),
    await call('POST', '/rules/run', { key, body: {}, headers }),
  ]
  const [one, two] = await Promise.all(answers.map(async (answer): Promise<Json> => answer.json()))
  expect(two?.id).toBe(one?.id)
  await expect
    .poll(() => ask('GET', `/rules/runs/${one?.id}`, key), { timeout: 10_000 })
    .toMatchObject({ status: 'done', changed: 1 })
})

test('a run keeps to its mailbox, its time and its rules, and to the actions that were named', async () => {
  const owner = await newAccount('some.test')
  const { key, arrive, account } = owner
  const old = await arrive('invoice-old')
  await ask('PATCH', `/messages/${old}`, key, { mailbox: 'junk' })
  await arrive('invoice-new')
  const off = await ask('POST', '/rules', key, { ...invoices, enabled: false }, 201)
  const outcome = async (body: Record<string, unknown>) => {
    const id = await begin(owner, body)
    await sweep()
    return ask('GET', `/rules/runs/${id}`, key)
  }
  expect(await outcome({})).toMatchObject({ checked: 2, matched: 0 })
  expect(await outcome({ before: '2020-01-01T00:00:00Z', rules: [off.id] })).toMatchObject({ checked: 0 })
  expect(await outcome({ after: new Date(Date.now() + 60_000).toISOString() })).toMatchObject({ checked: 0 })
  expect(await outcome({ mailbox: 'junk', rules: [off.id], actions: ['keyword'] })).toMatchObject({
    checked: 1,
    changed: 1,
  })
  expect(await ask('GET', `/messages/${old}`, key)).toMatchObject({ keywords: { invoice: true } })
  expect(await ask('GET', '/mailboxes/archive', key)).toMatchObject({ total: 0 })
  const forward = { ...invoices, actions: [{ forward: ['f@y.test'] }] }
  const asks = await ask('POST', '/rules', key, forward, 201)
  const owed = async () =>
    (await present()).stores.directory.all(sql`SELECT ref FROM tasks WHERE kind = 'forward' AND account = ${account}`)
  expect(await outcome({ rules: [asks.id] })).toMatchObject({ matched: 2, changed: 0 })
  expect(await owed()).toEqual([])
  await outcome({ rules: [asks.id], actions: ['forward'] })
  expect(await owed()).toHaveLength(2)
  await ask('POST', '/rules/run', key, { mailbox: 'nowhere' }, 422)
})

test('a run that is cut off at any write is made good, and what it leaves to others it leaves once', async () => {
  for (const fate of ['fail', 'lose-answer'] as const) {
    for (let at = 0; at < 5; at++) {
      const owner = await newAccount(`cut-${fate}-${at}.test`)
      const { key, arrive, account } = owner
      for (let mail = 0; mail < 2; mail++) await arrive(`invoice-${mail}`)
      const body = { ...invoices, actions: [...invoices.actions, { forward: ['f@y.test'] }] }
      const { id: rule } = await ask('POST', '/rules', key, body, 201)
      const id = await begin(owner, { rules: [rule], actions: ['move', 'keyword', 'forward'] })
      const faults = noFaults()
      faults.batches = [...Array(at).fill('pass'), fate]
      await sweep(faults)
      const { directory } = (await present()).stores
      // What was left is done at once, as by the stage it is for: a repeated step must not leave it again.
      const done = () =>
        directory.all(sql`DELETE FROM tasks WHERE kind = 'forward' AND account = ${account} RETURNING ref`)
      const first = await done()
      await directory.run(
        sql`UPDATE tasks SET due = 0, claimed_until = NULL WHERE account = ${account} AND ref = ${id}
          AND state ->> '$.status' = 'running'`,
      )
      await sweep()
      const second = await done()
      expect([...first, ...second], `${fate} at ${at}`).toHaveLength(2)
      expect(await ask('GET', `/rules/runs/${id}`, key)).toMatchObject({ status: 'done', checked: 2, matched: 2 })
      expect(await ask('GET', '/mailboxes/archive', key)).toMatchObject({ total: 2, unread: 2 })
      expect(await ask('GET', '/mailboxes/inbox', key)).toMatchObject({ total: 0, unread: 0 })
    }
  }
})

test('who lost a run to another notes nothing and leaves nothing to anybody', async () => {
  const owner = await newAccount('lost.test')
  const id = await begin(owner)
  const ctx = await present()
  const db = ctx.stores.directory
  const claim = { token: 'mine', now: ctx.now(), until: ctx.now() + 1000, limit: 10 }
  const task = (await claimTasks(db, [RULE_RUN], claim)).find(({ ref }) => ref === id) ?? expect.fail('it was due')
  const step = {
    state: readRun(task.state),
    until: ctx.now(),
    owed: [{ kind: 'forward', ref: 'm', due: 0, state: {} }],
  }
  await db.run(sql`UPDATE tasks SET claim = 'theirs' WHERE ref = ${id}`)
  expect(await stepRun(db, task, step)).toBe(false)
  expect(await db.all(sql`SELECT 1 FROM tasks WHERE account = ${owner.account} AND kind = 'forward'`)).toEqual([])
  await db.run(sql`UPDATE tasks SET claim = 'mine' WHERE ref = ${id}`)
  expect(await stepRun(db, task, step)).toBe(true)
  expect(await db.all(sql`SELECT 1 FROM tasks WHERE account = ${owner.account} AND kind = 'forward'`)).toHaveLength(1)
})

test('only so many runs go on at a time', async () => {
  const owner = await newAccount('runs.test')
  for (let at = 0; at < 5; at++) await begin(owner)
  expect((await call('POST', '/rules/run', { key: owner.key, body: {} })).status).toBe(429)
  await sweep()
  expect((await call('POST', '/rules/run', { key: owner.key, body: {} })).status).toBe(201)
})
