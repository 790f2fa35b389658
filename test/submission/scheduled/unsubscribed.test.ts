import { expect, test } from 'vitest'
import { leave } from '../../../src/feedback/unsubscribes.ts'
import { sweepScheduled } from '../../../src/submission/scheduled/release.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { countersOf, eventsOf, HOUR, rowOf, schedule } from './scene.ts'

const linkIn = (mime: string) => /^List-Unsubscribe: <[^>]+\/unsubscribe\/([^>]+)>/m.exec(mime)?.[1] ?? ''

test('who leaves a list while mail for it waits is left out when it is released; other mail goes, signed with its link', async () => {
  const world = await makeWorld()
  const ctx = await makeAccount(world)
  const [first, second, other] = [
    await schedule(ctx, 'in 1 hour', { unsubscribe: { list: 'news' } }),
    await schedule(ctx, 'in 1 hour', { unsubscribe: { list: 'news' }, to: 'stays@y.test' }),
    await schedule(ctx, 'in 1 hour', { unsubscribe: { list: 'other' } }),
  ]
  await leave(ctx, linkIn((await rowOf(ctx, first)).mime.replace(/\r\n[ \t]+/g, ' ')))
  world.pass(2 * HOUR)
  await sweepScheduled(ctx)
  expect(await rowOf(ctx, first)).toMatchObject({ last_event: 'suppressed', due: null })
  for (const id of [second, other]) {
    const { last_event, due, mime } = await rowOf(ctx, id)
    expect([last_event, due]).toEqual(['queued', world.ctx.now()])
    expect(mime).toMatch(/^DKIM-Signature: /)
  }
  expect(await countersOf(ctx)).toMatchObject({ sent: 2 })
  const told = (await eventsOf(ctx)).filter(({ type }) => type === 'email.suppressed')
  expect(told).toMatchObject([
    { data: { email_id: first, suppressed: { type: 'Unsubscribed', reason: 'unsubscribed' } } },
  ])
})
