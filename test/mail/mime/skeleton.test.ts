import { expect, test } from 'vitest'
import { latin1 } from '../../../src/base/bytes.ts'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { cutSkeleton, MAX_PARSED_BYTES, skeletonRanges } from '../../../src/mail/mime/skeleton.ts'
import { brokenMails, MAILS, mailBytes } from '../../fixtures/mail/mails.ts'

function index(bytes: Uint8Array) {
  const intake = new MimeIntake()
  intake.write(bytes)
  return intake.end()
}

const part = (type: string, length: number) => `--b\r\nContent-Type: ${type}\r\n\r\n${'x'.repeat(length)}\r\n`
const mixed = (...parts: string[]) => `Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join('')}--b--\r\n`

test('the skeleton is the message without the bodies of its attachments', () => {
  const text = MAILS['text and attachment'] ?? ''
  expect(latin1(index(mailBytes(text)).skeleton)).toBe(text.replace('JVBERi0xLjQK\r\nJSVFT0Y=', ''))
  const attached = mixed('--b\r\nContent-Disposition: attachment\r\n\r\ntext to keep apart\r\n')
  expect(latin1(index(mailBytes(attached)).skeleton)).toBe(attached.replace('text to keep apart', ''))
})

test('cut out of the stored message it is the same as while that streamed in', () => {
  const large = mixed(
    part('text/plain', 10),
    part('a/b', 200_000),
    part('text/html', 10),
    part('a/b', 70_000),
    part('a/b', 5),
  )
  for (const text of [large, ...Object.values(MAILS), ...brokenMails(1000)]) {
    const bytes = mailBytes(text)
    const { root, skeleton } = index(bytes)
    const pieces = skeletonRanges(root).map(({ start, end }) => bytes.slice(start, end))
    expect(cutSkeleton(root, pieces)).toEqual(skeleton)
  }
})

test('few reads are needed: one for a small message, one around each large attachment for others', () => {
  const small = index(mailBytes(mixed(part('text/plain', 10), part('a/b', 60_000), part('text/html', 10)))).root
  expect(skeletonRanges(small)).toEqual([{ start: 0, end: small.length + small.body }])
  const large = index(mailBytes(mixed(part('text/plain', 10), part('a/b', 1_000_000), part('text/html', 10)))).root
  const attachment = large.parts?.[1]
  expect(skeletonRanges(large)).toEqual([
    { start: 0, end: attachment?.body },
    { start: (attachment?.body ?? 0) + 1_000_000, end: large.body + large.length },
  ])
})

test('more than two megabytes are never held, read or parsed, and the code says so', () => {
  const over = mailBytes(mixed(part('text/plain', 1_500_000), part('a/b', 500_000), part('text/plain', 1_500_000)))
  const { root, skeleton, problems } = index(over)
  const ranges = skeletonRanges(root)
  expect(skeleton).toHaveLength(MAX_PARSED_BYTES)
  expect(problems).toEqual(['skeleton_limit'])
  expect(ranges.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(MAX_PARSED_BYTES)
  expect(
    cutSkeleton(
      root,
      ranges.map(({ start, end }) => over.slice(start, end)),
    ),
  ).toEqual(skeleton)
})
