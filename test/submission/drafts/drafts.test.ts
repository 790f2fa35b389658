import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { changeMessage } from '../../../src/mailbox/change.ts'
import { getMessage, getSent, listMessages, listSent } from '../../../src/mailbox/read.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import { getRaw } from '../../../src/store/objects.ts'
import { createDraft, deleteDraft, getDraft, listDrafts, updateDraft } from '../../../src/submission/drafts/drafts.ts'
import { sendDraft } from '../../../src/submission/drafts/send.ts'
import { countsOf, eventsOf, file, plain } from '../../mailbox/mail.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

const world = await makeWorld()

const [SENT, DRAFTS] = [2, 3]

async function agree(ctx: Caller, box: number, messages: number) {
  expect(await countsOf(ctx, box)).toEqual({ messages, unread: 0, rows: messages, unseen: 0 })
}

async function rawOf(ctx: Caller, id: string): Promise<string> {
  const [row] = await ctx.stores.directory.all<{ raw_key: string }>(
    sql`SELECT raw_key FROM messages WHERE account = ${ctx.account.number} AND id = ${id}`,
  )
  return (await (await getRaw(ctx.stores, row?.raw_key ?? ''))?.text()) ?? ''
}

const objects = async (ctx: Caller) =>
  (await ctx.stores.raw.list({ prefix: `raw/${ctx.account.number}/` })).objects.length

/** What counters say of all octets, and what the rows say. */
async function bytesAgree(ctx: Caller) {
  const [row] = await ctx.stores.directory.all<{ bytes: number; messages: number; size: number; rows: number }>(
    sql`SELECT bytes, messages, (SELECT COALESCE(SUM(size), 0) FROM messages m WHERE m.account = c.account) AS size,
      (SELECT COUNT(*) FROM messages m WHERE m.account = c.account) AS rows FROM counters c WHERE account = ${ctx.account.number}`,
  )
  expect([row?.bytes, row?.messages]).toEqual([row?.size, row?.rows])
}

const WHOLE = {
  to: ['you@far.test', 'Ünal <unal@far.test>'],
  cc: 'cc@far.test',
  bcc: ['Secret <bcc@far.test>'],
  reply_to: 'replies@far.test',
  subject: 'Grüße',
  text: 'Hello\n\n  there\n',
  html: '<p>Hello <img src="cid:pic"></p>',
  headers: { 'X-Custom': 'größer', 'X-Plain': 'one' },
  tags: [{ name: 'kind', value: 'draft' }],
  attachments: [
    { filename: 'a.txt', content: btoa('attached') },
    { filename: 'p.png', content: btoa('picture'), content_id: 'pic' },
  ],
}

test('a draft needs nothing, and says back all that it was given', async () => {
  const ctx = await makeAccount(world)
  const blank = await createDraft(ctx, {})
  expect(blank).toMatchObject({
    object: 'draft',
    from: null,
    to: [],
    subject: '',
    html: null,
    attachments: [],
    headers: {},
  })
  const whole = await createDraft(ctx, { ...WHOLE, from: `Me <${ctx.address}>` })
  const said = {
    from: `Me <${ctx.address}>`,
    to: WHOLE.to,
    cc: ['cc@far.test'],
    bcc: WHOLE.bcc,
    reply_to: ['replies@far.test'],
    subject: 'Grüße',
    text: WHOLE.text,
    html: WHOLE.html,
    headers: WHOLE.headers,
    tags: WHOLE.tags,
    attachments: [
      { filename: 'a.txt', size: 8 },
      { filename: 'p.png', size: 7, content_id: 'pic' },
    ].sort(),
  }
  expect({ ...whole, attachments: whole.attachments.toSorted((a, b) => b.size - a.size) }).toMatchObject(said)
  await agree(ctx, DRAFTS, 2)
  expect((await listDrafts(ctx, { limit: 10 })).data.map(({ id }) => id)).toEqual([whole.id, blank.id])
  expect(await getMessage(ctx, whole.id, { body: [], html_format: 'cid' })).toMatchObject({
    keywords: { $draft: true, $seen: true },
    last_event: null,
  })
  expect((await listSent(ctx, { limit: 10 })).data).toEqual([])
  await expect(getSent(ctx, whole.id)).rejects.toMatchObject({ code: 'not_found' })
})

