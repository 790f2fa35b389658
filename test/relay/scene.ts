/** An account with a relay before it that keeps what it is given. */
import { relayBatch } from '../../src/relay/relay.ts'
import { makeAccount, makeWorld } from '../support/world.ts'
import { type Manners, Remote } from './remote.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** A relay that gets the sender's own return path. */
export const PLAIN = 'smtp://127.0.0.1:2525?verp=false'

export async function scene(manners: Manners = {}, url = 'smtp://127.0.0.1:2525') {
  const remote = new Remote(manners)
  const world = await makeWorld({ net: { connect: remote.connect }, config: { RELAY_URL: url } })
  const { account } = await makeAccount(world)
  const { ctx } = world
  const relay = (...messages: string[]) => relayBatch(ctx, [{ account, messages }])
  return { world, ctx, account, remote, relay }
}
