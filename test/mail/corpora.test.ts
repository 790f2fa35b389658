import { existsSync, readdirSync, readFileSync } from 'node:fs'
import PostalMime from 'postal-mime'
import { describe, expect, test } from 'vitest'
import { latin1 } from '../../src/base/bytes.ts'
import { marksOf } from '../../src/mail/marks.ts'
import { decodeBytes } from '../../src/mail/mime/decode.ts'
import { MimeIntake } from '../../src/mail/mime/indexer.ts'
import type { Part } from '../../src/mail/mime/parts.ts'
import { findPart, isAttachment } from '../../src/mail/mime/parts.ts'
import { readMessage } from '../../src/mail/mime/read.ts'
import { cutSkeleton, skeletonRanges } from '../../src/mail/mime/skeleton.ts'
import { replyText } from '../../src/mail/reply-text/reply-text.ts'
import { safeHtml } from '../../src/mail/safe-html/safe-html.ts'
import { brokenMails, MAILS, mailBytes } from '../fixtures/mail/mails.ts'

/** Real mail, which is not part of the project: where it is missing, only our own mails are read. */
const corpora = new URL('../../../shared/corpora/', import.meta.url)

function corpus(folder: string): [string, Uint8Array<ArrayBuffer>][] {
  const root = new URL(folder, corpora)
  if (!existsSync(root)) return []
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(?:eml|msg)$/.test(file))
  return files.sort().map((file) => [`${folder}${file}`, new Uint8Array(readFileSync(new URL(file, root)))])
}

const own = Object.entries(MAILS).map(([name, text]): [string, Uint8Array<ArrayBuffer>] => [name, mailBytes(text)])
const real = [...corpus('mime/'), ...corpus('bounces/')]

function index(bytes: Uint8Array, chunk = bytes.length) {
  const intake = new MimeIntake()
  for (let at = 0; at < bytes.length; at += chunk) intake.write(bytes.subarray(at, at + chunk))
  return intake.end()
}

/** What postal-mime finds, once what it finds in a way of its own is set right. */
async function postalMime(bytes: Uint8Array) {
  const mail = await PostalMime.parse(bytes, { forceRfc822Attachments: true })
  const attachments = mail.attachments.map(({ content, contentId, ...rest }) => ({
    filename: rest.filename,
    type: rest.mimeType,
    disposition: rest.disposition,
    contentId: contentId?.replace(/^[^<]*<([^>]*)>.*$/, '$1') ?? null,
    related: rest.related ?? false,
    bytes: typeof content === 'string' ? content : latin1(new Uint8Array(content)),
  }))
  return { ...mail, attachments }
}

// QUIRK: postal-mime ends every line of an attachment in LF alone, adds one at the end, and leaves white space before
// line breaks in quoted-printable (RFC 2045 section 6.7 drops it). We give the bytes as they were sent.
const lines = (text: string) =>
  text
    .replace(/=[ \t]+\r?\n/g, '')
    .replace(/[ \t]*\r*\n/g, '\n')
    .trimEnd()

/** White space within lines counts, empty lines do not: what is converted, and how parts are joined, is each reader's own. */
const words = (text: string | undefined) =>
  (text ?? '')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]*\n+/g, '\n')
    .trim()

/** Where the attachments differ from postal-mime's for a reason. */
const ATTACHMENTS_DIFFER: Record<string, string> = {
  'mime/mail-parser/malformed/017.eml':
    'a semicolon is missing before the boundary, without which postal-mime finds nothing',
  'type without a slash': 'is text/plain to us (RFC 2045 section 5.2) and an attachment to postal-mime',
  'bounces/lhost-x1-02.eml':
    'a semicolon is missing behind text/plain, which makes an attachment of it for postal-mime',
}

/** Types and dispositions that are broken themselves are mended by us and taken as they are by postal-mime. */
function isWellTyped(bytes: Uint8Array): boolean {
  const text = latin1(bytes)
  const broken =
    /^content-(?:type:(?! *[a-z]+\/[a-z0-9-]+ *(?:;|\r*\n|(?![\s\S])))|disposition:(?! *[a-z]+ *(?:;|\r*\n|(?![\s\S]))))/im
  return !broken.test(text)
}

