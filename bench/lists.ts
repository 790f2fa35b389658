/** How fast a page of a mailbox is read, and whether that depends on how much is in it. */
import type { Side } from './accepting.ts'
import { type Account, reading } from './account.ts'
import { load } from './load.ts'
import { median } from './statistics.ts'
import type { Row } from './table.ts'

const PAGES = [
  ['GET /emails/receiving', '/emails/receiving?limit=50'],
  ['GET /messages', '/messages?limit=50'],
  ['GET /messages of a mailbox', '/messages?limit=50&mailbox=inbox'],
] as const

/** Pages are asked for one after the other, so that no queue is measured. */
const REQUESTS = 60

/** `floorMs` is what the floor needs for one of its requests in the same run. */
export async function measureLists(ours: Side, account: Account, held: number, floorMs: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, path] of PAGES) {
    const ask = () => load(ours.caller, REQUESTS, 1, () => reading(account, path))
    await ask()
    const rounds = [await ask(), await ask(), await ask()]
    const ms = median(rounds.map(({ p50 }) => p50))
    const cost = rounds[0]?.cost
    const what = `${name}, 50 of ${held.toLocaleString('en')}`
    rows.push({ what, unit: 'ms', floor: floorMs, ours: ms, ratio: ms / floorMs, ...(cost ? { cost } : {}) })
  }
  return rows
}
