import { beforeAll, expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { changeMessage } from '../../../src/mailbox/change.ts'
import { TRASH } from '../../../src/store/mail/shapes.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { file } from '../mail.ts'
import { found, page, plainMail } from './mail.ts'

const world = await makeWorld()
const DAY = 86_400_000
let ctx: Caller
let other: Caller
const ids: Record<string, string> = {}

const REPORT = [
  'From: Accounts <office@corp.test>',
  'To: Bob Lee <bob@near.test>',
  'Cc: Eve Hall <eve@far.test>',
  'Subject: Quarterly report',
  'Message-ID: <report@corp.test>',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: multipart/alternative; boundary=c',
  '',
  '--c',
  '',
  'See the HTML.',
  '--c',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<style>.hidden { color: red }</style><p>The <b>turnover</b> of the year, region by region.</p>',
  '--c--',
  '--b',
  'Content-Type: application/pdf; name="turn_2026.pdf"',
  'Content-Disposition: attachment; filename="turn_2026.pdf"',
  '',
  'x'.repeat(70_000),
  '--b--',
  '',
].join('\r\n')

beforeAll(async () => {
  ctx = await makeAccount(world)
  other = await makeAccount(world)
  const put = async (name: string, mime: string, more: Parameters<typeof file>[2] = {}) => {
    world.pass(DAY)
    ids[name] = await file({ ...ctx, now: world.ctx.now }, mime, { createdAt: world.ctx.now(), ...more })
  }
  await put(
    'first',
    plainMail({ subject: 'Invoice 17', text: 'Please pay the invoice by Friday.', cc: 'carl@far.test' }),
  )
  await put('report', REPORT)
  await put('read', plainMail({ subject: 'Lunch', text: 'Invoice? No, lunch.' }), { keywords: ['$seen'] })
  await put('trashed', plainMail({ subject: 'Old invoice', text: 'Forget it.' }), { mailbox: TRASH })
  await put(
    'sent',
    plainMail({ from: 'hello@near.test', to: 'dora@far.test', subject: 'Re: Invoice 17', text: 'Paid.' }),
    {
      sent: true,
    },
  )
  await file(other, plainMail({ subject: 'Invoice of a stranger', text: 'unicorn' }))
})

const names = (found: string[]) =>
  found.map((id) => Object.keys(ids).find((name) => ids[name] === id) ?? 'a stranger’s')

test.each([
  ['invoice', ['sent', 'trashed', 'read', 'first']],
  ['invoice friday', ['first']],
  ['"the invoice"', ['first']],
  ['"invoice the"', []],
  ['invo*', ['sent', 'trashed', 'read', 'first']],
  ['subject:invoice', ['sent', 'trashed', 'first']],
  ['subject:"invoice 17"', ['sent', 'first']],
  ['body:invoice', ['read', 'first']],
  ['from:office', ['report']],
  ['from:office@corp.test', ['report']],
  ['from:Accounts', ['report']],
  ['from:bob', []],
  ['to:bob', ['report']],
  ['to:dora', ['sent']],
  ['to:hello@near.test', ['trashed', 'report', 'read', 'first']],
  ['cc:eve', ['report']],
  ['cc:"eve hall"', ['report']],
  ['filename:turn_2026.pdf', ['report']],
  ['filename:pdf', ['report']],
  ['turnover', ['report']],
  ['hidden', []],
  ['color', []],
  ['has:attachment', ['report']],
  ['invoice has:attachment', []],
  ['-has:attachment is:received', ['trashed', 'read', 'first']],
  ['larger:60k', ['report']],
  ['larger:70k', []],
  ['smaller:60k lunch', ['read']],
  ['-larger:60k invoice subject:17', ['sent', 'first']],
  ['is:unread invoice', ['trashed', 'first']],
  ['is:read', ['sent', 'read']],
  ['-is:unread', ['sent', 'read']],
  ['is:sent', ['sent']],
  ['is:flagged', []],
  ['in:trash', ['trashed']],
  ['in:Inbox invoice', ['read', 'first']],
  ['-in:trash invoice', ['sent', 'read', 'first']],
  ['-invoice', ['report']],
  ['-invoice -turnover', []],
  ['invoice -paid -lunch', ['trashed', 'first']],
  ['after:2026-11-26', ['sent', 'trashed', 'read']],
  ['before:2026-11-26', ['report', 'first']],
  ['after:2026-11-25 before:2026-11-27 -lunch', ['report']],
  ['-after:2026-11-26 invoice', ['first']],
  ['after:2030-01-01', []],
  ['before:1999-01-01', []],
  ['unicorn', []],
])('%s finds %j', async (q, expected) => {
  expect(new Set(names(await found(ctx, q)))).toEqual(new Set(expected))
})

test('what is found comes newest first, and pages lead on in both directions', async () => {
  const all = await found(ctx, 'invoice')
  expect(names(all)).toEqual(['sent', 'trashed', 'read', 'first'])
  const one = await page(ctx, { q: 'invoice', limit: '3' })
  expect(one).toMatchObject({ object: 'list', has_more: true, next: ids.read })
  expect(one.data.map(({ id }) => id)).toEqual(all.slice(0, 3))
  const two = await page(ctx, { q: 'invoice', limit: '3', after: one.next ?? '' })
  expect(two).toMatchObject({ has_more: false })
  expect(two.next).toBeUndefined()
  expect(two.data.map(({ id }) => id)).toEqual(all.slice(3))
  const back = await page(ctx, { q: 'invoice', limit: '2', before: ids.first ?? '' })
  expect(back).toMatchObject({ has_more: true, next: ids.trashed })
  expect(names(back.data.map(({ id }) => id))).toEqual(['trashed', 'read'])
})

test('the other parameters of the list narrow a search too', async () => {
  expect(names(await found(ctx, 'invoice', { direction: 'sent' }))).toEqual(['sent'])
  expect(names(await found(ctx, 'invoice', { mailbox: 'trash' }))).toEqual(['trashed'])
  expect(names(await found(ctx, 'invoice', { address: 'dora@far.test' }))).toEqual([])
  const { data } = await page(ctx, { q: 'friday' })
  expect(names(await found(ctx, 'invoice', { thread: data[0]?.thread ?? '' }))).toEqual(['first'])
  await expect(page(ctx, { q: 'invoice', mailbox: 'attic' })).rejects.toMatchObject({ code: 'not_found' })
  await expect(page(ctx, { q: 'in:attic invoice' })).rejects.toThrow('there is no mailbox "attic"')
  await expect(page(ctx, { q: 'invoice', after: crypto.randomUUID() })).rejects.toThrow('begin again')
})

test('a line shows its preview with the places of the words, and no markup', async () => {
  const { data } = await page(ctx, { q: 'pay "by friday"' })
  expect(data[0]?.snippet?.text).toBe('Please pay the invoice by Friday.')
  const shown = data[0]?.snippet
  expect(shown?.matches.map(([start, end]) => shown.text.slice(start, end))).toEqual(['pay', 'by Friday'])
  const { data: listed } = await page(ctx, {})
  expect(listed[0]).not.toHaveProperty('snippet')
})

test('no query however worded finds a stranger’s mail', async () => {
  const hostile = [
    'unicorn',
    'unicorn OR invoice',
    'invoice OR rowid:*',
    '"invoice" OR "unicorn"',
    'NEAR(unicorn stranger)',
    '* unicorn',
    'invoice\0 unicorn',
    '-nothing',
    'is:received',
    'words MATCH "unicorn"',
    '{subject} : stranger',
    '") OR ("unicorn"',
  ]
  for (const q of hostile) {
    const ours = await page(ctx, { q, limit: '100' }).catch((error: Error) => error)
    if (ours instanceof Error) expect(ours).toMatchObject({ name: 'Problem' })
    else expect(names(ours.data.map(({ id }) => id)), q).not.toContain('a stranger’s')
  }
  expect(await found(other, 'unicorn')).toHaveLength(1)
  const [theirs] = await found(other, 'unicorn')
  await expect(page(ctx, { q: 'invoice', after: theirs ?? '' })).rejects.toThrow('begin again')
})

test('a message that was moved or read is found by what it is now', async () => {
  const id = ids.first ?? ''
  await changeMessage(ctx, id, { keywords: { $seen: true, $flagged: true }, mailbox: 'archive' })
  expect(names(await found(ctx, 'is:flagged in:archive friday'))).toEqual(['first'])
  expect(names(await found(ctx, 'in:inbox friday'))).toEqual([])
})
