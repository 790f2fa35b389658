import { sql } from 'drizzle-orm'
import { Resend } from 'resend'
import { expect, test, vi } from 'vitest'
import { dispatchAccount } from '../../src/webhook/dispatch.ts'
import { call, operator } from '../support/api.ts'
import { makeWorld } from '../support/world.ts'
import { happen } from '../webhook/receiver.ts'

/** Resend's own client, whose requests reach our Worker instead of the network. */
async function makeClient() {
  const made = Object(await (await call('POST', '/accounts', { key: operator, body: { name: 'Test' } })).json())
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const { pathname, search } = new URL(url)
    return call(init.method ?? 'GET', pathname + search, { headers, body: init.body ?? undefined })
  })
  return { resend: new Resend(made.api_key.token, { baseUrl: 'http://localhost' }), id: String(made.id) }
}

test('Resend’s client makes, reads, changes, rotates and removes an endpoint, and reads and replays what it was told', async () => {
  const { resend, id: accountId } = await makeClient()
  const made = await resend.webhooks.create({ endpoint: 'http://127.0.0.1:19009/hook', events: ['email.received'] })
  expect(made).toMatchObject({
    error: null,
    data: { object: 'webhook', signing_secret: expect.stringMatching(/^whsec_/) },
  })
  const id = made.data?.id ?? ''
  expect(await resend.webhooks.list({ limit: 5 })).toMatchObject({
    error: null,
    data: { data: [{ id, status: 'enabled' }] },
  })
  expect(await resend.webhooks.update(id, { events: ['email.received', 'email.sent'] })).toMatchObject({ error: null })
  expect(await resend.webhooks.get(id)).toMatchObject({
    error: null,
    data: { events: ['email.received', 'email.sent'] },
  })
  const rotated = await resend.webhooks.rotateSigningSecret(id)
  expect(rotated).toMatchObject({ error: null, data: { id } })

  const sent: { body: string; headers: Record<string, string> }[] = []
  const { ctx } = await makeWorld({
    net: {
      fetch: async ({ body = '', headers }) => {
        sent.push({ body, headers })
        return { kind: 'answered', status: 500, headers: new Headers(), body: new TextEncoder().encode('no') }
      },
    },
  })
  const [row] = await ctx.stores.directory.all<{ number: number }>(
    sql`SELECT number FROM accounts WHERE id = ${accountId}`,
  )
  const account = { number: row?.number ?? 0, id: accountId, mailDb: 'DB' }
  const now = Date.now()
  await happen({ ...ctx, account, access: { key: '', scopes: new Set() } })
  await dispatchAccount({ ...ctx, now: () => now }, account, { readFull: async () => undefined })
  const told = sent[0]
  const named = (name: string) => told?.headers[`svix-${name}`] ?? ''
  const headers = { id: named('id'), timestamp: named('timestamp'), signature: named('signature') }
  for (const webhookSecret of [rotated.data?.signing_secret ?? '', made.data?.signing_secret ?? '']) {
    expect(resend.webhooks.verify({ payload: told?.body ?? '', headers, webhookSecret })).toMatchObject({
      type: 'email.received',
    })
  }

  const eventId = named('id')
  const events = await resend.webhooks.events.list({ webhookId: id })
  expect(events).toMatchObject({
    error: null,
    data: { data: [{ id: eventId, status: 'pending', type: 'email.received' }] },
  })
  const event = await resend.webhooks.events.get({ webhookId: id, eventId })
  expect(event).toMatchObject({ error: null, data: { id: eventId, next_attempt_at: expect.any(String) } })
  expect(event.data?.payload).toEqual(JSON.parse(told?.body ?? ''))
  expect(await resend.webhooks.events.attempts.list({ webhookId: id, eventId })).toMatchObject({
    error: null,
    data: { data: [{ http_status_code: 500, response: 'no' }] },
  })
  const replayed = await resend.webhooks.events.replay({ webhookId: id, eventId })
  expect(replayed).toMatchObject({ error: null, data: { object: 'webhook_event', id: eventId } })
  expect(await resend.webhooks.remove(id)).toMatchObject({ error: null, data: { id, deleted: true } })
  expect(await resend.webhooks.get(id)).toMatchObject({ data: null, error: { name: 'not_found', statusCode: 404 } })
})
