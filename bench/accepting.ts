/** How fast mail is taken in, by either door, beside the floor. */
import { randomUUID } from 'node:crypto'
import { type Account, inbound, sending } from './account.ts'
import { type Call, type Caller, compare, type Load, load, sideBySide } from './load.ts'
import { largeMail, ordinaryJson, ordinaryMail } from './mails.ts'
import { type Memory, watchMemory } from './memory.ts'
import type { Row } from './table.ts'

const MIB = 1024 * 1024

/** A Worker that is up, and who calls it. */
export type Side = { caller: Caller; pid: number }

export type Pair = {
  floor: Side
  ours: Side
  account: Account
  /** The key with which mail is brought in. */
  inboundKey: string
  rounds: number
  /** In each round. */
  requests: number
}

/** So many requests wait for their answers at any time. */
const AT_ONCE = 8

/** `where` names the account, if there is something to say of it. */
export async function measureInbound(pair: Pair, where = ''): Promise<Row[]> {
  const { address } = pair.account
  const bytes = ordinaryMail(address).length
  const name = `POST /inbound, ${(bytes / 1000).toFixed(1)} KB${where}`
  return doors(pair, name, () => inbound(pair.inboundKey, address, ordinaryMail(address)))
}

export async function measureSending(pair: Pair): Promise<Row[]> {
  const { account } = pair
  const bytes = ordinaryJson(account.address, REMOTE).length
  const name = `POST /emails, ${(bytes / 1000).toFixed(1)} KB`
  const call = sending(account, ordinaryJson(account.address, REMOTE))
  const once = () => ({ ...call, headers: { ...call.headers, 'idempotency-key': randomUUID() } })
  const rows = await doors(pair, name, () => call)
  const { cost } = await load(pair.ours.caller, AT_ONCE, 1, once)
  return [...rows, { what: `${name}: with an Idempotency-Key`, unit: '', ...(cost ? { cost } : {}) }]
}

/** One mail of 25 MiB, alone, with what it does to the memory of processes that are still fresh; then of 1 MiB, two at a time. */
export async function measureLarge(pair: Pair): Promise<Row[]> {
  const { floor, ours, account, inboundKey } = pair
  const make = largeMail(account.address)
  const bring = (body: Buffer) => inbound(inboundKey, account.address, body)
  const times: { floor: number; ours: number }[] = []
  const memories: { floor: Memory | undefined; ours: Memory | undefined }[] = []
  const one = async ({ caller, pid }: Side, call: Call) => {
    const began = performance.now()
    const memory = await watchMemory(pid, () => caller.call(call))
    return { ms: performance.now() - began, memory }
  }
  for (let round = 0; round < 3; round++) {
    const body = make(25 * MIB)
    const [least, real] = [await one(floor, keep(body)), await one(ours, bring(body))]
    times.push({ floor: least.ms, ours: real.ms })
    memories.push({ floor: least.memory, ours: real.memory })
  }
  const some = (caller: Caller, call: (body: Buffer) => Call) => () => load(caller, 8, 2, () => call(make(MIB)))
  const small = await sideBySide(Math.min(3, pair.rounds), some(floor.caller, keep), some(ours.caller, bring))
  const large = compare(times, (ms) => ms)
  return [
    figure(
      'POST /inbound, 1 MiB',
      'ms, half of them',
      compare(small, ({ p50 }) => p50),
    ),
    figure('POST /inbound, 25 MiB, alone', 'ms', large),
    ...memoryRow(memories),
  ]
}

async function doors(pair: Pair, name: string, make: () => Call): Promise<Row[]> {
  const { floor, ours, rounds, requests } = pair
  const same = make().body ?? Buffer.alloc(0)
  const pairs = await sideBySide<Load>(
    rounds,
    () => load(floor.caller, requests, AT_ONCE, () => keep(same)),
    () => load(ours.caller, requests, AT_ONCE, make),
  )
  const cost = pairs.at(-1)?.ours.cost
  return [
    {
      ...figure(
        `${name}: accepted`,
        'a second',
        compare(pairs, ({ perSecond }) => perSecond),
      ),
      ...(cost ? { cost } : {}),
    },
    figure(
      `${name}: half answered within`,
      'ms',
      compare(pairs, ({ p50 }) => p50),
    ),
    figure(
      `${name}: 95 % answered within`,
      'ms',
      compare(pairs, ({ p95 }) => p95),
    ),
  ]
}

const REMOTE = 'somebody@remote.example'

/** The floor keeps whatever it is given. */
export function keep(body: Buffer): Call {
  return { method: 'POST', path: '/', headers: { 'content-type': 'message/rfc822' }, body }
}

export function figure(what: string, unit: string, found: { floor: number; ours: number; ratio: number }): Row {
  return { what, unit, floor: found.floor, ours: found.ours, ratio: found.ratio }
}

/** Of the first round alone: what was taken then is kept for the next. */
function memoryRow(memories: readonly { floor: Memory | undefined; ours: Memory | undefined }[]): Row[] {
  const { floor, ours } = memories[0] ?? {}
  if (!floor || !ours) return []
  const found = { floor: floor.peak - floor.before, ours: ours.peak - ours.before }
  const row = figure('POST /inbound, 25 MiB, alone: memory', 'MiB more', { ...found, ratio: found.ours / found.floor })
  return [{ ...row, note: 'with local R2 and D1, which stand in the same process' }]
}