async function agreesWithPostalMime(name: string, bytes: Uint8Array) {
  const { root } = index(bytes)
  const theirs = await postalMime(bytes)
  // QUIRK: a multipart that could not be taken apart is an attachment to us and nothing to postal-mime.
  const ours = readMessage(index(bytes)).attachments.filter(({ type }) => !type.startsWith('multipart/'))
  expect(
    ours.map(({ path: _, size: __, ...seen }) => seen),
    name,
  ).toEqual(theirs.attachments.map(({ bytes: _, ...seen }) => seen))
  for (const [at, { path, size }] of ours.entries()) {
    const part = findPart(root, path)
    if (!part) throw new Error(`no part ${path}`)
    const decoded = decodeBytes(part.encoding, bytes.subarray(part.body, part.body + part.length))
    const expected = theirs.attachments[at]?.bytes ?? ''
    expect(decoded.length, name).toBe(size)
    if (part.encoding === 'base64' && part.type !== 'text/calendar') expect(latin1(decoded), name).toBe(expected)
    else expect(lines(latin1(decoded)), name).toBe(lines(expected))
  }
  return theirs
}

describe.each([
  ['our own mails', own],
  [
    'broken mails',
    brokenMails(300).map((text, at): [string, Uint8Array<ArrayBuffer>] => [
      `broken ${at}: ${JSON.stringify(text)}`,
      mailBytes(text),
    ]),
  ],
  ['real mails', real],
])('%s', (kind, mails) => {
  test.skipIf(mails.length === 0)('are read without a word of complaint, the same for all chunks', () => {
    for (const [name, bytes] of mails) {
      const whole = index(bytes)
      expect(readMessage(whole).problems, name).not.toContain('unparsed')
      for (const chunk of [1, 5, 1000]) {
        const pieces = index(bytes, chunk)
        expect([pieces.root, pieces.problems, pieces.skeleton], name).toEqual([
          whole.root,
          whole.problems,
          whole.skeleton,
        ])
        expect(pieces.fingerprint('a@x.test')).toBe(whole.fingerprint('a@x.test'))
      }
      const cut = skeletonRanges(whole.root).map(({ start, end }) => bytes.slice(start, end))
      expect(cutSkeleton(whole.root, cut), name).toEqual(whole.skeleton)
    }
  })

  test.skipIf(mails.length === 0)('have the attachments that postal-mime finds, with the same bytes', async () => {
    for (const [name, bytes] of mails)
      if (!(name in ATTACHMENTS_DIFFER) && (kind !== 'broken mails' || isWellTyped(bytes)))
        await agreesWithPostalMime(name, bytes)
  })
})

/** Real mails that are marked as signed or as of a list, as their own fields say. */
const MARKED: Record<string, string> = {
  'mime/mail-parser/malformed/015.eml': 'signed pgp',
  'mime/mail-parser/thirdparty/006.eml': 'signed smime',
  'mime/mail-parser/thirdparty/014.eml': 'list shapelib.lists.maptools.org',
  'mime/mikel-mail/mime_emails/raw_email_with_nested_attachment.eml': 'signed smime',
  'mime/mikel-mail/mime_emails/sig_only_email.eml': 'signed pgp',
}

test.skipIf(real.length === 0)('of real mails all is told that programs ask for: marks, what is new, safe HTML', () => {
  const marked: Record<string, string> = {}
  for (const [name, bytes] of real) {
    const indexed = index(bytes)
    const read = readMessage(indexed)
    const marks = marksOf({ root: indexed.root, ...read })
    if (marks?.signed && name.startsWith('mime/')) marked[name] = `signed ${marks.signed}`
    if (marks?.list?.id && name.startsWith('mime/')) marked[name] = `list ${marks.list.id}`
    const reply = replyText(read)
    // What is new is a part of what is there, and never more.
    if (read.text?.trim()) for (const line of (reply ?? '').split('\n')) expect(read.text, name).toContain(line)
    if (read.html === undefined) continue
    const safe = safeHtml(read.html, 'blocked')
    expect(safe.html, name).not.toMatch(/<(?:script|style|form|iframe|meta|link|svg|object)|\son\w+=|javascript:/i)
  }
  expect(marked).toEqual(MARKED)
})

