import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openHome } from '../../src/gateway/home.ts'
import { claimHome } from '../../src/gateway/pids.ts'
import { markOf, membersOf, runs } from '../../src/gateway/processes.ts'

const GONE = { pid: 2 ** 22 + 1, started: 'gone' }

function makeHome() {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-pids-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const home = openHome(folder)
  const path = join(folder, 'pids')
  return { home, path, write: (pids: unknown) => writeFileSync(path, JSON.stringify(pids)) }
}

/** A shell that leads a group, and a child in it; both end by themselves in a while. */
async function startGroup(leader = 'sleep 20 & wait'): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn('sh', ['-c', leader], { detached: true, stdio: 'ignore' })
  const pid = child.pid ?? 0
  onTestFinished(() => void (membersOf(pid).length > 0 && process.kill(-pid, 'SIGKILL')))
  await expect.poll(() => membersOf(pid).length).toBe(2)
  return { child, pid }
}

test('a home has one owner, and is free again when it is released', async () => {
  const { home, path } = makeHome()
  const claim = await claimHome(home, '/programs')
  await expect(claimHome(home, '/programs')).rejects.toThrow(`is in use by process ${process.pid}`)
  claim.release()
  expect(existsSync(path)).toBe(false)
  ;(await claimHome(home, '/programs')).release()
})

test('of many that start at once in a stale home, one owns it', async () => {
  const { home, write } = makeHome()
  // While one waits for the old children to end, another has finished.
  const { pid } = await startGroup()
  write({ owner: GONE, children: [markOf(pid)] })
  const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claimHome(home, '/programs')))
  expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('what a killed run left is ended, with all its group', async () => {
  const { home, write } = makeHome()
  const { pid } = await startGroup()
  write({ owner: GONE, children: [markOf(pid)] })
  await claimHome(home, '/programs')
  expect(membersOf(pid)).toEqual([])
})

test('the rest of a group whose leader is gone is ended where it runs our programs, and else left alone', async () => {
  const { home, write } = makeHome()
  const { child, pid } = await startGroup()
  const mark = markOf(pid)
  child.kill('SIGKILL')
  await expect.poll(() => membersOf(pid).length).toBe(1)
  write({ owner: GONE, children: [mark] })
  ;(await claimHome(home, '/programs')).release()
  expect(membersOf(pid)).toHaveLength(1)
  write({ owner: GONE, children: [mark] })
  await claimHome(home, 'sleep')
  expect(membersOf(pid)).toEqual([])
})

test('a stranger that was given the pid of an old child, or of the old owner, is left alone', async () => {
  const { home, write } = makeHome()
  const { pid } = await startGroup()
  write({ owner: { pid, started: 'earlier' }, children: [{ pid, started: 'earlier' }] })
  await claimHome(home, 'sleep')
  expect(membersOf(pid)).toHaveLength(2)
})

test('a pid file that no run of ours wrote stands in nobody’s way', async () => {
  const { home, path } = makeHome()
  for (const text of ['', '{}', 'null', '{"owner":1}', '{"owner":{},"children":3}']) {
    writeFileSync(path, text)
    ;(await claimHome(home, '/programs')).release()
  }
})

test('children are written down as they start, and forgotten when they have gone', async () => {
  const { home, path } = makeHome()
  const claim = await claimHome(home, '/programs')
  const { pid } = await startGroup()
  const { pid: other } = await startGroup()
  const children = () => JSON.parse(readFileSync(path, 'utf8')).children.map((mark: { pid: number }) => mark.pid)
  claim.add(pid)
  expect(children()).toEqual([pid])
  process.kill(-pid, 'SIGKILL')
  await expect.poll(() => membersOf(pid).length).toBe(0)
  claim.add(other)
  expect(children()).toEqual([other])
})

test('a process is known by its start, not by its pid alone', () => {
  expect(runs(markOf(process.pid))).toBe(true)
  expect(runs({ pid: process.pid, started: 'earlier' })).toBe(false)
  expect(runs({ pid: GONE.pid, started: '' })).toBe(false)
})
