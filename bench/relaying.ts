/** The relay's figures: over one connection and over two, with a round trip and without, beside nodemailer's pool. */
import type { Account } from './account.ts'
import type { Caller } from './load.ts'
import type { Relay } from './relay.ts'
import { median } from './statistics.ts'
import type { Row } from './table.ts'

/** A sink across a sea. */
const FAR_MS = 50

export async function measureRelay(
  relay: Relay,
  caller: Caller,
  account: Account,
  floorPerSecond: number,
  quick: boolean,
): Promise<Row[]> {
  const mails = quick ? 100 : 300
  const far = { roundTrip: FAR_MS, chunking: false, connections: 1, mails: 100 }
  const near = { roundTrip: 0, chunking: true, connections: 1, mails }
  const ours = (line: typeof far) => relay.ours(caller, account, line)

  const pool = await relay.nodemailer({ ...far, mails: 30 })
  const pipelined = await ours(far)
  const twice = await ours({ ...far, connections: 10 })
  const chunked = await ours({ ...far, chunking: true, mails })
  const two = await ours({ ...far, chunking: true, connections: 10, mails })
  const nearPool = await relay.nodemailer(near)
  const nearOurs: number[] = []
  // Too short to be taken at its word once.
  for (let round = 0; round < 3; round++) nearOurs.push((await ours(near)).perConnection)
  const nearSpeed = median(nearOurs)
  const batches = Math.ceil(mails / 100)

  const beside = (what: string, floor: number, speed: number, note: string): Row => ({
    what,
    unit: 'a second',
    floor,
    ours: speed,
    ratio: speed / floor,
    note,
  })
  const name = `relay, ${FAR_MS} ms round trip, one connection`
  return [
    // By DATA a body waits for its 354, so that no client needs less than a round trip a mail: nodemailer needs two.
    beside(
      `${name}, PIPELINING`,
      pool.perConnection,
      pipelined.perConnection,
      `beside nodemailer’s pool; a round trip a mail would be ${1000 / FAR_MS}`,
    ),
    beside(
      `relay, ${FAR_MS} ms round trip, PIPELINING, a batch of 100`,
      pool.perSecond,
      twice.perSecond,
      `${twice.connections} connections, beside one of nodemailer’s pool`,
    ),
    beside(`${name}, CHUNKING`, pool.perConnection, chunked.perConnection, 'beside nodemailer’s pool'),
    beside(
      `relay, ${FAR_MS} ms round trip, ${mails} mails in all`,
      pool.perSecond,
      two.perSecond,
      `${two.connections} connections for ${batches} batches of 100`,
    ),
    beside('relay, no round trip, one connection', nearPool.perConnection, nearSpeed, 'beside nodemailer’s pool'),
    beside('relay, no round trip, one connection', floorPerSecond, nearSpeed, 'beside the floor'),
  ]
}
