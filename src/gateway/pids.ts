/** Who is at work in a home: one run at a time, and what the last one left behind is ended. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from './home.ts'
import { endGroup, findProcess, type Mark, markOf, membersOf, runs } from './processes.ts'
import { StartTrouble } from './trouble.ts'

/** The run that owns a home, and the leaders of the process groups that it started. */
type Pids = { owner: Mark; children: Mark[] }

/** What is left of a killed run is given so long to end by itself. */
const PATIENCE = 3000

export type Claim = {
  /** Writes down a process group, so that the next run ends it if this one cannot. */
  add(leader: number): void
  release(): void
}

/**
 * Takes a home for this process, after ending what a killed run left in it.
 * `programs` is the folder where those that we start lie. @throws StartTrouble where another run is at work in it.
 */
export async function claimHome(home: Home, programs: string): Promise<Claim> {
  const path = join(home.folder, 'pids')
  const mine: Pids = { owner: markOf(process.pid), children: [] }
  while (!createWhole(path, mine)) {
    const text = readText(path)
    const { owner, children } = parse(text)
    if (runs(owner)) {
      throw new StartTrouble(
        `${home.folder} is in use by process ${owner.pid}: end it, or set POCHTA_HOME to another folder.`,
      )
    }
    for (const child of children) await endLeftOver(child, programs)
    removeStale(path, text)
  }
  return {
    add(leader) {
      mine.children = mine.children.filter(({ pid }) => membersOf(pid).length > 0).concat(markOf(leader))
      writeFileSync(`${path}.part`, JSON.stringify(mine))
      renameSync(`${path}.part`, path)
    },
    release: () => rmSync(path, { force: true }),
  }
}

/** Ends a group that is surely ours: its leader is the one written down, or is gone and the others run our programs. */
async function endLeftOver(child: Mark, programs: string): Promise<void> {
  const left = membersOf(child.pid)
  const ours = findProcess(child.pid) ? runs(child) : left.every(({ command }) => command.includes(programs))
  if (left.length > 0 && ours) await endGroup(child.pid, PATIENCE)
}

/** Creates the file with its content in one step; false where there is one. */
function createWhole(path: string, pids: Pids): boolean {
  const part = `${path}.${process.pid}`
  writeFileSync(part, JSON.stringify(pids), { mode: 0o600 })
  try {
    linkSync(part, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(part)
  }
}

/** Moves the file away and looks what it was: another starter may have put its own there since it was read. */
function removeStale(path: string, text: string): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (readText(aside) !== text) linkSync(aside, path)
  rmSync(aside)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function parse(text: string): Pids {
  try {
    const value = asPids(JSON.parse(text))
    return { owner: { ...value.owner }, children: [...value.children] }
  } catch {
    return { owner: { pid: 0, started: '' }, children: [] }
  }
}

/** The file is written by `claimHome` alone, and whole or not at all. */
function asPids(value: unknown): Pids {
  return value as Pids
}
