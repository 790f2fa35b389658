import { expect, test } from 'vitest'
import { readSchedule } from '../../../src/submission/scheduled/when.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const HOUR = 3_600_000

test('an instant needs its zone, and is read in every form of ISO 8601 that clients write', () => {
  for (const text of [
    '2026-11-23T13:00:00Z',
    '2026-11-23T13:00Z',
    '2026-11-23T13:00:00.000Z',
    '2026-11-23 13:00:00.000000+00',
    '2026-11-23T18:00:00+05:00',
    '2026-11-23T18:00:00 +0500',
    '2026-11-23t08:00:00-05:00',
    ' 2026-11-23T13:00:00Z ',
  ]) {
    if (text.endsWith('+00')) expect(() => readSchedule(text, NOW), text).toThrow('no time that we understand')
    else expect(readSchedule(text, NOW), text).toBe(NOW + HOUR)
  }
  expect(readSchedule('2026-11-23T13:00:00.123456Z', NOW)).toBe(NOW + HOUR + 123)
})

test('a delay is read in the words that people use', () => {
  const lengths: Record<string, number> = {
    'in 1 min': 60_000,
    'In 5 minutes': 300_000,
    'in 90 mins': 5_400_000,
    'in an hour': HOUR,
    'in a day': 24 * HOUR,
    'in 2 hours': 2 * HOUR,
    'in 3  days': 72 * HOUR,
    'in 1 week': 168 * HOUR,
    'in 2h': 2 * HOUR,
  }
  for (const [text, length] of Object.entries(lengths)) expect(readSchedule(text, NOW), text).toBe(NOW + length)
})

test('what is no time, is past or over a year away is refused, with the fix', () => {
  for (const text of [
    '',
    'tomorrow',
    'in minutes',
    'in -1 hours',
    'in 1 month',
    'in 1.5 hours',
    '2026-11-23T13:00:00',
    '2026-11-23',
    '2027-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-23T25:00:00Z',
    '2026-11-23T13:00:00+25:00',
    `in ${'9'.repeat(60)} minutes`,
  ]) {
    expect(() => readSchedule(text, NOW), text).toThrow('no time that we understand')
  }
  for (const text of ['2026-11-23T12:00:00Z', '2020-01-01T00:00:00Z', 'in 0 minutes']) {
    expect(() => readSchedule(text, NOW), text).toThrow('past')
  }
  expect(() => readSchedule('in 367 days', NOW)).toThrow('over a year')
  expect(readSchedule('in 366 days', NOW)).toBe(NOW + 366 * 24 * HOUR)
})
