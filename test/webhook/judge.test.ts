import { expect, test } from 'vitest'
import type { GuardedAnswer } from '../../src/context.ts'
import { judge } from '../../src/webhook/judge.ts'
import { answered, silent } from './receiver.ts'

const NOW = 1_800_000_000_000

/** Milliseconds until the next try, with chance in the middle. */
const wait = (answer: GuardedAnswer, tries = 1) => {
  const { due } = judge(answer, tries, NOW, 0.5)
  return due === null ? null : due - NOW
}

test.each([200, 201, 204, 299])('%i is success', (status) => {
  expect(judge(answered(status, 'thanks'), 1, NOW, 0.5)).toEqual({
    status: 'success',
    due: null,
    code: status,
    response: 'thanks',
    gone: false,
  })
})

test.each([100, 301, 302, 307, 308, 400, 401, 404, 500, 503])('%i is a failure, tried again', (status) => {
  expect(judge(answered(status), 1, NOW, 0.5)).toMatchObject({ status: 'pending', due: NOW + 5000, gone: false })
})

test('410 is the end', () => {
  expect(judge(answered(410), 1, NOW, 0.5)).toMatchObject({ status: 'failed', due: null, gone: true })
})

test('the steps are those of the schedule, each a fifth less or more by chance', () => {
  const seconds = Array.from({ length: 10 }, (_, at) => wait(answered(500), at + 1)).map((ms) => ms && ms / 1000)
  expect(seconds).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, null])
  expect(judge(answered(500), 2, NOW, 0)).toMatchObject({ due: NOW + 240_000 })
  expect(judge(answered(500), 2, NOW, 1)).toMatchObject({ due: NOW + 360_000 })
  expect(judge(answered(500), 10, NOW, 0.5)).toMatchObject({ status: 'failed', due: null, gone: false })
})

test('429 and silence wait a minute at least; what is refused or broken off does not', () => {
  expect(wait(answered(429))).toBe(60_000)
  expect(wait(silent)).toBe(60_000)
  expect(wait(silent, 2)).toBe(300_000)
  expect(wait({ kind: 'failed', reason: 'no answer', timeout: false })).toBe(5000)
  expect(wait({ kind: 'refused', reason: 'private' })).toBe(5000)
})

test('Retry-After is honoured between the planned wait and twice that', () => {
  const asks = (value: string, status = 503) => wait(answered(status, '', { 'retry-after': value }), 2)
  expect(asks('1')).toBe(300_000)
  expect(asks('400')).toBe(400_000)
  expect(asks('86400')).toBe(600_000)
  expect(asks('999999999999999999')).toBe(300_000)
  expect(asks('-5')).toBe(300_000)
  expect(asks('soon')).toBe(300_000)
  expect(asks(new Date(NOW + 450_000).toUTCString())).toBe(450_000)
  expect(asks(new Date(NOW - 450_000).toUTCString())).toBe(300_000)
  expect(wait(answered(429, '', { 'retry-after': '90' }))).toBe(90_000)
})

test('only the beginning of an answer is kept, as text that a log can hold', () => {
  const { response } = judge(answered(500, `\x1b[31m\0${'ä'.repeat(5000)}`), 1, NOW, 0.5)
  expect(response).toHaveLength(500)
  expect(response.startsWith(' [31m ä')).toBe(true)
  const broken: GuardedAnswer = {
    ...answered(500),
    kind: 'answered',
    status: 500,
    headers: new Headers(),
    body: Uint8Array.of(0xff, 0xfe, 0x41),
  }
  expect(judge(broken, 1, NOW, 0.5).response).toBe('\ufffd\ufffdA')
})
