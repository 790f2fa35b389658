import { expect, test } from 'vitest'
import { toBase32 } from '../../../src/base/bytes.ts'
import { SendEmailBody } from '../../../src/contract/emails.ts'
import { ReplyBody } from '../../../src/contract/sending/answers.ts'
import { looksLikeVerp } from '../../../src/mail/returned/verp.ts'
import { newSuppression } from '../../../src/record/suppression.ts'
import { addSuppressions } from '../../../src/store/suppressions.ts'
import { reply, replyAll } from '../../../src/submission/answer/answer.ts'
import { submit } from '../../../src/submission/submit.ts'
import { file } from '../../mailbox/mail.ts'
import { addAddress, makeAccount, makeWorld } from '../../support/world.ts'
import { receive, receiveRaw, stored, withScopes } from './mail.ts'

const world = await makeWorld()
const owner = await makeAccount(world)
const other = await makeAccount(world)
const body = (more: Record<string, unknown> = {}) => ReplyBody.parse({ text: 'Thanks.', ...more })

test('an answer goes to whoever wrote, from the address that received it, in the same thread', async () => {
  const id = await receive(owner, ['Message-ID: <1@far.test>', 'References: <0@far.test>', 'Subject: Plan'])
  const answer = await reply(owner, id, body())
  const { row, read, mime } = await stored(owner, answer.id)
  expect(row.parties).toMatchObject({ from: [owner.address], to: ['Ann <ann@far.test>'], cc: [] })
  expect(row.recipients).toMatchObject([{ address: 'ann@far.test', state: 'queued' }])
  expect(read).toMatchObject({
    subject: 'Re: Plan',
    inReplyTo: ['1@far.test'],
    references: ['0@far.test', '1@far.test'],
  })
  expect(mime).toMatch(/^DKIM-Signature: /)
  expect(row.thread).toBe((await stored(owner, id)).row.thread)
  expect(world.woken.at(-1)).toEqual({ what: 'relay', account: owner.account.id, messages: [answer.id] })
})

test('Reply-To counts before From, and a return path of ours never', async () => {
  const asked = await receive(owner, ['Reply-To: List <list@far.test>, b@far.test', 'From: Ann <ann@far.test>'])
  const { row } = await stored(owner, (await reply(owner, asked, body())).id)
  expect(row.parties.to).toEqual(['List <list@far.test>', 'b@far.test'])

  const verp = `b-1-${toBase32(new Uint8Array(16))}-0-${toBase32(new Uint8Array(10))}`
  expect(looksLikeVerp(verp)).toBe(true)
  const bounced = await receive(owner, [`Reply-To: ${verp}@send.near.test`, 'From: Ann <ann@far.test>'])
  expect((await stored(owner, (await reply(owner, bounced, body())).id)).row.parties.to).toEqual(['Ann <ann@far.test>'])

  const nobody = await receive(owner, [`From: ${verp}@send.near.test`])
  await expect(reply(owner, nobody, body())).rejects.toMatchObject({ code: 'missing_required_field' })
  await expect(reply(owner, nobody, body({ to: 'x@far.test' }))).resolves.toMatchObject({ id: expect.any(String) })
})

test('an answer to all leaves out every address of the account and says each other one once', async () => {
  await addAddress(world, owner.account, `*@wild-${owner.domain}`)
  await addAddress(world, owner.account, `second@${owner.domain}`)
  await addAddress(world, other.account, `theirs@wild-${owner.domain}`)
  const id = await receive(
    owner,
    [
      'From: Ann <ann@far.test>',
      `To: Me <${owner.address.toUpperCase()}>, bob@far.test, second+x@${owner.domain}, any@wild-${owner.domain}`,
      `Cc: "C, D" <c@far.test>, BOB@far.test, ann@far.test, theirs@wild-${owner.domain}, not an address, alias@mine.test`,
    ],
    'Hi.',
    `alias@mine.test`,
  )
  const { row } = await stored(owner, (await replyAll(owner, id, body({ from: owner.address }))).id)
  expect(row.parties).toMatchObject({
    from: [owner.address],
    to: ['Ann <ann@far.test>'],
    cc: ['bob@far.test', '"C, D" <c@far.test>', `theirs@wild-${owner.domain}`],
  })
})

