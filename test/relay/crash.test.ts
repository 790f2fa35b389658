import { expect, test } from 'vitest'
import { relayBatch } from '../../src/relay/relay.ts'
import { sweepRelay } from '../../src/relay/sweep.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { type Failure, Fuse, fused } from './fuse.ts'
import { eventsOf, putOutbox, readOutbox } from './outbox.ts'
import { Remote } from './remote.ts'

const MINUTE = 60_000
const RELAY_URL = 'smtp://127.0.0.1:2525'

/** Relays three messages with a failure at a point, lets time pass and the sweep go on, and checks the law. False once the point is past the end. */
async function survives(at: number, how: Failure): Promise<boolean> {
  const remote = new Remote()
  const world = await makeWorld({ net: { connect: remote.connect }, config: { RELAY_URL } })
  const { ctx } = world
  const { account } = await makeAccount(world)
  const to = [['a@there.test'], ['b@there.test', 'c@there.test'], ['d@there.test']]
  const ids: string[] = []
  for (const recipients of to) ids.push(await putOutbox(ctx, account, recipients))

  const fuse = new Fuse(at, how, () => remote.cut())
  remote.manners = { step: () => fuse.note() }
  await relayBatch(fused(ctx, fuse), [{ account, messages: ids }]).catch(() => undefined)
  remote.manners = {}

  for (let tick = 0; tick < 40; tick++) {
    world.pass(MINUTE)
    await sweepRelay(ctx)
    const woken = world.woken.splice(0).filter(({ account: id }) => id === account.id)
    await relayBatch(
      ctx,
      woken.map(({ messages }) => ({ account, messages })),
    )
  }

  const rows = await Promise.all(ids.map((id) => readOutbox(ctx, account, id)))
  const counts = remote.counts()
  for (const row of rows) {
    expect(row).toMatchObject({ last_event: 'sent', due: null, claim: null })
    for (const { address, state, unknown } of row.recipients) {
      expect(state).toBe('sent')
      expect(counts[address]).toBeGreaterThanOrEqual(1)
      if (unknown !== true) expect(counts[address], `${address} at ${how} ${at}`).toBe(1)
    }
  }
  const sent = (await eventsOf(ctx, account)).filter(({ type }) => type === 'email.sent')
  const told = sent.flatMap(({ data }) => data.recipients).sort()
  expect(told, `events at ${how} ${at}`).toEqual(to.flat())
  return fuse.blown
}

test.each<Failure>(['before', 'after', 'dead'])(
  'whatever operation fails (%s), nothing is lost, and nothing is sent twice but what is recorded as unknown',
  { timeout: 120_000 },
  async (how) => {
    let at = 0
    while (await survives(at, how)) at++
    expect(at).toBeGreaterThan(4)
  },
)
