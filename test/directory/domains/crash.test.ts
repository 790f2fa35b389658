import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { verifyDomain } from '../../../src/directory/domains/check.ts'
import { createDomain, getDomain } from '../../../src/directory/domains/domains.ts'
import { sweepDirectory } from '../../../src/directory/sweep.ts'
import { openStores } from '../../../src/store/stores.ts'
import { env } from '../../support/env.ts'
import { makeAccount } from '../../support/world.ts'
import { makeRemoteWorld } from './zone.ts'

const { world, zone } = await makeRemoteWorld()

test('wherever the Worker dies, a domain is verified in the end, and each step is told once', async () => {
  const ctx = await makeAccount(world)
  for (let calls = 0; ; calls++) {
    const name = `crash${calls}.test`
    const once = { key: name, body: name }
    const dying = dyingAfter(ctx, calls)
    const begun = await createDomain(dying.ctx, { name }, once).catch(() => undefined)
    await world.idle().catch(() => undefined)
    const { id, records } = await createDomain(ctx, { name }, once)
    expect(begun?.id ?? id).toBe(id)
    zone.publish(name, records)
    await verifyDomain(dying.ctx, id).catch(() => undefined)
    await dying.later()
    await sweepDirectory(dying.ctx)

    if ((await getDomain(ctx, id)).status === 'not_started') await verifyDomain(ctx, id)
    for (let minute = 0; minute < 5; minute++) {
      world.pass(60_000)
      await sweepDirectory(world.ctx)
    }
    expect((await getDomain(ctx, id)).status, `dead after ${calls} calls`).toBe('verified')
    const told = await world.ctx.stores.directory.all<{ type: string; status: string }>(
      sql`SELECT type, data ->> '$.status' AS status FROM events
        WHERE account = ${ctx.account.number} AND data ->> '$.id' = ${id} ORDER BY seq`,
    )
    expect(told, `dead after ${calls} calls`).toEqual([
      { type: 'domain.created', status: 'not_started' },
      { type: 'domain.updated', status: 'verified' },
    ])
    // Past the last call there is nothing more to try.
    if (!dying.died()) return
  }
}, 120_000)

/** A Worker that does so many things in storage, does one more without learning of it, and never comes back. */
function dyingAfter(ctx: Caller, calls: number) {
  let done = 0
  const pending: Promise<unknown>[] = []
  const counted = async <T>(act: () => Promise<T>): Promise<T> => {
    if (done > calls) throw new Error('the Worker is dead')
    const last = done++ === calls
    const answer = await act()
    if (last) throw new Error('the Worker is dead')
    return answer
  }
  // The runtime takes its own statements only, so that those of a batch are unwrapped.
  const real = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = new Proxy(statement, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        if (name === 'bind') return (...values: unknown[]) => wrap(target.bind(...values))
        return (...given: unknown[]) => counted(() => member.apply(target, given))
      },
    })
    real.set(wrapped, statement)
    return wrapped
  }
  const database = new Proxy(env.DB, {
    get(target, name) {
      if (name === 'prepare') return (query: string) => wrap(target.prepare(query))
      if (name !== 'batch') return Reflect.get(target, name)
      return (statements: D1PreparedStatement[]) =>
        counted(() => target.batch(statements.map((statement) => real.get(statement) ?? statement)))
    },
  })
  const later = (work: Promise<unknown>) => void pending.push(work.catch(() => undefined))
  return {
    ctx: { ...ctx, stores: openStores({ DB: database }, env.RAW), later },
    later: () => Promise.all(pending),
    died: () => done > calls,
  }
}
