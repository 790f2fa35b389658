import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { isUuid, uuidv7 } from '../../src/base/id.ts'
import { MimeIntake } from '../../src/mail/mime/indexer.ts'
import { attachmentIds, findAttachment } from '../../src/record/attachment-id.ts'

const message = uuidv7(Date.UTC(2026, 10, 23), new Uint8Array(10).fill(7))
const root = rootOf(
  [
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    '',
    'text',
    ...Array.from({ length: 300 }, (_, n) => `--b\nContent-Type: image/png; name=${n}.png\n\n${n}`),
    '--b--',
  ].join('\n'),
)

function rootOf(text: string) {
  const intake = new MimeIntake()
  intake.write(utf8(text))
  return intake.end().root
}

test('every attachment has a UUID of its own, the same each time, and other than another message’s', () => {
  const ids = attachmentIds(message, root)
  expect(ids.size).toBe(300)
  expect(new Set(ids.values()).size).toBe(300)
  expect([...ids.values()].every(isUuid)).toBe(true)
  expect(attachmentIds(message, structuredClone(root))).toEqual(ids)
  const other = attachmentIds(uuidv7(Date.UTC(2026, 10, 23), new Uint8Array(10).fill(8)), root)
  expect([...other.values()].some((id) => [...ids.values()].includes(id))).toBe(false)
})

test('an attachment is found by its id and by its path, and the text is none', () => {
  const id = attachmentIds(message, root).get('299') ?? ''
  expect(findAttachment(message, root, id)).toMatchObject({ path: '299' })
  expect(findAttachment(message, root, '299')).toMatchObject({ filename: '297.png' })
  expect(findAttachment(message, root, '1')).toBeUndefined()
  expect(findAttachment(message, root, message)).toBeUndefined()
})
