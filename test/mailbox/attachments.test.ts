import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { toBase64, utf8 } from '../../src/base/bytes.ts'
import { makeKeyring } from '../../src/base/seal.ts'
import type { Caller } from '../../src/context.ts'
import {
  downloadRaw,
  followAttachmentLink,
  followRawLink,
  getAttachment,
  listAttachments,
} from '../../src/mailbox/attachments.ts'
import { deleteMessage } from '../../src/mailbox/change.ts'
import { getReceived } from '../../src/mailbox/read.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { file, plain } from './mail.ts'

const world = await makeWorld()

type File = { name: string; bytes: Uint8Array; encoding?: string; more?: string[] }

function mime(files: File[]): string {
  return [
    'From: ann@far.test',
    'Content-Type: multipart/mixed; boundary=m',
    '',
    '--m',
    '',
    'See attached.',
    ...files.flatMap(({ name, bytes, encoding = 'base64', more = [] }) => [
      '--m',
      `Content-Type: application/octet-stream; name="${name}"`,
      `Content-Transfer-Encoding: ${encoding}`,
      ...more,
      '',
      encoding === 'base64' ? toBase64(bytes).replace(/.{76}/g, '$&\r\n') : new TextDecoder().decode(bytes),
    ]),
    '--m--',
    '',
  ].join('\r\n')
}

const bytesOf = async (stream: ReadableStream<Uint8Array>) => new Uint8Array(await new Response(stream).arrayBuffer())
const tokenOf = (url: string) => url.slice(url.lastIndexOf('/') + 1)

async function follow(ctx: Caller, url: string) {
  const answer = await (url.includes('/links/raw/')
    ? followRawLink(world.ctx, tokenOf(url))
    : followAttachmentLink(world.ctx, tokenOf(url)))
  return { ...answer, bytes: await bytesOf(answer.stream), account: ctx.account.number }
}

test('attachments are listed in the order of the mail, page by page, each with a link to its bytes', async () => {
  const ctx = await makeAccount(world)
  const files = Array.from({ length: 5 }, (_, n) => ({ name: `${n}.bin`, bytes: Uint8Array.of(n, 255, 0, n) }))
  const id = await file(ctx, mime(files))
  const all = await listAttachments(ctx, { id }, { limit: 20 })
  expect(all.data.map(({ filename, part, size }) => [filename, part, size])).toEqual(
    files.map(({ name }, n) => [name, String(n + 2), 4]),
  )
  expect(all.data.map((line) => line.id)).toEqual(
    (await getReceived(ctx, id, { body: [], html_format: 'cid' })).attachments.map((line) => line.id),
  )
  for (const [n, line] of all.data.entries()) {
    expect((await follow(ctx, line.download_url)).bytes).toEqual(files[n]?.bytes)
  }
  const ids = all.data.map((line) => line.id)
  const page = async (query: object) => {
    const { data, has_more } = await listAttachments(ctx, { id, direction: 'received' }, { limit: 2, ...query })
    return [data.map((line) => line.id), has_more]
  }
  expect(await page({})).toEqual([ids.slice(0, 2), true])
  expect(await page({ after: ids[1] })).toEqual([ids.slice(2, 4), true])
  expect(await page({ after: ids[3] })).toEqual([ids.slice(4), false])
  expect(await page({ before: ids[3] })).toEqual([ids.slice(1, 3), true])
  expect(await page({ before: ids[1] })).toEqual([ids.slice(0, 1), false])
  expect(await page({ after: crypto.randomUUID() })).toEqual([[], false])
})

test('an attachment is got by its id or by its path, and only from its own message', async () => {
  const ctx = await makeAccount(world)
  const more = ['Content-Disposition: inline', 'Content-ID: <c@x>']
  const id = await file(ctx, mime([{ name: 'a.bin', bytes: utf8('abc'), more }]))
  const other = await file(ctx, mime([{ name: 'b.bin', bytes: utf8('b') }]))
  const byPath = await getAttachment(ctx, { id }, '2')
  expect(byPath).toMatchObject({
    object: 'attachment',
    filename: 'a.bin',
    size: 3,
    content_type: 'application/octet-stream',
    content_disposition: 'inline',
    content_id: 'c@x',
    expires_at: new Date(world.ctx.now() + 3_600_000).toISOString(),
  })
  expect(await getAttachment(ctx, { id, direction: 'received' }, byPath.id)).toEqual(byPath)
  for (const [which, name] of [
    [{ id }, '1'],
    [{ id }, '9'],
    [{ id: other }, byPath.id],
    [{ id, direction: 'sent' as const }, byPath.id],
    [{ id: crypto.randomUUID() }, '2'],
  ] as const) {
    await expect(getAttachment(ctx, which, name)).rejects.toMatchObject({ code: 'not_found' })
  }
  const bob = await makeAccount(world)
  await expect(getAttachment(bob, { id }, '2')).rejects.toMatchObject({ code: 'not_found' })
  await expect(downloadRaw(bob, id)).rejects.toMatchObject({ code: 'not_found' })
})

