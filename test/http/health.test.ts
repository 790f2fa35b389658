import { expect, test } from 'vitest'
import { call } from '../support/api.ts'

test('health says ok while the databases answer', async () => {
  const answer = await call('GET', '/health')
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({ status: 'ok' })
})
