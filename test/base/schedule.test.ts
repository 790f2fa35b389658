import { expect, test } from 'vitest'
import { RELAY_GIVE_UP, relayRetryDelay, webhookRetryDelay } from '../../src/base/schedule.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** The delays of one delivery that is deferred every time, each attempt taking no time. */
function wholeLife(randomUnit: number): number[] {
  const delays: number[] = []
  let age = 0
  for (let attempt = 1; ; attempt++) {
    const delay = relayRetryDelay(attempt, age, randomUnit)
    if (delay === undefined) return delays
    delays.push(delay)
    age += delay
  }
}

test('a deferred delivery is retried within a minute, then ever less often, for two days', () => {
  const minutes = wholeLife(0.5).map((delay) => delay / MINUTE)
  expect(minutes).toEqual([1, 5, 15, 30, 60, 120, 240, 480, 480, 480, 480, 480])
})

test('no retry is set for later than two days, however the dice fall', () => {
  expect(RELAY_GIVE_UP).toBe(48 * HOUR)
  for (const randomUnit of [0, 0.3, 0.7, 0.999]) {
    const total = wholeLife(randomUnit).reduce((sum, delay) => sum + delay, 0)
    expect(total).toBeLessThanOrEqual(RELAY_GIVE_UP)
    expect(total).toBeGreaterThan(RELAY_GIVE_UP - 10 * HOUR)
  }
  expect(relayRetryDelay(1, RELAY_GIVE_UP - MINUTE, 0.5)).toBe(MINUTE)
  expect(relayRetryDelay(1, RELAY_GIVE_UP - MINUTE + 1, 0.5)).toBeUndefined()
})

test('each delay lies within a fifth of its step', () => {
  expect(relayRetryDelay(1, 0, 0)).toBe(48_000)
  expect(relayRetryDelay(1, 0, 0.999999)).toBe(72_000)
  expect(webhookRetryDelay(1, 0)).toBe(4_000)
  expect(webhookRetryDelay(9, 0.999999)).toBeCloseTo(28.8 * HOUR, -3)
})

test('an endpoint is told at once, then nine times more over three days', () => {
  const hours = Array.from({ length: 11 }, (_, attempt) => webhookRetryDelay(attempt, 0.5))
  expect(hours).toEqual([
    0,
    5_000,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
    undefined,
  ])
})
