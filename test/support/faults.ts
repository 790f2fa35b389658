/** Storage that fails when it is told to: before the write, or after it, so that only the acknowledgement is lost. */

export type Faults = {
  /** What becomes of the next batches, one after the other; when it is empty, they just work. */
  batches: ('fail' | 'lose-answer' | 'pass')[]
  puts: ('fail' | 'lose-answer' | 'pass')[]
  /** Every read fails too while this is set. */
  down: boolean
}

export function noFaults(): Faults {
  return { batches: [], puts: [], down: false }
}

/** D1's batch under the given faults. */
export function faultyDatabase(database: D1Database, faults: Faults): D1Database {
  return new Proxy(database, {
    get(target, name) {
      if (name === 'batch') {
        return (statements: D1PreparedStatement[]) => faulty(faults, faults.batches, () => target.batch(statements))
      }
      if (name === 'prepare' && faults.down) throw new Error('D1_ERROR: storage is down')
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** R2's put under the given faults. */
export function faultyBucket(bucket: R2Bucket, faults: Faults): R2Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name !== 'put') return member.bind(target)
      return (...given: unknown[]) => faulty(faults, faults.puts, () => member.apply(target, given))
    },
  })
}

async function faulty<T>(faults: Faults, plan: Faults['batches'], act: () => Promise<T>): Promise<T> {
  if (faults.down) throw new Error('D1_ERROR: storage is down')
  const fate = plan.shift() ?? 'pass'
  if (fate === 'fail') throw new Error('D1_ERROR: Network connection lost.')
  const answer = await act()
  if (fate === 'lose-answer') throw new Error('D1_ERROR: Network connection lost.')
  return answer
}
