import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { submit } from '../../src/submission/submit.ts'
import { submitRaw } from '../../src/submission/submit-mime.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()

const mailTo = (from: string, more: Record<string, unknown> = {}) =>
  SendEmailBody.parse({ from: `Me <${from}>`, to: 'you@y.test', subject: 'Salom', text: 'Hi', ...more })

async function stored(ctx: Caller) {
  const rows = await ctx.stores.directory.all<Record<string, string>>(
    sql`SELECT * FROM messages WHERE account = ${ctx.account.number} ORDER BY uid`,
  )
  return Promise.all(
    rows.map(async (row) => {
      const object = await ctx.stores.raw.get(row.raw_key ?? '')
      return { ...row, mime: (await object?.text()) ?? '' } as Record<string, string>
    }),
  )
}

test('a mail is composed, signed, stored in Sent and owed to the relay before the answer', async () => {
  const ctx = await makeAccount(world)
  const { id } = await submit(ctx, mailTo(ctx.address, { cc: ['c@y.test'], tags: [{ name: 'a', value: 'b' }] }))
  const [row] = await stored(ctx)
  expect(row).toMatchObject({ id, direction: 1, mailbox: 2, last_event: 'queued', due: world.ctx.now() })
  expect(row?.mime).toMatch(/^DKIM-Signature: /)
  expect(row?.mime).toContain(`Message-ID: <${id}@${ctx.domain}>`)
  expect(JSON.parse(row?.recipients ?? '')).toMatchObject([
    { address: 'you@y.test', state: 'queued' },
    { address: 'c@y.test', state: 'queued' },
  ])
  expect(world.woken.at(-1)).toEqual({ what: 'relay', account: ctx.account.id, messages: [id] })
})

test('Bcc recipients get the mail and stand nowhere in it', async () => {
  const ctx = await makeAccount(world)
  await submit(ctx, mailTo(ctx.address, { bcc: ['hidden@y.test'] }))
  const [row] = await stored(ctx)
  expect(row?.mime).not.toMatch(/hidden|^bcc/im)
  expect(row?.recipients).toContain('hidden@y.test')
  expect(JSON.parse(row?.parties ?? '').bcc).toEqual(['hidden@y.test'])
})

test('an address in To and Bcc both gets one mail', async () => {
  const ctx = await makeAccount(world)
  await submit(ctx, mailTo(ctx.address, { bcc: ['YOU@y.test'] }))
  expect(JSON.parse((await stored(ctx))[0]?.recipients ?? '')).toHaveLength(1)
})

test('every address at fault is named, and nothing is stored', async () => {
  const ctx = await makeAccount(world)
  const bad = mailTo(ctx.address, { to: ['ok@y.test', 'a b@y'], cc: 'c@y.test\r\nBcc: evil@y.test' })
  await expect(submit(ctx, bad)).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'to[1]' }, { path: 'cc' }] },
  })
  await expect(submit(ctx, mailTo('nobody'))).rejects.toMatchObject({ code: 'invalid_from_address' })
  await expect(submit(ctx, mailTo('me@stranger.test'))).rejects.toMatchObject({ code: 'domain_not_verified' })
  await expect(submit(ctx, { ...mailTo(ctx.address), text: undefined })).rejects.toMatchObject({
    code: 'missing_required_field',
  })
  await expect(submit(ctx, mailTo(ctx.address, { topic_id: 't' }))).rejects.toMatchObject({
    code: 'invalid_parameter',
  })
  expect(await stored(ctx)).toEqual([])
})

test('line breaks in a subject or header cannot make a header, and reserved names are refused by name', async () => {
  const ctx = await makeAccount(world)
  for (const more of [
    { subject: 'a\r\nBcc: b@y.test' },
    { headers: { 'X-A': 'a\nBcc: b@y.test' } },
    { headers: { Bcc: 'b@y.test' } },
  ]) {
    await expect(submit(ctx, mailTo(ctx.address, more))).rejects.toHaveProperty('code')
  }
  expect(await stored(ctx)).toEqual([])
})

