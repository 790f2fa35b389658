/** What a process tree holds in memory, as Linux tells it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const MIB = 1024 * 1024

export type Memory = {
  /** MiB resident when it began. */
  before: number
  /** The most that was held at any time since. */
  peak: number
}

/** Runs the work and tells what the workerd processes below `pid` held meanwhile; undefined where there is no /proc. */
export async function watchMemory(pid: number, work: () => Promise<unknown>): Promise<Memory | undefined> {
  const watched = workerdsBelow(pid)
  // Makes the kernel count the peak anew (proc(5): clear_refs).
  for (const one of watched) attempt(() => writeFileSync(`/proc/${one}/clear_refs`, '5'))
  const before = sum(watched, 'VmRSS')
  await work()
  return watched.length === 0 ? undefined : { before, peak: sum(watched, 'VmHWM') }
}

function sum(pids: readonly number[], field: 'VmRSS' | 'VmHWM'): number {
  return pids.reduce((total, pid) => {
    const status = attempt(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
    return total + (Number(kib ?? 0) * 1024) / MIB
  }, 0)
}

function workerdsBelow(pid: number): number[] {
  const children = childrenOf(pid)
  return [...children.filter((child) => nameOf(child) === 'workerd'), ...children.flatMap(workerdsBelow)]
}

function childrenOf(pid: number): number[] {
  const all = attempt(() => readdirSync('/proc')) ?? []
  return all
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => {
      const stat = attempt(() => readFileSync(`/proc/${other}/stat`, 'utf8')) ?? ''
      // The name stands in parentheses and may hold any of them; then come the state and the parent.
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid
    })
}

function nameOf(pid: number): string {
  return (attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8')) ?? '').trim()
}

/** A process may end at any time. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
