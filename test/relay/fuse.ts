/** Stores and network in which one operation fails, or with which everything ends. */
import type { Context } from '../../src/context.ts'
import { openStores } from '../../src/store/stores.ts'
import { env } from '../support/env.ts'

/**
 * before: the operation is not done, and fails. after: it is done, and its answer is lost.
 * dead: from there on nothing is done any more, as when the isolate ends.
 */
export type Failure = 'before' | 'after' | 'dead'

export class Fuse {
  /** How many operations there were. */
  steps = 0
  blown = false
  private readonly at: number
  private readonly how: Failure
  private readonly onDeath: () => void

  constructor(at: number, how: Failure, onDeath: () => void) {
    this.at = at
    this.how = how
    this.onDeath = onDeath
  }

  async pass<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.steps++ === this.at
    if (mine) this.blow()
    if (this.how === 'dead' ? this.blown : mine && this.how === 'before') throw new Error('the operation failed')
    const answer = await act()
    if (mine && this.how === 'after') throw new Error('the acknowledgement was lost')
    return answer
  }

  /** A point at which only death can strike. */
  note(): void {
    if (this.how === 'dead' && this.steps++ === this.at) this.blow()
  }

  private blow(): void {
    this.blown = true
    if (this.how === 'dead') this.onDeath()
  }
}

/** The same context, each operation on stores and network going through the fuse. */
export function fused(ctx: Context, fuse: Fuse): Context {
  const raw = new Proxy(env.RAW, {
    get(bucket, name) {
      const member = Reflect.get(bucket, name)
      return typeof member === 'function'
        ? (...given: unknown[]) => fuse.pass(() => member.apply(bucket, given))
        : member
    },
  })
  return {
    ...ctx,
    stores: openStores({ DB: fusedDatabase(env.DB, fuse) }, raw),
    net: { ...ctx.net, connect: (to) => fuse.pass(() => ctx.net.connect(to)) },
  }
}

function fusedDatabase(database: D1Database, fuse: Fuse): D1Database {
  const real = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = new Proxy(statement, {
      get(target, name) {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        if (name === 'bind') return (...values: unknown[]) => wrap(target.bind(...values))
        return (...given: unknown[]) => fuse.pass(() => member.apply(target, given))
      },
    })
    real.set(wrapped, statement)
    return wrapped
  }
  return new Proxy(database, {
    get(target, name) {
      if (name === 'prepare') return (query: string) => wrap(target.prepare(query))
      if (name === 'batch') {
        return (statements: D1PreparedStatement[]) =>
          fuse.pass(() => target.batch(statements.map((statement) => real.get(statement) ?? statement)))
      }
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