test('mail of one’s own is answered to those it went to', async () => {
  const mail = SendEmailBody.parse({
    from: `Me <${owner.address}>`,
    to: ['you@y.test', `self <${owner.address}>`],
    cc: 'c@y.test',
    bcc: 'hidden@y.test',
    subject: 'Salom',
    text: 'Hi',
  })
  const { id } = await submit(owner, mail)
  const one = await stored(owner, (await reply(owner, id, body())).id)
  expect(one.row.parties).toMatchObject({
    from: [`Me <${owner.address}>`],
    to: ['you@y.test', `self <${owner.address}>`],
    cc: [],
  })
  const all = await stored(owner, (await replyAll(owner, id, body())).id)
  expect(all.row.parties.cc).toEqual(['c@y.test'])
  expect(all.row.thread).toBe((await stored(owner, id)).row.thread)
  expect(JSON.stringify(all.row)).not.toContain('hidden@y.test')
})

test('an answer to all to oneself goes to the others, or to oneself where there are none', async () => {
  const copied = await receive(owner, [`From: ${owner.address}`, 'To: bob@far.test', `Cc: ${owner.address}`])
  expect((await stored(owner, (await replyAll(owner, copied, body())).id)).row.parties).toMatchObject({
    to: ['bob@far.test'],
    cc: [],
  })
  const alone = await receive(owner, [`From: ${owner.address}`, `To: ${owner.address}`])
  expect((await stored(owner, (await replyAll(owner, alone, body())).id)).row.parties).toMatchObject({
    to: [owner.address],
    cc: [],
  })
})

test('what the caller names stands: recipients, author, subject, Reply-To, headers, tags, attachments', async () => {
  const id = await receive(owner, ['Message-ID: <2@far.test>', 'To: bob@far.test', 'Cc: c@far.test'])
  const more = {
    from: `Support <desk+7@${owner.domain}>`,
    to: ['x@far.test', 'c@far.test'],
    bcc: 'hidden@far.test',
    reply_to: `in@${owner.domain}`,
    subject: 'Other',
    headers: { 'X-Case': '7' },
    tags: [{ name: 'a', value: 'b' }],
    attachments: [{ filename: 'a.txt', content: 'YXR0YWNoZWQ=' }],
  }
  const { row, mime } = await stored(owner, (await replyAll(owner, id, body(more))).id)
  expect(row).toMatchObject({ subject: 'Other', tags: more.tags, hasAttachment: true })
  expect(row.parties).toEqual({
    from: [more.from],
    to: more.to,
    cc: ['bob@far.test'],
    bcc: ['hidden@far.test'],
    reply_to: [more.reply_to],
  })
  expect(mime).toContain('X-Case: 7')
  expect(mime).not.toContain('hidden@far.test')
})

test('a message without an id, or with one that cannot be written, is answered without naming it', async () => {
  for (const header of [
    [],
    ['Message-ID: <>'],
    [`Message-ID: <${'x'.repeat(900)}@far.test>`],
    ['Message-ID: <ж@far.test>'],
  ]) {
    const id = await receive(owner, [...header, 'References: <0@far.test>'])
    const { mime } = await stored(owner, (await reply(owner, id, body())).id)
    expect(mime).not.toMatch(/^(?:in-reply-to|references):/im)
  }
})

