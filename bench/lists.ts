/** How fast a page of a mailbox is read, and one mail of it, and whether that depends on how much is in it. */
import { figure, keep, type Pair } from './accepting.ts'
import { reading } from './account.ts'
import { compare, type Load, load, sideBySide } from './load.ts'
import { ordinaryMail } from './mails.ts'
import type { Row } from './table.ts'

/** One after the other, so that no queue is measured. */
const REQUESTS = 30

/** Each page beside one request of the floor, in the same rounds. */
export async function measureLists(pair: Pair, held: number): Promise<Row[]> {
  const of = `of ${held.toLocaleString('en')}`
  return [
    await beside(pair, `GET /emails/receiving, 50 ${of}`, '/emails/receiving?limit=50'),
    await beside(pair, `GET /messages, 50 ${of}`, '/messages?limit=50'),
    await beside(pair, `GET /messages of a mailbox, 50 ${of}`, '/messages?limit=50&mailbox=inbox'),
    await beside(pair, `GET /emails/receiving/:id with its bodies, ${of}`, `/emails/receiving/${await newest(pair)}`),
  ]
}

async function beside(pair: Pair, what: string, path: string): Promise<Row> {
  const { floor, ours, account } = pair
  const kept = ordinaryMail(account.address)
  const pairs = await sideBySide<Load>(
    Math.min(3, pair.rounds),
    () => load(floor.caller, REQUESTS, 1, () => keep(kept)),
    () => load(ours.caller, REQUESTS, 1, () => reading(account, path)),
  )
  const cost = pairs.at(-1)?.ours.cost
  return {
    ...figure(
      what,
      'ms',
      compare(pairs, ({ p50 }) => p50),
    ),
    ...(cost ? { cost } : {}),
  }
}

async function newest({ ours, account }: Pair): Promise<string> {
  const { body } = await ours.caller.call(reading(account, '/emails/receiving?limit=1'))
  const id = /"id":"([^"]+)"/.exec(body)?.[1]
  if (!id) throw new Error('no mail is there to be read')
  return id
}
