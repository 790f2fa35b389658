/** Which process is which: a pid alone is given to a stranger once its owner is gone, so its time of start goes with it. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

export type Process = { pid: number; group: number; started: string; command: string }

/** What is written down of a process, so that it can be known again. */
export type Mark = { pid: number; started: string }

/** Undefined where there is no such process, or it only waits to be reaped. */
export function findProcess(pid: number): Process | undefined {
  return process.platform === 'linux' ? readProc(pid) : listByPs().find((one) => one.pid === pid)
}

export function markOf(pid: number): Mark {
  return { pid, started: findProcess(pid)?.started ?? '' }
}

/** Whether the very process that was written down still runs. */
export function runs({ pid, started }: Mark): boolean {
  return started !== '' && findProcess(pid)?.started === started
}

/**
 * Ends a group of processes: asks its leader, who knows how to end the others, and kills what is left after `patience`
 * milliseconds. Answers when nothing of it runs, or after a second more at the latest.
 */
export async function endGroup(group: number, patience: number): Promise<void> {
  if (membersOf(group).length === 0) return
  signal(group, 'SIGTERM')
  if (await goneWithin(group, patience)) return
  signal(-group, 'SIGKILL')
  await goneWithin(group, 1000)
}

export function membersOf(group: number): Process[] {
  return list().filter((one) => one.group === group)
}

async function goneWithin(group: number, milliseconds: number): Promise<boolean> {
  for (const end = Date.now() + milliseconds; Date.now() < end; await wait(50)) {
    if (membersOf(group).length === 0) return true
  }
  return false
}

function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name)
  } catch {
    // It is gone already, which is what was wanted.
  }
}

function list(): Process[] {
  if (process.platform !== 'linux') return listByPs()
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => readProc(Number(pid)) ?? [])
}

/** proc(5): after the name in parentheses come state, parent, group and, as the twenty-second field, the start in ticks. */
function readProc(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return { pid, group: Number(fields[2]), started: `${bootId()} ${fields[19]}`, command }
  } catch {
    return undefined
  }
}

/** Ticks count from the start of the machine, so they tell processes apart only together with it. */
let boot = ''

function bootId(): string {
  boot ||= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

/** The same from POSIX ps, for systems without /proc. */
function listByPs(): Process[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,pgid=,stat=,lstart=,args='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 * 1024 * 1024,
  })
  return text.split('\n').flatMap((line) => {
    const [, pid, group, state, started, command] =
      /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line) ?? []
    if (!pid || !started || state?.startsWith('Z')) return []
    return [{ pid: Number(pid), group: Number(group), started, command: command ?? '' }]
  })
}