test('what a change does not name stays as it was, however often the draft is written anew', async () => {
  const ctx = await makeAccount(world)
  const made = await createDraft(ctx, { ...WHOLE, from: `Me <${ctx.address}>` })
  const { uid: _, modseq: __, size: ___, subject: ____, ...same } = made
  let latest = made
  for (const subject of ['one', 'two', 'three']) {
    latest = await updateDraft(ctx, made.id, { subject })
    expect(latest).toMatchObject({ ...same, subject })
  }
  expect(latest.uid).toBeGreaterThan(made.uid)
  await world.idle()
  expect(await objects(ctx)).toBe(1)
  await agree(ctx, DRAFTS, 1)
  await bytesAgree(ctx)
  expect(
    await updateDraft(ctx, made.id, { html: null, bcc: null, headers: null, tags: null, from: null }),
  ).toMatchObject({
    from: null,
    html: null,
    bcc: [],
    headers: {},
    tags: [],
    text: WHOLE.text,
  })
  expect((await eventsOf(ctx, 'message.replaced')).length).toBe(4)
})

test('words alone come back to the letter, with or without a line break at their end', async () => {
  const ctx = await makeAccount(world)
  for (const text of [
    'plain',
    'plain\n',
    'a\n\nb\n\n',
    'From me\n.dot\n  indented',
    `${'long '.repeat(60)}end`,
    '-- \nsigned ü\n',
  ]) {
    const draft = await createDraft(ctx, { text })
    expect(await updateDraft(ctx, draft.id, { subject: 's' })).toMatchObject({ text, html: null })
    const html = await createDraft(ctx, { html: text })
    expect(await updateDraft(ctx, html.id, { subject: 's' })).toMatchObject({ text: null, html: text })
  }
})

test('attachments stay, are replaced, or some of them are kept', async () => {
  const ctx = await makeAccount(world)
  const made = await createDraft(ctx, WHOLE)
  const picture = made.attachments.find(({ filename }) => filename === 'p.png')?.id ?? ''
  const kept = await updateDraft(ctx, made.id, { keep_attachments: [picture] })
  expect(kept.attachments.map(({ filename }) => filename)).toEqual(['p.png'])
  const added = await updateDraft(ctx, made.id, {
    keep_attachments: [kept.attachments[0]?.id ?? ''],
    attachments: [{ filename: 'b.txt', content: btoa('b') }],
  })
  expect(added.attachments.map(({ filename }) => filename).sort()).toEqual(['b.txt', 'p.png'])
  const none = await updateDraft(ctx, made.id, { attachments: [] })
  expect(none.attachments).toEqual([])
  await expect(updateDraft(ctx, made.id, { keep_attachments: ['x'] })).rejects.toMatchObject({
    detail: { fields: [{ path: 'keep_attachments[0]' }] },
  })
})

test('who names the modseq he read is told when the draft has changed; who does not, writes last', async () => {
  const ctx = await makeAccount(world)
  const made = await createDraft(ctx, { subject: 'one' })
  const changed = await updateDraft(ctx, made.id, { subject: 'two', modseq: made.modseq })
  await expect(updateDraft(ctx, made.id, { subject: 'three', modseq: made.modseq })).rejects.toMatchObject({
    code: 'conflict',
  })
  expect(await getDraft(ctx, made.id)).toEqual(changed)
  const both = await Promise.all(['a', 'b'].map((text) => updateDraft(ctx, made.id, { text })))
  expect(both.map(({ subject }) => subject)).toEqual(['two', 'two'])
  await world.idle()
  expect(await objects(ctx)).toBe(1)
  await bytesAgree(ctx)
})

test('faults are named, and nothing is stored', async () => {
  const ctx = await makeAccount(world)
  await expect(createDraft(ctx, { to: ['ok@far.test', 'nobody'], cc: 'x' })).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'to[1]' }, { path: 'cc[0]' }] },
  })
  await expect(createDraft(ctx, { headers: { Bcc: 'x@y.test' } })).rejects.toMatchObject({ code: 'validation_error' })
  await expect(createDraft(ctx, { in_reply_to: 'nobody' })).rejects.toMatchObject({ code: 'not_found' })
  await agree(ctx, DRAFTS, 0)
})

