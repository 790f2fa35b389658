import { expect, test } from 'vitest'
import { Gate } from '../../src/relay/gate.ts'

test('no more than the places pass at a time, in the order they came, whatever becomes of them', async () => {
  const gate = new Gate(2)
  let inside = 0
  let most = 0
  const order: number[] = []
  const visits = Array.from({ length: 8 }, (_, at) =>
    gate.pass(async () => {
      order.push(at)
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 1))
      inside--
      if (at % 3 === 0) throw new Error('this one fails')
    }),
  )
  await Promise.allSettled(visits)
  expect(most).toBe(2)
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})
