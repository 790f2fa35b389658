/** Whether what is done with a mailbox costs the same in a large one as in a small one: counts, threads, a move of a thousand. */
import { type Account, reading } from './account.ts'
import { type Call, type Caller, compare, load, sideBySide } from './load.ts'
import type { Row } from './table.ts'

type Mailbox = { of: number; account: Account }

const ROUNDS = 3

export async function measureBulk(caller: Caller, small: Mailbox, large: Mailbox): Promise<Row[]> {
  const get = (path: string) => (account: Account) => () => reading(account, path)
  return [
    await beside(caller, small, large, 'GET /mailboxes, counts', 10, get('/mailboxes')),
    await beside(caller, small, large, 'GET /threads, 20', 10, get('/threads?limit=20')),
    await beside(caller, small, large, 'GET /threads of a mailbox, 20', 10, get('/threads?limit=20&mailbox=inbox')),
    await beside(caller, small, large, 'POST /messages/batch, move 1,000', 4, moving),
  ]
}

/** There and back again, so that each finds a thousand. */
function moving({ key }: Account): () => Call {
  let calls = 0
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return () => {
    const [from, to] = calls++ % 2 === 0 ? ['inbox', 'archive'] : ['archive', 'inbox']
    const body = Buffer.from(JSON.stringify({ filter: { mailbox: from }, mailbox: to }))
    return { method: 'POST', path: '/messages/batch', headers, body }
  }
}

/** The small one stands where the floor does. */
async function beside(
  caller: Caller,
  small: Mailbox,
  large: Mailbox,
  what: string,
  requests: number,
  make: (account: Account) => () => Call,
): Promise<Row> {
  const pairs = await sideBySide(
    ROUNDS,
    () => load(caller, requests, 1, make(small.account)),
    () => load(caller, requests, 1, make(large.account)),
  )
  const cost = pairs.at(-1)?.ours.cost
  const found = compare(pairs, ({ p50 }) => p50)
  const note = `beside a mailbox of ${small.of.toLocaleString('en')}`
  return { what: `${what}, of ${large.of.toLocaleString('en')}`, unit: 'ms', ...found, ...(cost ? { cost } : {}), note }
}
