import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { sweepOwed } from '../../../src/submission/owed/sweep.ts'
import { call } from '../../support/api.ts'
import { noFaults } from '../../support/faults.ts'
import { makeWorld } from '../../support/world.ts'
import { json, makeMailer } from '../mail.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

// Accounts lie on all databases in turn.
const world = await makeWorld({ shards: { MAIL_2: noFaults(), MAIL_3: noFaults() } })

/** Whoever is to be asked was asked: the Worker's own queue sees to that, which was woken, and else its sweep. */
async function asked(): Promise<void> {
  world.pass(Date.now() - world.ctx.now())
  await sweepOwed(world.ctx)
  for (const db of world.ctx.stores.mail.values()) {
    const owed = () => db.all(sql`SELECT 1 FROM tasks WHERE kind = 'forward-ask'`)
    await expect.poll(owed, { timeout: 10_000 }).toEqual([])
  }
}

type Line = { id: string; to: string[]; from: string; subject: string }

/** The questions that were sent, newest first, each with the path of its link. */
async function questions(key: string) {
  const { data } = await json(call('GET', '/emails', { key }))
  const lines = (data as Line[]).filter(({ subject }) => subject.startsWith('May '))
  return Promise.all(
    lines.map(async ({ id, to, from }) => {
      const raw = await (await call('GET', `/messages/${id}/raw`, { key })).arrayBuffer()
      const text = new TextDecoder().decode(raw).replace(/=\r\n/g, '').replaceAll('=3D', '=')
      return { to, from, link: /https?:\/\/[^/\s]+(\/forward-targets\/confirm\/[\w.-]+)/.exec(text)?.[1] ?? '' }
    }),
  )
}

test('who is named as a forward target is asked once, and is one by the button alone', async () => {
  const { key, address } = await makeMailer()
  const patch = { forward_to: ['Me@home.test', `other@${address.split('@')[1]}`] }
  const patched = await json(call('PATCH', `/addresses/${address}`, { key, body: patch }))
  expect(patched).toMatchObject({ ...patch, forward_pending: ['Me@home.test'] })
  await asked()
  const again = await json(call('PATCH', `/addresses/${address}`, { key, body: patch }))
  expect(again).toMatchObject({ forward_pending: ['Me@home.test'] })
  await json(call('POST', '/forward-targets', { key, body: { email: 'me@HOME.test' } }))
  await asked()
  const [question, ...others] = await questions(key)
  expect(others).toEqual([])
  expect(question).toMatchObject({ to: ['me@home.test'], from: address })
  const link = question?.link ?? ''

  const shown = await call('GET', link)
  expect(shown.headers.get('content-type')).toContain('text/html')
  expect(await shown.text()).toContain('me@home.test')
  expect((await call('POST', link, { body: 'x=y', headers: FORM })).status).toBe(422)
  const target = async () => (await json(call('GET', '/forward-targets', { key }))).data
  expect(await target()).toMatchObject([{ email: 'me@home.test', verified: false, verified_at: null }])

  for (let clicks = 0; clicks < 2; clicks++) {
    expect((await call('POST', link, { body: 'agree=yes', headers: FORM })).status).toBe(200)
  }
  expect(await target()).toMatchObject([{ email: 'me@home.test', verified: true }])
  expect(await json(call('GET', `/addresses/${address}`, { key }))).toMatchObject({ forward_pending: [] })
  const { data } = await json(call('GET', '/addresses', { key }))
  expect(data).toMatchObject([{ forward_pending: [] }])
})

test('nobody is asked oftener than once an hour', async () => {
  const { key } = await makeMailer()
  const ask = () => json(call('POST', '/forward-targets', { key, body: { email: 'often@home.test' } }))
  await ask()
  await ask()
  await asked()
  await ask()
  await asked()
  expect(await questions(key)).toHaveLength(1)
})

test('a link is of no more use once its target was deleted, and a new target needs a new answer', async () => {
  const { key } = await makeMailer()
  const body = { email: 'gone@home.test' }
  const { id } = await json(call('POST', '/forward-targets', { key, body }))
  await asked()
  const [question] = await questions(key)
  const link = question?.link ?? ''
  expect(await json(call('DELETE', '/forward-targets/gone@home.test', { key }))).toMatchObject({ id, deleted: true })
  await json(call('POST', '/forward-targets', { key, body }))
  expect((await call('GET', link)).status).toBe(404)
  expect((await call('POST', link, { body: 'agree=yes', headers: FORM })).status).toBe(404)
})

test('who asks must be a sender of the account', async () => {
  const { key } = await makeMailer()
  const refused = await call('POST', '/forward-targets', { key, body: { email: 'a@b.test', from: 'x@stranger.test' } })
  expect(refused.status).toBe(403)
  const bad = await call('POST', '/forward-targets', { key, body: { email: 'nobody' } })
  expect(await bad.json()).toMatchObject({ name: 'validation_error', fields: [{ path: 'email' }] })
})