test('attachments come in every encoding that clients use, and go out as they are', async () => {
  const ctx = await makeAccount(world)
  const bytes = [0, 1, 2, 253, 254, 255]
  const attachments = [
    { filename: 'a.bin', content: 'AAEC/f7/' },
    { filename: 'b.bin', content: bytes },
    { filename: 'c.bin', content: { type: 'Buffer', data: bytes } },
  ]
  await submit(ctx, mailTo(ctx.address, { attachments }))
  const [row] = await stored(ctx)
  expect(row?.mime?.match(/AAEC\/f7\//g)).toHaveLength(3)
  expect(row?.has_attachment).toBe(1)
  const broken = submit(
    ctx,
    mailTo(ctx.address, { attachments: [{ filename: 'x', content: '!!' }, { filename: 'y' }] }),
  )
  await expect(broken).rejects.toMatchObject({
    code: 'invalid_attachment',
    detail: { fields: [{ path: 'attachments[0].content' }, { path: 'attachments[1]' }] },
  })
})

test('what would be dropped in silence is refused by name', async () => {
  const ctx = await makeAccount(world)
  const both = [{ filename: false, content: 'aGk=', path: 'https://x.test/a' }]
  await expect(submit(ctx, mailTo(ctx.address, { attachments: both }))).rejects.toMatchObject({
    detail: { fields: [{ path: 'attachments[0].path' }] },
  })
  const twice = [1, 2].map((value) => ({ name: 'a', value: `${value}` }))
  expect(() => mailTo(ctx.address, { tags: twice })).toThrow('name of their own')
})

test('fifty equal requests at once with one idempotency key make one mail, and all get its id', async () => {
  const ctx = await makeAccount(world)
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const answers = await Promise.all(Array.from({ length: 50 }, () => submit(ctx, mailTo(ctx.address), once)))
  expect(new Set(answers.map((answer) => answer.id)).size).toBe(1)
  expect(await stored(ctx)).toHaveLength(1)
  expect((await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects).toHaveLength(1)
  await expect(submit(ctx, mailTo(ctx.address), { ...once, body: 'c'.repeat(64) })).rejects.toMatchObject({
    code: 'invalid_idempotent_request',
  })
})

test('a refused request burns no idempotency key, and a kept answer is forgotten after a day', async () => {
  const ctx = await makeAccount(world)
  const once = { key: 'r'.repeat(64), body: 'b'.repeat(64) }
  await expect(submit(ctx, mailTo('me@stranger.test'), once)).rejects.toHaveProperty('code')
  const first = await submit(ctx, mailTo(ctx.address), once)
  expect(await submit(ctx, mailTo(ctx.address), once)).toEqual(first)
  world.pass(86_400_001)
  expect(await submit(ctx, mailTo(ctx.address), once)).not.toEqual(first)
})

test('a lost acknowledgement is a success, and storage that fails three times says that nothing was stored', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  const ctx = { ...shaky.ctx, account: owner.account, access: owner.access }
  await submit(ctx, mailTo(owner.address))
  faults.batches = ['lose-answer']
  const { id } = await submit(ctx, mailTo(owner.address))
  expect((await stored(owner)).map((row) => row.id)).toContain(id)
  faults.batches = ['fail', 'fail', 'fail']
  await expect(submit(ctx, mailTo(owner.address))).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await stored(owner)).toHaveLength(2)
})

test('the daily quota counts recipients and is refused as a whole', async () => {
  const ctx = await makeAccount(world)
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET sends_per_day = 2 WHERE account = ${ctx.account.number}`,
  ])
  const three = mailTo(ctx.address, { to: ['a@y.test', 'b@y.test', 'c@y.test'] })
  await expect(submit(ctx, three)).rejects.toMatchObject({ code: 'daily_quota_exceeded' })
  await submit(ctx, mailTo(ctx.address, { to: ['a@y.test', 'b@y.test'] }))
  await expect(submit(ctx, mailTo(ctx.address))).rejects.toMatchObject({ code: 'daily_quota_exceeded' })
})

test('a mail costs one batch and one put, and seven rows whatever the number of recipients', async () => {
  const ctx = await makeAccount(world)
  await submit(ctx, mailTo(ctx.address))
  Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
  await submit(ctx, mailTo(ctx.address, { to: ['a@y.test', 'b@y.test', 'c@y.test'] }))
  expect(world.tally).toMatchObject({ trips: 1, written: 7, puts: 1 })
})

test('ready mail keeps its bytes but for Bcc, gets what it lacks, and goes by the envelope', async () => {
  const ctx = await makeAccount(world)
  const raw = `From: ${ctx.address}\r\nTo: you@y.test\r\nBcc: hidden@y.test,\r\n other@y.test\r\nSubject: raw\r\n\r\nbare\nline\r\n`
  await submitRaw(ctx, { from: ctx.address, to: ['hidden@y.test'] }, new TextEncoder().encode(raw))
  const [row] = await stored(ctx)
  expect(row?.mime).not.toMatch(/hidden|other@/)
  expect(row?.mime).toContain('\r\n\r\nbare\r\nline\r\n')
  expect(row?.mime).toMatch(/\r\nDate: .*\r\n/)
  expect(JSON.parse(row?.recipients ?? '')).toMatchObject([{ address: 'hidden@y.test' }])
})

test('a large ready mail is stored whole behind its signature', async () => {
  const ctx = await makeAccount(world)
  const raw = `From: ${ctx.address}\r\nTo: you@y.test\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <large@${ctx.domain}>\r\n\r\n${'0123456789abcdef\r\n'.repeat(60_000)}`
  await submitRaw(ctx, { from: ctx.address, to: ['you@y.test'] }, new TextEncoder().encode(raw))
  const [row] = await stored(ctx)
  expect(row?.mime).toMatch(/^DKIM-Signature: /)
  expect(row?.mime?.slice(row.mime.indexOf('\r\nFrom: ') + 2)).toBe(raw)
  expect(Number(row?.size)).toBe(row?.mime?.length)
})

test('ready mail may not be from somebody else, in its header or its envelope', async () => {
  const ctx = await makeAccount(world)
  const raw = (from: string) => new TextEncoder().encode(`From: ${from}\r\nSubject: x\r\n\r\nhi\r\n`)
  const send = (header: string, envelope: string) => submitRaw(ctx, { from: envelope, to: ['you@y.test'] }, raw(header))
  await expect(send('a@stranger.test', ctx.address)).rejects.toMatchObject({ code: 'domain_not_verified' })
  await expect(send(ctx.address, 'a@stranger.test')).rejects.toMatchObject({ code: 'domain_not_verified' })
  await expect(send(`${ctx.address}, a@stranger.test`, ctx.address)).rejects.toHaveProperty('code')
  expect((await send(ctx.address, '')).id).toBeDefined()
})