test('a draft that answers a message has its thread, and keeps it over every change until it is sent', async () => {
  const ctx = await makeAccount(world)
  const asked = await file(ctx, plain('Question', 'Message-ID: <1@far.test>'), { recipient: ctx.address })
  const draft = await createDraft(ctx, { in_reply_to: asked, text: 'Yes.' })
  expect(draft).toMatchObject({
    subject: 'Re: Question',
    from: ctx.address,
    to: ['Ann <ann@far.test>'],
    headers: { 'In-Reply-To': '<1@far.test>', References: '<1@far.test>' },
  })
  await updateDraft(ctx, draft.id, { headers: { 'X-Own': 'y' } })
  const thread = (await getMessage(ctx, asked, { body: [], html_format: 'cid' })).thread
  expect((await getDraft(ctx, draft.id)).thread).toBe(thread)
  await sendDraft(ctx, draft.id, {})
  expect(await rawOf(ctx, draft.id)).toMatch(/^In-Reply-To: <1@far\.test>\r$/m)
  expect((await getMessage(ctx, draft.id, { body: [], html_format: 'cid' })).thread).toBe(thread)
})

test('sending a draft makes it the sent mail, under its id, without Bcc in it, and signed', async () => {
  const ctx = await makeAccount(world)
  const draft = await createDraft(ctx, { ...WHOLE, from: ctx.address })
  expect(await rawOf(ctx, draft.id)).toContain('Bcc: bcc@far.test')
  const before = world.woken.length
  expect(await sendDraft(ctx, draft.id, {})).toEqual({ id: draft.id })
  expect(world.woken.slice(before)).toContainEqual({ what: 'relay', account: ctx.account.id, messages: [draft.id] })
  await world.idle()
  await agree(ctx, DRAFTS, 0)
  await agree(ctx, SENT, 1)
  await bytesAgree(ctx)
  expect(await objects(ctx)).toBe(1)
  const raw = await rawOf(ctx, draft.id)
  expect(raw).toMatch(/^DKIM-Signature:/)
  expect(raw).not.toMatch(/bcc/i)
  const sent = await getSent(ctx, draft.id)
  expect(sent).toMatchObject({
    subject: 'Grüße',
    last_event: 'queued',
    bcc: ['Secret <bcc@far.test>'],
    tags: WHOLE.tags,
  })
  expect((sent.recipients ?? []).map(({ address }) => address)).toEqual([
    'you@far.test',
    'unal@far.test',
    'cc@far.test',
    'bcc@far.test',
  ])
  const shown = await getMessage(ctx, draft.id, { body: [], html_format: 'cid' })
  expect(await eventsOf(ctx, 'message.moved')).toMatchObject([
    {
      seq: shown.uid,
      data: { messages: [{ id: draft.id, mailbox: shown.mailbox, uid: shown.uid, from: { uid: draft.uid } }] },
    },
  ])
  expect(shown.attachments).toHaveLength(2)
  await expect(getDraft(ctx, draft.id)).rejects.toMatchObject({ code: 'not_found' })
})

test('however many send it at once or again, one mail is sent', async () => {
  const ctx = await makeAccount(world)
  const draft = await createDraft(ctx, { from: ctx.address, to: 'you@far.test', subject: 's', text: 't' })
  const once = { key: 'k', body: 'b' }
  const all = await Promise.all([undefined, undefined, once, once].map((each) => sendDraft(ctx, draft.id, {}, each)))
  expect(all).toEqual(all.map(() => ({ id: draft.id })))
  expect(await sendDraft(ctx, draft.id, {})).toEqual({ id: draft.id })
  await world.idle()
  await agree(ctx, DRAFTS, 0)
  await agree(ctx, SENT, 1)
  expect(await eventsOf(ctx, 'email.queued')).toHaveLength(1)
  expect(await objects(ctx)).toBe(1)
})

