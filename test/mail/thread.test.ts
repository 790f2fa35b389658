import { expect, test } from 'vitest'
import { messageIds, normalId, referenceIds, threadRoot } from '../../src/mail/thread.ts'

const none = { messageId: undefined, inReplyTo: [], references: [] }

test.each([
  ['<a@x> <b@y>', ['a@x', 'b@y']],
  ['<a@x><b@y>\t<a@x>', ['a@x', 'b@y']],
  ['Your letter of Monday <a@x> (a comment)', ['a@x']],
  ['< a@x >', ['a@x']],
  ['<<a@x>>', ['a@x']],
  ['<a@x', []],
  ['a@x b@y, c', ['a@x', 'b@y']],
  ['nothing', []],
  ['<>', []],
  [`<${'x'.repeat(999)}> <b@y>`, ['b@y']],
  [`<${'x'.repeat(998)}>`, ['x'.repeat(998)]],
  ['', []],
])('%.40s names the messages %j', (field, ids) => {
  expect(messageIds(field)).toEqual(ids)
})

test('a reply belongs to what it refers to: References, then In-Reply-To', () => {
  const reply = { messageId: '3@x', inReplyTo: ['2@x', '9@X.Test'], references: ['1@x', '2@x'] }
  expect(referenceIds(reply)).toEqual(['1@x', '2@x', '9@x.test'])
  expect(threadRoot(reply)).toBe('1@x')
  expect(threadRoot({ ...reply, references: [] })).toBe('2@x')
  expect(threadRoot({ ...none, messageId: '3@x' })).toBe('3@x')
  expect(threadRoot(none)).toBeUndefined()
})

test('an id that was folded or whose domain changed case is the same id', () => {
  expect(normalId('Ab C@Mail.X.Test')).toBe('AbC@mail.x.test')
  expect(normalId('NoDomain')).toBe('NoDomain')
})

test('a field full of open brackets takes no time', () => {
  const from = performance.now()
  for (const field of ['<'.repeat(2e6), '<>'.repeat(1e6), '<<>'.repeat(7e5), '@ '.repeat(1e6)]) messageIds(field)
  expect(performance.now() - from).toBeLessThan(2000)
})
