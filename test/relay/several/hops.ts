/** Several relays of one account, each a server of its own with its own manners. */
import { sql } from 'drizzle-orm'
import type { Net } from '../../../src/context.ts'
import { forgetRelays } from '../../../src/directory/relays/next-hop.ts'
import { relayBatch } from '../../../src/relay/relay.ts'
import { asHealth, type RelayHealth } from '../../../src/store/relays/health.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { run } from '../outbox.ts'
import { type Manners, Remote } from '../remote.ts'

export type Hop = {
  manners?: Manners
  /** Instead of speaking SMTP. */
  connect?: Net['connect']
  settings?: Record<string, unknown>
  kind?: 'smtp' | 'cloudflare'
  verp?: boolean
}

/** Relays named by the keys, tried in their order; `time.real` lets the clock run. */
export async function hops(relays: Record<string, Hop>, net: Partial<Net> = {}) {
  const remotes: Record<string, Remote> = {}
  const connect: Net['connect'] = (to) => {
    const name = to.host.replace('.example', '')
    const remote = remotes[name]
    if (!remote) throw new Error(`nobody is ${name}`)
    remote.asked.push(to.host)
    return relays[name]?.connect?.(to) ?? remote.connect(to)
  }
  const world = await makeWorld({ net: { connect, ...net }, config: { RELAY_URL: '' } })
  const { account } = await makeAccount(world)
  const time = { real: false, since: Date.now() }
  const ctx = { ...world.ctx, now: () => world.ctx.now() + (time.real ? Date.now() - time.since : 0) }
  for (const [at, [name, { manners, settings, kind = 'smtp', verp = false }]] of Object.entries(relays).entries()) {
    remotes[name] = new Remote(manners)
    const json = settings ? JSON.stringify(settings) : null
    await run(
      ctx,
      sql`INSERT INTO relays (account, id, domain, name, host, port, security, verp, created_at, kind, priority, settings)
        VALUES (${account.number}, ${name}, NULL, ${name}, ${`${name}.example`}, 2525, 'none', ${verp ? 1 : 0}, 0, ${kind}, ${at}, ${json})`,
    )
  }
  forgetRelays()
  const remote = (name: string): Remote => {
    const found = remotes[name]
    if (!found) throw new Error(`nobody is ${name}`)
    return found
  }
  return {
    world,
    ctx,
    account,
    remote,
    letTimeRun: () => {
      time.real = true
      time.since = Date.now()
    },
    relay: (...messages: string[]) => relayBatch(ctx, [{ account, messages }]),
    /** Who took what, by relay. */
    taken: () =>
      Object.fromEntries(Object.entries(remotes).map(([name, { taken }]) => [name, taken.flatMap(({ to }) => to)])),
    /** How often each address was sent to, over all relays. */
    counts: () => {
      const counts: Record<string, number> = {}
      for (const { taken } of Object.values(remotes)) {
        for (const to of taken.flatMap((mail) => mail.to)) counts[to] = (counts[to] ?? 0) + 1
      }
      return counts
    },
    health: async (name: string): Promise<RelayHealth> => {
      const [row] = await ctx.stores.directory.all<{ health: string | null }>(
        sql`SELECT health FROM relays WHERE account = ${account.number} AND id = ${name}`,
      )
      return asHealth(row?.health ?? null)
    },
  }
}