test('what may not be sent stays a draft: every check of a mail sent at once is made', async () => {
  const ctx = await makeAccount(world)
  const refusals: [Parameters<typeof createDraft>[1], string][] = [
    [{}, 'missing_required_field'],
    [{ text: 't' }, 'invalid_from_address'],
    [{ text: 't', from: ctx.address }, 'validation_error'],
    [{ text: 't', from: 'me@elsewhere.test', to: 'you@far.test' }, 'domain_not_verified'],
  ]
  for (const [body, code] of refusals) {
    const draft = await createDraft(ctx, body)
    await expect(sendDraft(ctx, draft.id, {}), code).rejects.toMatchObject({ code })
    expect(await getDraft(ctx, draft.id)).toEqual(draft)
  }
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET sends_per_day = 0 WHERE account = ${ctx.account.number}`,
  ])
  const draft = await createDraft(ctx, { text: 't', from: ctx.address, to: 'you@far.test' })
  await expect(sendDraft(ctx, draft.id, {})).rejects.toMatchObject({ code: 'daily_quota_exceeded' })
  expect(await getDraft(ctx, draft.id)).toEqual(draft)
  await agree(ctx, SENT, 0)
  await agree(ctx, DRAFTS, refusals.length + 1)
  await world.idle()
  expect(await objects(ctx)).toBe(refusals.length + 1)
})

test('a draft can be sent at a time; until then it waits in Sent', async () => {
  const ctx = await makeAccount(world)
  const draft = await createDraft(ctx, { from: ctx.address, to: 'you@far.test', subject: 's', text: 't' })
  await sendDraft(ctx, draft.id, { scheduled_at: 'in 2 hours' })
  expect(await getSent(ctx, draft.id)).toMatchObject({ last_event: 'scheduled' })
  expect(await rawOf(ctx, draft.id)).not.toMatch(/^Date:/m)
  await agree(ctx, DRAFTS, 0)
})

test('a change while it is being sent is never lost: either it is in the mail, or it is refused', async () => {
  const ctx = await makeAccount(world)
  for (let round = 0; round < 5; round++) {
    const draft = await createDraft(ctx, { from: ctx.address, to: 'you@far.test', subject: 'old', text: 't' })
    const [sent, changed] = await Promise.allSettled([
      sendDraft(ctx, draft.id, {}),
      updateDraft(ctx, draft.id, { subject: 'new' }),
    ])
    const is = await getMessage(ctx, draft.id, { body: [], html_format: 'cid' })
    if (changed.status === 'fulfilled') expect(is.subject).toBe('new')
    if (sent.status === 'rejected') expect(sent.reason).toMatchObject({ code: 'conflict' })
    expect(is.last_event).toBe(sent.status === 'fulfilled' ? 'queued' : null)
  }
  await world.idle()
  await bytesAgree(ctx)
})

test('lost acknowledgements are no failures, failed writes are tried again, and nothing is sent twice', async () => {
  const faults = noFaults()
  const faulty = await makeWorld({ faults })
  const ctx = await makeAccount(faulty)
  faults.batches.push('lose-answer')
  const draft = await createDraft(ctx, { from: ctx.address, to: 'you@far.test', subject: 's', text: 't' })
  faults.batches.push('lose-answer')
  expect(await updateDraft(ctx, draft.id, { text: 'other' })).toMatchObject({ text: 'other' })
  faults.batches.push('fail', 'fail', 'fail')
  await expect(sendDraft(ctx, draft.id, {})).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await getDraft(ctx, draft.id)).toMatchObject({ text: 'other' })
  faults.batches.push('fail', 'lose-answer')
  expect(await sendDraft(ctx, draft.id, {})).toEqual({ id: draft.id })
  await faulty.idle()
  await agree(ctx, SENT, 1)
  await agree(ctx, DRAFTS, 0)
  expect(await eventsOf(ctx, 'email.queued')).toHaveLength(1)
  await bytesAgree(ctx)
})

test('a deleted draft is gone with its bytes; a sent mail, and what lies elsewhere, is no draft', async () => {
  const ctx = await makeAccount(world)
  const draft = await createDraft(ctx, { subject: 's' })
  expect(await deleteDraft(ctx, draft.id)).toEqual({ object: 'draft', id: draft.id, deleted: true })
  await world.idle()
  expect(await objects(ctx)).toBe(0)
  await agree(ctx, DRAFTS, 0)
  const received = await file(ctx, plain('a'))
  const gone = { code: 'not_found' }
  await expect(deleteDraft(ctx, received)).rejects.toMatchObject(gone)
  await expect(updateDraft(ctx, received, { subject: 'x' })).rejects.toMatchObject(gone)
  await expect(sendDraft(ctx, received, {})).rejects.toMatchObject(gone)
  await changeMessage(ctx, received, { mailbox: 'drafts' })
  expect(await getDraft(ctx, received)).toMatchObject({ subject: 'a' })
  expect((await listMessages(ctx, { mailbox: 'drafts', limit: 5 })).data).toHaveLength(1)
  await expect(getDraft(await makeAccount(world), received)).rejects.toMatchObject(gone)
})

test('drafts count towards the storage, and a change that would pass it is refused', async () => {
  const ctx = await makeAccount(world)
  const draft = await createDraft(ctx, { subject: 's', text: 'short' })
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET storage_bytes = bytes + 100 WHERE account = ${ctx.account.number}`,
  ])
  await expect(updateDraft(ctx, draft.id, { text: 'long '.repeat(100) })).rejects.toMatchObject({
    code: 'payload_too_large',
  })
  expect(await getDraft(ctx, draft.id)).toEqual(draft)
  await expect(createDraft(ctx, { text: 'another' })).rejects.toMatchObject({ code: 'payload_too_large' })
})