test('a long chain of references is cut in its middle, and no line is longer than mail allows', async () => {
  const ids = Array.from({ length: 300 }, (_, at) => `<${at}.${'r'.repeat(200)}@far.test>`)
  const id = await receive(owner, ['Message-ID: <last@far.test>', `References: ${ids.join('\r\n ')}`])
  const { row, read, mime } = await stored(owner, (await reply(owner, id, body())).id)
  expect(read.references).toHaveLength(21)
  expect(`<${read.references[0]}>`).toBe(ids[0])
  expect(read.references.slice(-2)).toEqual([ids.at(-1)?.slice(1, -1), 'last@far.test'])
  expect(Math.max(...mime.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
  expect(row.thread).toBe((await stored(owner, id)).row.thread)
})

test('a stranger’s header says nothing in ours', async () => {
  const evil = '=?utf-8?Q?Hi=0D=0ABcc=3A_evil=40x.test=00=E2=80=AE?='
  const id = await receive(owner, [
    `From: ${evil} <ann@far.test>`,
    `Subject: ${evil} ${' '.repeat(90)}${'w'.repeat(2000)}`,
  ])
  const { row, mime, read } = await stored(owner, (await reply(owner, id, body())).id)
  expect(mime).not.toMatch(/^bcc/im)
  expect(row.recipients.map(({ address }) => address)).toEqual(['ann@far.test'])
  expect(read.subject).toMatch(/^Re: Hi Bcc: evil@x\.test w+$/)
  expect(mime.slice(0, mime.indexOf('\r\n\r\n'))).not.toContain('\0')
})

test('a key that may only send reads nothing through an answer', async () => {
  const id = await receive(owner, ['Subject: Secret'])
  for (const of of [id, 'x']) {
    await expect(reply(withScopes(owner, 'emails:send'), of, body())).rejects.toMatchObject({
      code: 'restricted_api_key',
    })
  }
})

test('another account’s message is not found, and an address that is not one’s own sends nothing', async () => {
  const id = await receive(owner, ['Subject: Mine'])
  await expect(reply(other, id, body())).rejects.toMatchObject({ code: 'not_found' })
  await expect(reply(owner, id, body({ from: other.address }))).rejects.toMatchObject({ code: 'domain_not_verified' })
})

test('an answer needs words, and writes the fields of the thread itself', async () => {
  const id = await receive(owner, ['Subject: Hi'])
  await expect(reply(owner, id, ReplyBody.parse({}))).rejects.toMatchObject({ code: 'missing_required_field' })
  const forged = body({ headers: { 'in-Reply-To': '<x@y>' } })
  await expect(reply(owner, id, forged)).rejects.toMatchObject({ code: 'validation_error' })
})

test('the same request makes one answer, even once the message is gone', async () => {
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const id = await receive(owner, ['Subject: Hi'])
  const first = await reply(owner, id, body(), once)
  expect(await reply(owner, id, body(), once)).toEqual(first)
  expect(await reply(owner, 'gone', body(), once)).toEqual(first)
})

test('an answer costs one read of the row, of its bytes and of the addresses, and what a send costs', async () => {
  const id = await receiveRaw(owner, 'From: ann@far.test\r\nMessage-ID: <cost@far.test>\r\n\r\nHi\r\n')
  await reply(owner, id, body())
  const before = { ...world.tally }
  await reply(owner, id, body())
  expect(world.tally.trips - before.trips).toBe(3)
  expect(world.tally.gets - before.gets).toBe(1)
  expect(world.tally.puts - before.puts).toBe(1)
  expect(world.tally.written - before.written).toBeLessThanOrEqual(8)
})

test('mail that reached a wildcard, with no registered name, is answered from where it was sent', async () => {
  const id = await file(owner, 'From: a@far.test\r\n\r\nHi', {
    recipient: `any+tag@wild-${owner.domain}`,
    address: `*@wild-${owner.domain}`,
  })
  await expect(reply(owner, id, body())).rejects.toMatchObject({ code: 'domain_not_verified' })
  const own = await file(owner, 'From: a@far.test\r\n\r\nHi', {
    recipient: `hello+tag@${owner.domain}`,
    address: owner.address,
  })
  expect((await stored(owner, (await reply(owner, own, body())).id)).row.parties.from).toEqual([
    `hello+tag@${owner.domain}`,
  ])
})

test('an answer to somebody who is suppressed says so', async () => {
  await addSuppressions(owner.stores, owner.account, { now: world.ctx.now(), token: 'gone' }, [
    newSuppression(world.ctx, 'gone@far.test', 'bounce'),
  ])
  const id = await receive(owner, ['From: Gone <gone@far.test>'])
  expect(await reply(owner, id, body())).toEqual({
    id: expect.any(String),
    suppressed: [{ address: 'gone@far.test', reason: 'bounce' }],
  })
})