/** Where text differs from postal-mime's for a reason. */
const TEXT_DIFFERS: Record<string, string> = {
  'bounces/lhost-x1-02.eml':
    'a semicolon is missing behind text/plain, which makes an attachment of it for postal-mime',
  'mime/mail-parser/thirdparty/005.eml': 'postal-mime adds a line feed to UTF-16, half a character',
  'mime/mikel-mail/error_emails/content_transfer_encoding_plain.eml': 'Latin-1 without a charset is read as such',
  'bounces/lhost-sendmail-14.eml': 'flowed lines are joined within one quote depth only (RFC 3676 section 4.5)',
}

test.skipIf(real.length === 0)('real mails have the text that postal-mime finds', async () => {
  const differing: string[] = []
  for (const [name, bytes] of real) {
    const ours = readMessage(index(bytes))
    const theirs = await postalMime(bytes)
    expect(words(ours.html), name).toBe(words(theirs.html))
    if (words(ours.text) !== words(theirs.text)) differing.push(name)
  }
  expect(differing.sort()).toEqual(Object.keys(TEXT_DIFFERS).sort())
})

/** Where subject or date differ from postal-mime's for a reason. */
const HEADER_DIFFERS: Record<string, string> = {
  'mime/mikel-mail/error_emails/invalid_subject_characters.eml': 'raw Latin-1 is read as such',
  'mime/mikel-mail/error_emails/trademark_character_in_subject.eml': 'an unknown zone is UTC (RFC 5322 section 4.3)',
  'bounces/rfc3464-36.eml': 'a date with words behind it is still a date',
}

test.skipIf(real.length === 0)('real mails have the names, subjects and dates that postal-mime finds', async () => {
  const differing: string[] = []
  for (const [name, bytes] of real) {
    const ours = readMessage(index(bytes))
    const theirs = await postalMime(bytes)
    const date = Date.parse(theirs.date ?? '')
    const same = (ours.subject || undefined) === theirs.subject && Object.is(ours.date ?? Number.NaN, date)
    if (!same) differing.push(name)
    expect([ours.from?.name ?? '', ours.from?.address ?? ''], name).toEqual([
      theirs.from?.name ?? '',
      theirs.from?.address ?? '',
    ])
  }
  expect(differing.sort()).toEqual(Object.keys(HEADER_DIFFERS).sort())
})

/** The tree as mime4j tells it: `(…)` a multipart, `m` a message within, `-` anything else. */
function shapeOfXml(xml: string): string {
  let shape = ''
  let messages = 0
  for (const [, end, tag] of xml.matchAll(/<(\/?)(multipart|body|message)>/g)) {
    // What a message within consists of is told too, but is one part to us.
    if (tag === 'message') {
      if (!end && ++messages === 2) shape += 'm'
      if (end) messages--
    } else if (messages === 1 && tag === 'multipart') shape += end ? ')' : '('
    else if (messages === 1 && !end) shape += '-'
  }
  return shape
}

function shape(part: Part): string {
  if (part.parts) return `(${part.parts.map(shape).join('')})`
  return part.type === 'message/rfc822' ? 'm' : '-'
}

/** Where the tree differs from mime4j's for a reason. */
const TREE_DIFFERS: Record<string, string> = {
  'mime/mime4j/ending-boundaries.msg':
    'words behind a boundary: mime4j and RFC 2046 ignore them, but then one boundary cannot begin another',
}

test.skipIf(real.length === 0)('real mails have the part tree that mime4j finds', () => {
  const differing: string[] = []
  for (const [name, bytes] of corpus('mime/mime4j/')) {
    const expected = shapeOfXml(readFileSync(new URL(name.replace('.msg', '.xml'), corpora), 'utf8'))
    if (shape(index(bytes).root) !== expected) differing.push(name)
  }
  expect(differing.sort()).toEqual(Object.keys(TREE_DIFFERS).sort())
})

test('what is an attachment is decided for every leaf alike', () => {
  for (const [name, bytes] of own) {
    const { root } = index(bytes)
    const { attachments } = readMessage(index(bytes))
    for (const { path } of attachments) expect(isAttachment(findPart(root, path) ?? root), name).toBe(true)
  }
})