test('an attachment is read by one ranged get, and its size is told before it is decoded', async () => {
  const ctx = await makeAccount(world)
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 31) & 255)
  const text = utf8('caf=C3=A9 =\r\nau lait')
  const id = await file(
    ctx,
    mime([
      { name: 'big.bin', bytes },
      { name: 'q.txt', bytes: text, encoding: 'quoted-printable' },
      { name: 'e.bin', bytes: new Uint8Array(0) },
      { name: '8.txt', bytes: utf8('plain ü'), encoding: '8bit' },
    ]),
  )
  const { data } = await listAttachments(ctx, { id }, { limit: 9 })
  const gets = world.tally.gets
  const big = await follow(ctx, data[0]?.download_url ?? '')
  expect(world.tally.gets - gets).toBe(1)
  expect(big.size).toBe(bytes.length)
  expect(big.bytes).toEqual(bytes)
  const rest = await Promise.all(data.slice(1).map((line) => follow(ctx, line.download_url)))
  expect(rest.map((line) => new TextDecoder().decode(line.bytes))).toEqual(['café au lait', '', 'plain ü'])
  expect(rest.map((line) => line.size)).toEqual(rest.map((line) => line.bytes.length))
})

test('a part that could not be taken apart, and a mail within a mail, can be downloaded as they are', async () => {
  const ctx = await makeAccount(world)
  const lost =
    'Content-Type: multipart/mixed; boundary=none\r\nContent-Transfer-Encoding: base64\r\n\r\nno such boundary'
  const one = await file(ctx, lost)
  const { data } = await listAttachments(ctx, { id: one }, { limit: 9 })
  const whole = await follow(ctx, data[0]?.download_url ?? '')
  expect(new TextDecoder().decode(whole.bytes)).toBe('no such boundary')
  expect(whole.size).toBe(16)
  const inner = plain('inner')
  const two = await file(ctx, `Content-Type: message/rfc822\r\n\r\n${inner}`)
  const nested = await getAttachment(ctx, { id: two }, '1')
  expect(new TextDecoder().decode((await follow(ctx, nested.download_url)).bytes)).toBe(inner)
})

test('the raw message is what came, byte for byte, by key and by link', async () => {
  const ctx = await makeAccount(world)
  const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 13) & 255)
  const id = await file(ctx, bytes)
  const raw = await downloadRaw(ctx, id)
  expect([raw.size, raw.type, raw.filename]).toEqual([bytes.length, 'message/rfc822', `${id}.eml`])
  expect(await bytesOf(raw.stream)).toEqual(bytes)
  const url = (await getReceived(ctx, id, { body: [], html_format: 'cid' })).raw?.download_url ?? ''
  expect((await follow(ctx, url)).bytes).toEqual(bytes)
})

test('a link is refused the same way when it is false, expired, of another kind, or what it led to is gone', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime([{ name: 'a.bin', bytes: utf8('abc') }]))
  const attachment = tokenOf((await getAttachment(ctx, { id }, '2')).download_url)
  const raw = tokenOf((await getReceived(ctx, id, { body: [], html_format: 'cid' })).raw?.download_url ?? '')
  const refusals: string[] = []
  const refused = async (follow: Promise<unknown>) => {
    const error = await follow.then(() => new Error('it was followed')).catch((thrown: Error) => thrown)
    refusals.push(error.message)
    expect(error).toMatchObject({ code: 'not_found' })
  }
  const [text = '', proof = ''] = attachment.split('.')
  const forge = (from: string, to: string) => `${btoa(atob(text).replace(from, to)).replaceAll('=', '')}.${proof}`
  for (const token of [
    '',
    'x',
    '.',
    `${text}.`,
    `.${proof}`,
    '%',
    `${text}.${proof.slice(0, 10)}`,
    raw,
    'a'.repeat(1e5),
  ]) {
    await refused(followAttachmentLink(world.ctx, token))
  }
  await refused(followRawLink(world.ctx, attachment))
  await refused(followAttachmentLink(world.ctx, forge(' 2 ', ' 1 ')))
  await refused(followAttachmentLink(world.ctx, forge(` ${ctx.account.number} `, ' 999 ')))
  const expires = Math.floor(world.ctx.now() / 1000) + 3600
  await refused(followAttachmentLink(world.ctx, forge(String(expires), String(expires + 9))))

  world.pass(3_599_000)
  await followAttachmentLink(world.ctx, attachment)
  world.pass(1_000)
  await refused(followAttachmentLink(world.ctx, attachment))

  const fresh = tokenOf((await getAttachment(ctx, { id }, '2')).download_url)
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET state = 'closing' WHERE account = ${ctx.account.number}`,
  ])
  await refused(followAttachmentLink(world.ctx, fresh))
  await runBatch(ctx.stores.directory, [
    sql`UPDATE counters SET state = 'active' WHERE account = ${ctx.account.number}`,
  ])
  await followAttachmentLink(world.ctx, fresh)
  await deleteMessage(ctx, id, true)
  await refused(followAttachmentLink(world.ctx, fresh))
  expect(new Set(refusals)).toHaveLength(1)
})

test('a link signed under the secret before this one is still good', async () => {
  const ctx = await makeAccount(world)
  const id = await file(ctx, mime([{ name: 'a.bin', bytes: utf8('abc') }]))
  const token = tokenOf((await getAttachment(ctx, { id }, '2')).download_url)
  const keyring = await makeKeyring('another-secret-0123456789-0123456789', ctx.config.SECRET)
  expect(await bytesOf((await followAttachmentLink({ ...world.ctx, keyring }, token)).stream)).toEqual(utf8('abc'))
})
