/**
 * `npm run bench`: serves the built Worker and, beside it, a floor (floor/worker.ts), and measures them in turns.
 * `npm run bench -- --quick` takes fewer of everything; `-- --markdown` prints a table for a document.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureInbound, measureLarge, measureSending, type Pair, type Side } from './accepting.ts'
import { inbound, makeAccount, makeInboundKey, makeRules, SECRETS } from './account.ts'
import { measureAttachment } from './attachment.ts'
import { measureBulk } from './bulk.ts'
import { fillInbox } from './fill.ts'
import { measureLists } from './lists.ts'
import { callerOf, load } from './load.ts'
import { ordinaryMail } from './mails.ts'
import { startRelay } from './relay.ts'
import { measureRelay } from './relaying.ts'
import { fillIndex, measureSearch } from './searching.ts'
import { build, endAll, migrate, ROOT, type Served, serve } from './serve.ts'
import { measureStart } from './start-up.ts'
import { type Row, render } from './table.ts'

const quick = process.argv.includes('--quick')
const markdown = process.argv.includes('--markdown')

const LEGEND = `The floor is a Worker that does one R2 put and one D1 insert of the same bytes. The ratio is ours over the floor's, the median
of rounds side by side. D1 and R2 are what one request costs on average. What a queue's work costs no answer tells: tests hold
it to its budget (test/relay/relay.test.ts: 4 rows written for a mail that the relay took; test/webhook/dispatch.test.ts: 2 for
an event that an endpoint was told).`

/** As many as an account may have; each has six conditions here, of which half look at the text. */
const MAX_RULES = 100

/** What a large account's inbox holds. */
const MANY = 100_000

/** And a small one, beside which a move of a thousand and the counts are measured. */
const FEW = 1000

const temporary = mkdtempSync(join(tmpdir(), 'pochta-bench-'))
process.on('exit', () => {
  endAll()
  rmSync(temporary, { recursive: true, force: true, maxRetries: 3 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

const began = performance.now()
const rows = await measure()
console.log(`\n${render(rows, markdown)}\n`)
console.log(LEGEND)
process.exit(0)

async function measure(): Promise<Row[]> {
  say('building')
  const floorBuilt = await build(join(ROOT, 'bench/floor/wrangler.toml'), join(temporary, 'floor'))
  const built = await build(join(ROOT, 'wrangler.toml'), join(temporary, 'ours'))
  say('starting cold')
  const rows = await measureStart(floorBuilt, built, SECRETS, temporary)

  const relay = await startRelay()
  const state = join(temporary, 'state')
  const variables = { LOCAL: 'true', REQUESTS_PER_SECOND: '1000000', RELAY_URL: relay.url }
  await migrate(built.config, state)
  const floorServed = await serve({ built: floorBuilt, state: join(temporary, 'floor-state'), ready: '/' })
  let served = await serve({ built, state, variables, secrets: SECRETS, ready: '/health' })
  const restart = async (meanwhile: () => void = () => {}) => {
    await served.stop()
    meanwhile()
    served = await serve({ built, state, variables, secrets: SECRETS, ready: '/health' })
    return sideOf(served)
  }

  const floor = sideOf(floorServed)
  await floor.caller.call({ method: 'PUT', path: '/' })
  const ours = sideOf(served)
  const inboundKey = await makeInboundKey(ours.caller)
  const account = await makeAccount(ours.caller, 'bench.test')
  const reader = await makeAccount(ours.caller, 'reader.test')
  const pair: Pair = { floor, ours, account, inboundKey, rounds: quick ? 3 : 7, requests: quick ? 80 : 200 }

  say('bringing mail in')
  const large = [...(await measureLarge(pair)), ...(await measureAttachment(pair))]
  settle()
  const arriving = await measureInbound(pair)
  const ruled = await makeAccount(ours.caller, 'ruled.test')
  await makeRules(ours.caller, ruled, MAX_RULES)
  const judged = await measureInbound({ ...pair, account: ruled, rounds: 3 }, `, ${MAX_RULES} rules`)
  rows.push(...arriving, ...judged, ...large)
  say('sending')
  settle()
  relay.hold()
  rows.push(...(await measureSending(pair)))

  say('listing')
  settle()
  await load(ours.caller, 100, 8, () => inbound(inboundKey, reader.address, ordinaryMail(reader.address)))
  rows.push(...(await measureLists({ ...pair, account: reader }, 100)))
  say(`filling an inbox with ${MANY} messages, and one with ${FEW}`)
  const small = await makeAccount(ours.caller, 'small.test')
  await ours.caller.call(inbound(inboundKey, small.address, ordinaryMail(small.address)))
  const filled = await restart(() => {
    fillInbox(state, reader.id, MANY)
    fillInbox(state, small.id, FEW)
  })
  const full = { ...pair, ours: filled, account: reader }
  settle()
  rows.push(...(await measureLists(full, MANY)))
  rows.push(...(await measureBulk(filled.caller, { of: FEW, account: small }, { of: MANY, account: reader })))
  rows.push(...(await measureInbound({ ...full, rounds: 3 }, `, beside ${MANY.toLocaleString('en')} others`)))

  say(`indexing ${MANY} messages`)
  const indexed = await restart(() => fillIndex(state, reader.id))
  settle()
  say('searching')
  rows.push(...(await measureSearch(indexed, reader, MANY)))

  say('relaying')
  settle()
  const fresh = await restart()
  rows.push(...(await measureRelay(relay, fresh.caller, account, arriving[0]?.floor ?? Number.NaN, quick)))
  return rows
}

function sideOf({ origin, pid }: Served): Side {
  return { caller: callerOf(origin, 8), pid }
}

/** What earlier work has left to be written to disk must not slow what is measured next; where there is no `sync`, it may. */
function settle(): void {
  spawnSync('sync', { timeout: 30_000 })
}

/** Progress goes beside the table, so that the table alone can be written to a file. */
function say(what: string): void {
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}`)
}
