/** Counts what a request costs: D1 round trips and rows written, R2 operations. The benchmark reads it; so may a developer. */

export type Tally = { trips: number; written: number; read: number; puts: number; gets: number }

export function newTally(): Tally {
  return { trips: 0, written: 0, read: 0, puts: 0, gets: 0 }
}

/** The same database, each call of which is counted. */
export function counting(database: D1Database, tally: Tally): D1Database {
  const real = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const unwrap = (statement: D1PreparedStatement) => real.get(statement) ?? statement

  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = new Proxy(statement, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        if (name === 'bind') return (...values: unknown[]) => wrap(target.bind(...values))
        return async (...given: unknown[]) => {
          tally.trips++
          const answer: unknown = await member.apply(target, given)
          add(tally, answer)
          return answer
        }
      },
    })
    real.set(wrapped, statement)
    return wrapped
  }

  return new Proxy(database, {
    get(target, name) {
      if (name === 'prepare') return (query: string) => wrap(target.prepare(query))
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) => {
          tally.trips++
          const answers = await target.batch(statements.map(unwrap))
          for (const answer of answers) add(tally, answer)
          return answers
        }
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function add(tally: Tally, answer: unknown): void {
  if (typeof answer !== 'object' || answer === null || !('meta' in answer)) return
  const meta = answer.meta
  if (typeof meta !== 'object' || meta === null) return
  if ('rows_written' in meta && typeof meta.rows_written === 'number') tally.written += meta.rows_written
  if ('rows_read' in meta && typeof meta.rows_read === 'number') tally.read += meta.rows_read
}
